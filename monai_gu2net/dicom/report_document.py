# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A Comprehensive SR, or a Comprehensive 3D SR, about an image, around a content tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_gu2net.dicom.codes import PRIVATE_SCHEME
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.study_object import StudyObject, image_reference

__all__ = ["write_report"]


def write_report(report: StudyObject, content: Callable[[], Dataset], *, in_space: bool = False) -> Path:
    """Write a report, whole or not at all. Its evidence is every file of the image.

    Args:
        report: what is written.
        content: makes its root container.
        in_space: the content has points in space, which a Comprehensive SR must not have: it is a Comprehensive 3D SR.

    Raises:
        DicomError: see :class:`StudyObject`; or the image is of a SOP class that DICOM does not define.

    Source: DICOM PS3.3, A.35.3 (Comprehensive SR), A.35.13 (Comprehensive 3D SR), C.17.1 to C.17.3.
    """

    def make(image: Dataset, frame: dict[str, Any]) -> Dataset:
        from highdicom.coding_schemes import CodingSchemeIdentificationItem
        from highdicom.sr import Comprehensive3DSR, ComprehensiveSR

        header = report.derivation.header
        if UID(header.SOPClassUID).name == header.SOPClassUID:  # so pydicom calls what its tables do not have
            raise DicomError(
                f"{Path(report.path).name}: the image must be of a SOP class that DICOM defines; its header has none "
                "such. Convert it."
            )
        scheme = CodingSchemeIdentificationItem(
            PRIVATE_SCHEME, "Concepts of monai_gu2net", responsible_organization="the monai_gu2net authors"
        )
        root = content()
        items, root.ContentSequence = root.ContentSequence, []
        document = (Comprehensive3DSR if in_space else ComprehensiveSR)(
            [image], root, is_complete=True, coding_schemes=[scheme], **frame
        )
        document.ContentSequence = items  # of which highdicom 0.28.2 would make and parse a copy: 3 s of 300 landmarks
        [study] = document.CurrentRequestedProcedureEvidenceSequence
        files = [image_reference(each) for each in report.derivation.images]
        study.ReferencedSeriesSequence[0].ReferencedSOPSequence = files
        return document

    return report.write(make)
