# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A new object in the study of an image, with the patient that the image is of."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

import monai_gu2net
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.files import write_bytes_whole
from monai_gu2net.landmarks import LandmarkSet

__all__ = ["Derivation", "StudyObject", "checked_landmarks", "dicom_text", "image_reference", "require_writers"]

_IMAGE = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# of type 2: there, if only empty (PS3.3, C.7.1.1 and C.7.2.1)
_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
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


def require_writers() -> None:
    """Raise, where the packages are missing that write DICOM objects.

    Raises:
        ImportError: highdicom is not installed.
    """
    if find_spec("highdicom") is None:
        raise ImportError(
            'Writing DICOM objects must have highdicom, which is not installed. pip install "monai_gu2net[dicom]".'
        )


@dataclass(frozen=True)
class Derivation:
    """Which image an object is derived from, and by what.

    Args:
        header: of the image, see :func:`~monai_gu2net.dicom.read_header`; of a volume that of any of its slices.
            Patient and study come from it.
        model: name of what found the landmarks.
        model_version: its version.
        sop_instance_uid: of the object. By default it is derived from the image, the model and all that is written, so
            that the same result is the same object and another result is another one.
        now: when it is made, in local time; by default now.
        slices: of a volume the headers of its objects, see :func:`~monai_gu2net.dicom.series_headers`; empty: the image
            is one radiograph.
    """

    header: Dataset
    model: str
    model_version: str
    sop_instance_uid: str | None = None
    now: datetime | None = None
    slices: tuple[Dataset, ...] = ()

    @property
    def images(self) -> tuple[Dataset, ...]:
        """Headers of the files that the image consists of."""
        return self.slices or (self.header,)

    @property
    def dims(self) -> int:
        """Axes of the image: 3 of a volume, else 2."""
        return 3 if self.slices else 2

    @property
    def by(self) -> str:
        """Model and version."""
        return f"{self.model} {self.model_version}"


@dataclass(frozen=True)
class StudyObject:
    """An object to be written in the study of an image, in a series of its own.

    Args:
        path: the file.
        derivation: with the image.
        series: number and description.
        content: what the object says, as text: objects have one UID where image, model and content are equal.
    """

    path: str | os.PathLike[str]
    derivation: Derivation
    series: tuple[int, str]
    content: tuple[str, ...]

    @property
    def uid(self) -> str:
        """The object's SOP Instance UID."""
        of = self.derivation
        files = [str(header.get("SOPInstanceUID")) for header in of.images]
        return of.sop_instance_uid or derived_uid(*files, of.model, of.model_version, *self.content)

    def write(self, make: Callable[[Dataset, dict[str, Any]], Dataset]) -> Path:
        """Write the file whole or not at all, as Explicit VR Little Endian in UTF-8; makes the folder.

        Args:
            make: the object, from a stand-in for the image, which has all that highdicom asks of one, and the keyword
                arguments that highdicom's SOP classes have in common. What it says of patient and study is replaced.

        Raises:
            ImportError: highdicom is not installed.
            DicomError: the header lacks what identifies the image, or a value of it cannot be written again.

        Source: DICOM PS3.3, C.7.1.1, C.7.2.1, C.7.5.1, C.12.1.
        """
        require_writers()
        import highdicom  # noqa: F401 - silent_pydicom silences the loggers that there are

        path, header, now = Path(self.path), self.derivation.header, self.derivation.now or datetime.now()
        missing = [keyword for keyword in _IMAGE if not all(image.get(keyword) for image in self.derivation.images)]
        if missing:
            raise DicomError(
                f"{path.name}: the image's header must have {missing}; it has not. Export the image again."
            )
        if len({(image.StudyInstanceUID, image.SeriesInstanceUID) for image in self.derivation.images}) > 1:
            raise DicomError(f"{path.name}: the slices must be of one series; they are of several. Give those of one.")
        frame = {
            "sop_instance_uid": self.uid,
            "series_instance_uid": derived_uid(self.uid, "series"),
            "series_number": self.series[0],
            "series_description": self.series[1],
            "instance_number": 1,
            "manufacturer": "monai_gu2net",
            "manufacturer_model_name": dicom_text(self.derivation.model),
            "device_serial_number": None,
            "software_versions": [dicom_text(self.derivation.model_version), monai_gu2net.__version__],
            "transfer_syntax_uid": ExplicitVRLittleEndian,
        }
        written = io.BytesIO()
        with silent_pydicom():
            new = make(_stand_in(header), frame)
            new.SpecificCharacterSet = "ISO_IR 192"
            # highdicom 0.28.2 takes these from the clock, so that the same result would be another object
            for what in ("InstanceCreation", "Content", "PresentationCreation"):
                if f"{what}Date" in new:
                    new[f"{what}Date"].value, new[f"{what}Time"].value = now.strftime("%Y%m%d %H%M%S.%f").split()
            new.pop("ContributingEquipmentSequence", None)  # it names highdicom, with the time
            try:
                for keyword in (*_EMPTY, *_OPTIONAL):
                    if keyword in header:
                        new.add(header[keyword])
                new.save_as(written, enforce_file_format=True)
            except Exception:  # its message would quote the patient
                raise DicomError(
                    f"{path.name}: what is copied from the image's header must be well-formed; it is not. "
                    "Export the image again."
                ) from None
        return write_bytes_whole(path, written.getvalue())


def _stand_in(header: Dataset) -> Dataset:
    """The image as highdicom 0.28.2 takes it.

    Of the patient it refuses values that scanners write, such as a sex that DICOM has no code for; it asks images of
    multi-frame SOP classes for functional groups, which most have none of; and it knows no retired or private class.
    """
    image = Dataset()
    for keyword in _EMPTY:
        setattr(image, keyword, None)
    for keyword in (*_IMAGE, "Rows", "Columns"):
        setattr(image, keyword, header.get(keyword))
    image.SOPClassUID, image.SamplesPerPixel = ComputedRadiographyImageStorage, 1
    return image


def checked_landmarks(landmarks: LandmarkSet, *, dims: int = 2) -> None:
    """Check that landmarks can be written in DICOM.

    Args:
        landmarks: N points.
        dims: axes of the image that they must be indices of, see :attr:`Derivation.dims`.

    Raises:
        ValueError: they are not pixel indices of that many axes; or a name has characters that do not print or ends in
            a space, so that a reader would not give it back (PS3.5, 6.2).
    """
    if landmarks.frame != "index" or landmarks.dims != dims:
        raise ValueError(
            f"Landmarks written in DICOM must be {dims}-D pixel indices; got {landmarks.dims}-D ones in the frame "
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
