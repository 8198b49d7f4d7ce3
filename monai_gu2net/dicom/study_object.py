# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A new object in the study of an image, with the patient that the image is of."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

import monai_gu2net
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.files import write_bytes_whole
from monai_gu2net.landmarks import LandmarkSet

__all__ = ["checked_landmarks", "dicom_text", "image_reference", "object_in_study", "require_writers", "write_whole"]

_IMAGE = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# of type 1 and 2: there, if only empty (PS3.3, C.7.1.1 and C.7.2.1)
_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")
# of type 1C and 3, as far as they say which patient and study this is, or that the patient is not named
_OPTIONAL = (
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "PatientBirthTime",
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
)
_UTF_8 = "ISO_IR 192"


def require_writers() -> None:
    """Raise, where the packages are missing that write DICOM objects.

    Raises:
        ImportError: highdicom is not installed.
    """
    if find_spec("highdicom") is None:
        raise ImportError(
            'Writing DICOM objects must have highdicom, which is not installed. pip install "monai_gu2net[dicom]".'
        )


def object_in_study(
    header: Dataset,
    *,
    name: str,
    sop_class_uid: str,
    modality: str,
    series_number: int,
    series_description: str,
    model: str,
    model_version: str,
    sop_instance_uid: str,
    now: datetime,
) -> Dataset:
    """A dataset with the patient and study of an image and a series of its own, which the caller completes.

    Args:
        header: of the image.
        name: of the file to be written, for errors.
        sop_class_uid: of the new object.
        modality: of the new series.
        series_number: of the new series.
        series_description: of the new series.
        model: who made it.
        model_version: of the model.
        sop_instance_uid: of the new object; the series' UID is derived from it.
        now: when it is made, in local time.

    Returns:
        Modules SOP Common, Patient, General Study, series and General Equipment, in UTF-8.

    Raises:
        DicomError: the header lacks what identifies the image.

    Source: DICOM PS3.3, C.7.1.1, C.7.2.1, C.7.5.1, C.12.1.
    """
    missing = [keyword for keyword in _IMAGE if not header.get(keyword)]
    if missing:
        raise DicomError(f"{name}: the image's header must have {missing}; it has not. Export the image again.")
    new = Dataset()
    new.SpecificCharacterSet = _UTF_8
    new.InstanceCreationDate, new.InstanceCreationTime = _date_and_time(now)
    new.SOPClassUID, new.SOPInstanceUID = sop_class_uid, sop_instance_uid
    try:
        with silent_pydicom():
            for keyword in (*_PATIENT, *_STUDY, *_OPTIONAL):
                if keyword in header:
                    new.add(_copied(header[keyword]))
                elif keyword not in _OPTIONAL:
                    setattr(new, keyword, None)
    except Exception:  # its message would quote the patient
        raise DicomError(
            f"{name}: the patient and study of the image must be readable; they are not. Export the image again."
        ) from None
    new.Modality = modality
    new.SeriesInstanceUID = derived_uid(sop_instance_uid, "series")
    new.SeriesNumber = series_number
    new.SeriesDescription = dicom_text(series_description)
    new.InstanceNumber = 1
    new.Manufacturer = "monai_gu2net"
    new.ManufacturerModelName = dicom_text(model)
    new.SoftwareVersions = [dicom_text(model_version), monai_gu2net.__version__]
    return new


def checked_landmarks(landmarks: LandmarkSet) -> None:
    """Check that landmarks can be written in DICOM.

    Raises:
        ValueError: they are not 2-D pixel indices; or a name has characters that do not print or ends in a space, so
            that a reader would not give it back (PS3.5, 6.2).
    """
    if landmarks.frame != "index" or landmarks.dims != 2:
        raise ValueError(
            f"Landmarks written in DICOM must be 2-D pixel indices; got {landmarks.dims}-D ones in the frame "
            f"{landmarks.frame!r}. Convert them with to_index(affine)."
        )
    for name in landmarks.names:
        if not name.isprintable() or name != name.rstrip():
            raise ValueError(
                f"A landmark's name in DICOM must be printable and not end in a space; got {name!r}. Rename it."
            )


def image_reference(header: Dataset) -> Dataset:
    """The item of a sequence that refers to an image."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    return item


def dicom_text(text: str) -> str:
    """Text as an attribute of type LO takes it: one line of at most 64 characters, without backslash."""
    return re.sub(r"[\x00-\x1f\x7f\\]", "/", text)[:64].strip()


def write_whole(path: str | os.PathLike[str], dataset: Dataset) -> Path:
    """Write a DICOM file whole or not at all, as Explicit VR Little Endian; makes the folder.

    Raises:
        DicomError: a value of the image's header cannot be written again.
    """
    path = Path(path)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    content = io.BytesIO()
    try:
        with silent_pydicom():
            dataset.save_as(content, enforce_file_format=True)
    except Exception:  # its message would quote the patient
        raise DicomError(
            f"{path.name}: what is copied from the image's header must be well-formed; it is not. "
            "Export the image again."
        ) from None
    return write_bytes_whole(path, content.getvalue())


def _date_and_time(now: datetime) -> Sequence[str]:
    return now.strftime("%Y%m%d"), now.strftime("%H%M%S.%f")


def _copied(element: DataElement) -> DataElement:
    """An element apart from its dataset, its text decoded, since the new object is in UTF-8."""
    if element.VR != "SQ":
        value = element.value
        if element.VR == "PN" and value:
            value = [str(name) for name in value] if element.VM > 1 else str(value)
        return DataElement(element.tag, element.VR, value)
    items = []
    for item in element.value:
        copy = Dataset()
        for inner in item:
            copy.add(_copied(inner))
        items.append(copy)
    return DataElement(element.tag, "SQ", items)
