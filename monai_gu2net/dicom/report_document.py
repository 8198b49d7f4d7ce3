# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A Comprehensive SR in the study of an image, around a content tree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import UID, ComprehensiveSRStorage

from monai_gu2net.dicom.codes import PRIVATE_SCHEME
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.dicom.study_object import image_reference, object_in_study, write_whole

__all__ = ["write_report"]


def write_report(
    path: Path,
    content: Callable[[], Dataset],
    *,
    header: Dataset,
    series_number: int,
    description: str,
    model: str,
    model_version: str,
    uid: str,
    now: datetime | None,
) -> Path:
    """Write a report, whole or not at all.

    Args:
        path: the file.
        content: makes the root container.
        header: of the image that the report is about.
        series_number: of the report's own series.
        description: of that series.
        model: who made it.
        model_version: of the model.
        uid: SOP Instance UID of the report.
        now: when it is made, in local time; None: now.

    Raises:
        DicomError: the header does not say which image this is, or is of a SOP class that DICOM does not define.

    Source: DICOM PS3.3, A.35.3 (Comprehensive SR), C.17.1 to C.17.3.
    """
    document = object_in_study(
        header,
        name=path.name,
        sop_class_uid=ComprehensiveSRStorage,
        modality="SR",
        series_number=series_number,
        series_description=description,
        model=model,
        model_version=model_version,
        sop_instance_uid=uid,
        now=now or datetime.now(),
    )
    with silent_pydicom():
        if UID(header.SOPClassUID).name == header.SOPClassUID:  # so pydicom calls what its tables do not have
            raise DicomError(
                f"{path.name}: the image must be of a SOP class that DICOM defines; its header has none such. "
                "Convert it."
            )
        root = content()
    scheme = Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = PRIVATE_SCHEME, "Concepts of monai_gu2net"
    scheme.CodingSchemeResponsibleOrganization = "the monai_gu2net authors"
    document.CodingSchemeIdentificationSequence = [scheme]
    document.ContentDate, document.ContentTime = document.InstanceCreationDate, document.InstanceCreationTime
    document.CompletionFlag, document.VerificationFlag = "COMPLETE", "UNVERIFIED"
    document.PreliminaryFlag = "PRELIMINARY"
    document.PerformedProcedureCodeSequence = []
    document.ReferencedPerformedProcedureStepSequence = []
    series, study = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = header.SeriesInstanceUID, [image_reference(header)]
    study.StudyInstanceUID, study.ReferencedSeriesSequence = header.StudyInstanceUID, [series]
    document.CurrentRequestedProcedureEvidenceSequence = [study]
    for element in root:
        document.add(element)
    return write_whole(path, document)
