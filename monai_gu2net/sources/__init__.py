# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Sources of cases: each kind of dataset folder as a domain and its cases, and which data a run works on."""

from __future__ import annotations

from monai_gu2net.sources.kinds import SOURCES, recognize_layout
from monai_gu2net.sources.layouts import LAYOUTS
from monai_gu2net.sources.opening import cases_to_predict, images_in, open_data
from monai_gu2net.sources.reading import Dataset, read_layout
from monai_gu2net.sources.source import Annotation, Entry, Source
from monai_gu2net.sources.split import split_by_patient

__all__ = [
    "LAYOUTS",
    "SOURCES",
    "Annotation",
    "Dataset",
    "Entry",
    "Source",
    "cases_to_predict",
    "images_in",
    "open_data",
    "read_layout",
    "recognize_layout",
    "split_by_patient",
]
