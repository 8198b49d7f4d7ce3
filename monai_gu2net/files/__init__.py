# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every file: what is read is accounted for, and what is written is whole."""

from __future__ import annotations

from monai_gu2net.files.csv_text import csv_text, original_cell
from monai_gu2net.files.full_disk import full_disk
from monai_gu2net.files.left_out import LeftOut, left_out_lines
from monai_gu2net.files.one_run import results_of_one_run
from monai_gu2net.files.result_folder import writable_folder
from monai_gu2net.files.text import check_fields, read_json, read_text
from monai_gu2net.files.whole_file import whole_file, write_bytes_whole, write_text_whole

__all__ = [
    "LeftOut",
    "check_fields",
    "csv_text",
    "full_disk",
    "left_out_lines",
    "original_cell",
    "read_json",
    "read_text",
    "results_of_one_run",
    "whole_file",
    "writable_folder",
    "write_bytes_whole",
    "write_text_whole",
]
