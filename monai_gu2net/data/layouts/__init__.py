# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of dataset folders: each gives a domain and its cases, split for training, validation and test."""

from __future__ import annotations

from monai_gu2net.data.layouts.case import Dataset
from monai_gu2net.data.layouts.chest import CHEST_LANDMARKS, read_chest
from monai_gu2net.data.layouts.hand import HAND_LANDMARKS, read_hand
from monai_gu2net.data.layouts.head import HEAD_LANDMARKS, read_head
from monai_gu2net.data.layouts.markups import read_markups_folder
from monai_gu2net.data.layouts.recognize import LAYOUTS, read_layout, recognize_layout
from monai_gu2net.data.layouts.reports import read_reports_folder
from monai_gu2net.data.layouts.split import split_by_patient
from monai_gu2net.data.layouts.table import read_table_folder

__all__ = [
    "CHEST_LANDMARKS",
    "HAND_LANDMARKS",
    "HEAD_LANDMARKS",
    "LAYOUTS",
    "Dataset",
    "read_chest",
    "read_hand",
    "read_head",
    "read_layout",
    "read_markups_folder",
    "read_reports_folder",
    "read_table_folder",
    "recognize_layout",
    "split_by_patient",
]
