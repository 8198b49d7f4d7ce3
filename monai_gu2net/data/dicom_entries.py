# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the DICOM files of a dataset are, by their headers, without anybody's identity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID

from monai_gu2net.dicom import DicomError, read_header
from monai_gu2net.dicom.frames import has_frame_geometry
from monai_gu2net.dicom.pixel_spacing import spacing_of
from monai_gu2net.dicom.readable_report import is_readable_report
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.dicom.slicer_spacing import slicer_spacing

__all__ = ["DicomEntry", "read_entries"]

_REPORTS = "1.2.840.10008.5.1.4.1.1.88."  # PS3.4, annex B.5: the classes of structured reports begin so


@dataclass(frozen=True)
class DicomEntry:
    """One DICOM file.

    Args:
        path: the file.
        kind: "image", "report" (structured report, but not one that this package wrote to be read), "other", or
            "broken": it could not be read.
        what: the kind in words, for a list of what is passed over.
        size: (width, height) of an image.
        spacing: (sx, sy) mm per pixel that the tags of an image state; None: unknown.
        sop_instance_uid: of an image or a report; "" where there is none.
        patient: a running label, such as "patient_0001", the same for the files of one patient and of no meaning
            outside of them; None where the file names no patient.
        slicer_spacing: (sx, sy) mm per pixel at which 3D Slicer shows an image; None: 1 for want of any.
        is_volume: whether the image is a volume by itself, of frames that say where they lie.
    """

    path: Path
    kind: Literal["image", "report", "other", "broken"]
    what: str
    size: tuple[int, int] | None = None
    spacing: tuple[float, float] | None = None
    sop_instance_uid: str = ""
    patient: str | None = None
    slicer_spacing: tuple[float, float] | None = None
    is_volume: bool = False


def read_entries(paths: Iterable[Path]) -> list[DicomEntry]:
    """What each file is, in their order; one that cannot be read is "broken" and stops nothing."""
    labels: dict[tuple[str, str], str] = {}
    return [_entry(path, labels) for path in paths]


def _entry(path: Path, labels: dict[tuple[str, str], str]) -> DicomEntry:
    try:
        header = read_header(path)
    except DicomError as error:
        return DicomEntry(path, "broken", str(error))
    sop_class = str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")
    instance, patient = str(header.get("SOPInstanceUID") or ""), _patient(header, labels)
    if sop_class.startswith(_REPORTS):
        if is_readable_report(header):
            return DicomEntry(path, "other", "a report to be read, without points")
        return DicomEntry(path, "report", "a structured report", sop_instance_uid=instance, patient=patient)
    width, height = header.get("Columns"), header.get("Rows")
    if not isinstance(width, int) or not isinstance(height, int):
        with silent_pydicom():
            name = UID(sop_class).name  # the UID itself where the standard does not know it
        return DicomEntry(path, "other", "no image" if not name or name == sop_class else f"no image ({name})")
    own, shown = spacing_of(header).mm, slicer_spacing(header)
    is_volume = has_frame_geometry(header)
    return DicomEntry(path, "image", "an image", (width, height), own, instance, patient, shown, is_volume)


def _patient(header: Dataset, labels: dict[tuple[str, str], str]) -> str | None:
    """The label of the header's patient, a new one for a new patient."""
    identity = str(header.get("PatientID") or "").strip(), str(header.get("IssuerOfPatientID") or "").strip()
    return labels.setdefault(identity, f"patient_{len(labels) + 1:04d}") if identity[0] else None
