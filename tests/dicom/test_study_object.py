# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the four kinds of objects in the study of an image have in common."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from pydicom import uid
from pydicom.dataset import Dataset

from monai_gu2net.dicom import (
    Derivation,
    read_header,
    write_presentation_state,
    write_readable_report,
    write_secondary_capture,
    write_structured_report,
)
from monai_gu2net.landmarks import LandmarkSet

NOON = datetime.datetime(2021, 2, 3, 12, 0, 0, 250_000)
POINTS = LandmarkSet(("sella", "nasion"), [[3.25, 4.5], [7.0, 8.0]], "index")
PICTURE = np.arange(105, dtype=np.uint8).reshape(5, 7, 3)
WRITERS = {
    "report": (write_structured_report, POINTS),
    "report to be read": (write_readable_report, POINTS),
    "presentation state": (write_presentation_state, POINTS),
    "secondary capture": (write_secondary_capture, PICTURE),
}
SOURCES = {
    "report": lambda made: (
        made.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    ),
    "presentation state": lambda made: made.ReferencedSeriesSequence[0].ReferencedImageSequence,
    "secondary capture": lambda made: made.SourceImageSequence,
}
SOURCES["report to be read"] = SOURCES["report"]

pytestmark = pytest.mark.parametrize("kind", WRITERS)


@pytest.fixture
def written(kind: str, tmp_path: Path) -> Callable[..., Dataset]:
    """Writes the object of an image with these tags, and reads it with pydicom."""
    write, content = WRITERS[kind]

    def written(**tags: Any) -> Dataset:
        header = read_header(make_dicom(tmp_path / "image.dcm", picture(), **tags))
        made = write(tmp_path / "made.dcm", content, derivation=Derivation(header, "GU2Net", "1.2", now=NOON))  # type: ignore[operator]
        return pydicom.dcmread(made)

    return written


def test_the_same_result_at_the_same_time_is_the_same_file(written: Callable[..., Dataset], tmp_path: Path) -> None:
    made = written()
    first = (tmp_path / "made.dcm").read_bytes()
    written()
    assert (tmp_path / "made.dcm").read_bytes() == first
    assert (made.InstanceCreationDate, made.InstanceCreationTime) == ("20210203", "120000.250000")
    assert made.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_what_a_scanner_writes_of_a_patient_against_the_rules_is_said_again(written: Callable[..., Dataset]) -> None:
    tags = {"PatientSex": b"Male", "PatientBirthDate": b"1970.01.99", "StudyTime": b"99xx", "PatientName": b"Mononym"}
    made = written(**tags)
    assert {keyword: str(made[keyword].value).encode() for keyword in tags} == tags


def test_of_the_patient_it_says_no_more_than_who_it_is(written: Callable[..., Dataset]) -> None:
    made = written(PatientAge="030Y", PatientComments="of no use", EthnicGroup="any", TypeOfPatientID="TEXT")
    assert made.TypeOfPatientID == "TEXT"
    assert not {"PatientAge", "PatientComments", "EthnicGroup"} & set(made.dir())


def test_names_in_sequences_and_of_other_alphabets_come_back_in_utf_8(written: Callable[..., Dataset]) -> None:
    other = Dataset()
    other.PatientID, other.TypeOfPatientID, other.IssuerOfPatientID = "X-1", "TEXT", "Zürich"
    made = written(
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientName=b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",  # PS3.5, H.3.2, example 2
        OtherPatientIDsSequence=None,
    )
    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert str(made.PatientName) == "Yamada^Tarou=山田^太郎"
    made = written(SpecificCharacterSet="ISO_IR 100", OtherPatientIDsSequence=[other], ResponsiblePerson="Müller^Jörg")
    assert made.OtherPatientIDsSequence[0].IssuerOfPatientID == "Zürich"
    assert str(made.ResponsiblePerson) == "Müller^Jörg"


@pytest.mark.parametrize(
    "sop_class",
    [
        uid.XRayAngiographicImageStorage,
        uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
        uid.EnhancedXAImageStorage,
        uid.UID("1.2.840.10008.5.1.4.1.1.12.3"),  # X-Ray Angiographic Bi-Plane, retired
    ],
    ids=lambda sop_class: sop_class.name,
)
def test_an_image_of_any_class_is_referred_to_by_it(
    kind: str, written: Callable[..., Dataset], sop_class: uid.UID
) -> None:
    """Of classes with several frames and of retired ones, for which highdicom asks more or knows nothing."""
    [source] = SOURCES[kind](written(SOPClassUID=sop_class))
    assert source.ReferencedSOPClassUID == sop_class
