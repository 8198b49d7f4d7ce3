# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmark file formats, one module each; :func:`read_landmarks` picks the right one."""

from __future__ import annotations

from monai_gu2net.landmarks.formats.any_file import FORMATS, read_landmarks, write_landmarks
from monai_gu2net.landmarks.formats.coco_json import CocoImage, read_coco, write_coco
from monai_gu2net.landmarks.formats.fraction_txt import read_fraction_txt
from monai_gu2net.landmarks.formats.isbi_txt import read_isbi_txt
from monai_gu2net.landmarks.formats.landmark_json import read_landmark_json, write_landmark_json
from monai_gu2net.landmarks.formats.markups_json import MARKUPS_EXTENSION, read_markups, write_markups
from monai_gu2net.landmarks.formats.parsing import LandmarkTable
from monai_gu2net.landmarks.formats.payer_csv import read_payer_csv
from monai_gu2net.landmarks.formats.table_csv import TableRow, TableRows, read_table, write_table

__all__ = [
    "FORMATS",
    "MARKUPS_EXTENSION",
    "CocoImage",
    "LandmarkTable",
    "TableRow",
    "TableRows",
    "read_coco",
    "read_fraction_txt",
    "read_isbi_txt",
    "read_landmark_json",
    "read_landmarks",
    "read_markups",
    "read_payer_csv",
    "read_table",
    "write_coco",
    "write_landmark_json",
    "write_landmarks",
    "write_markups",
    "write_table",
]
