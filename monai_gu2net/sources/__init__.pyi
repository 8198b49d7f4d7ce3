# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .chest_dataset import read_chest as read_chest
from .hand_dataset import read_hand as read_hand
from .head_dataset import read_head as read_head
from .layouts import LAYOUTS as LAYOUTS
from .markups_folder import read_markups_folder as read_markups_folder
from .opening import cases_to_predict as cases_to_predict
from .opening import images_in as images_in
from .opening import open_data as open_data
from .recognize import read_layout as read_layout
from .recognize import recognize_layout as recognize_layout
from .reports_folder import read_reports_folder as read_reports_folder
from .source_case import Dataset as Dataset
from .split import split_by_patient as split_by_patient
from .table_folder import read_table_folder as read_table_folder
