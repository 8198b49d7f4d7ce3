# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radiographs in DICOM, read with guards, polarity, spacing with its source, and no identity; and results in DICOM."""

from __future__ import annotations

from monai_gu2net.dicom.header import is_dicom, read_header
from monai_gu2net.dicom.limits import DicomError, Limits
from monai_gu2net.dicom.presentation_state import write_presentation_state
from monai_gu2net.dicom.radiograph import Radiograph, read_radiograph
from monai_gu2net.dicom.readable_report import write_readable_report
from monai_gu2net.dicom.secondary_capture import write_secondary_capture
from monai_gu2net.dicom.structured_report import (
    StructuredReport,
    read_structured_report,
    read_structured_reports,
    write_structured_report,
)

__all__ = [
    "DicomError",
    "Limits",
    "Radiograph",
    "StructuredReport",
    "is_dicom",
    "read_header",
    "read_radiograph",
    "read_structured_report",
    "read_structured_reports",
    "write_presentation_state",
    "write_readable_report",
    "write_secondary_capture",
    "write_structured_report",
]
