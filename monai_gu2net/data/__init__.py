# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Domains, datalists, readers of images, and what feeds them to a network."""

from __future__ import annotations

from monai_gu2net.data.case_dataset import CaseDataset
from monai_gu2net.data.case_names import case_names, image_name
from monai_gu2net.data.datalist import SPLITS, Datalist
from monai_gu2net.data.domain import Domain, ReferenceLength
from monai_gu2net.data.outside import ALLOWED_OUTSIDE, cases_in_frame, datalist_in_frame, outside_landmarks
from monai_gu2net.data.reader import RadiographReader, is_image
from monai_gu2net.data.replica_cases import cases_of_replica
from monai_gu2net.data.sampler import DomainBatchSampler
from monai_gu2net.data.spacing_source import SPACING_SOURCES, case_spacing, checked_sources, reference_length_spacing

__all__ = [
    "ALLOWED_OUTSIDE",
    "SPACING_SOURCES",
    "SPLITS",
    "CaseDataset",
    "Datalist",
    "Domain",
    "DomainBatchSampler",
    "RadiographReader",
    "ReferenceLength",
    "case_names",
    "case_spacing",
    "cases_in_frame",
    "cases_of_replica",
    "checked_sources",
    "datalist_in_frame",
    "image_name",
    "is_image",
    "outside_landmarks",
    "reference_length_spacing",
]
