# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Readers of dataset folders: each gives a domain and its cases, split for training, validation and test."""

from __future__ import annotations

from monai_gu2net.sources.chest_dataset import read_chest
from monai_gu2net.sources.hand_dataset import read_hand
from monai_gu2net.sources.head_dataset import read_head
from monai_gu2net.sources.markups_folder import read_markups_folder
from monai_gu2net.sources.opening import cases_to_predict, images_in, open_data
from monai_gu2net.sources.recognize import LAYOUTS, read_layout, recognize_layout
from monai_gu2net.sources.reports_folder import read_reports_folder
from monai_gu2net.sources.source_case import Dataset
from monai_gu2net.sources.split import split_by_patient
from monai_gu2net.sources.table_folder import read_table_folder

__all__ = [
    "LAYOUTS",
    "Dataset",
    "cases_to_predict",
    "images_in",
    "open_data",
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
