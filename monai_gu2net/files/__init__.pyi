# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .csv_text import csv_text as csv_text
from .csv_text import original_cell as original_cell
from .disk import full_disk as full_disk
from .disk import writable_folder as writable_folder
from .left_out import LeftOut as LeftOut
from .left_out import left_out_lines as left_out_lines
from .one_run import results_of_one_run as results_of_one_run
from .stamps import Stamps as Stamps
from .stamps import stamps_of as stamps_of
from .text import check_fields as check_fields
from .text import read_json as read_json
from .text import read_text as read_text
from .whole_file import copy_whole as copy_whole
from .whole_file import flush_to_disk as flush_to_disk
from .whole_file import remove_half_written as remove_half_written
from .whole_file import whole_file as whole_file
from .whole_file import write_bytes_whole as write_bytes_whole
from .whole_file import write_durably as write_durably
from .whole_file import write_json_whole as write_json_whole
from .whole_file import write_text_whole as write_text_whole
