# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import struct
import traceback
import warnings
from pathlib import Path
from typing import Any

import pytest
from dicom_files import make_dicom, picture
from pydicom.datadict import dictionary_VR
from pydicom.tag import Tag

from monai_gu2net.dicom import DicomError, read_header, read_radiograph
from monai_gu2net.dicom.metadata import metadata_of

PLANTED = "Quixqwerty^Jane1"
PLACEHOLDERS = {
    "CS": "ISO_IR 192",
    "DA": "20200101",
    "DS": "1",
    "IS": "1",
    "LO": "a",
    "LT": "a",
    "PN": "a",
    "UI": "1.2",
}


def test_the_technical_facts_are_kept(tmp_path: Path) -> None:
    header = read_header(make_dicom(tmp_path / "a.dcm", picture(), photometric="MONOCHROME1"))
    assert metadata_of(header) == {
        "modality": "CR",
        "body_part": "HAND",
        "view": "PA",
        "laterality": "L",
        "patient_orientation": "L\\F",
        "rows": 36,
        "columns": 44,
        "bits_stored": 12,
        "photometric_interpretation": "MONOCHROME1",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.1",
        "sop_instance_uid": str(header.SOPInstanceUID),
    }


@pytest.mark.parametrize(
    ("key", "keyword"),
    [
        ("modality", "Modality"),
        ("body_part", "BodyPartExamined"),
        ("view", "ViewPosition"),
        ("laterality", "Laterality"),
        ("photometric_interpretation", "PhotometricInterpretation"),
        ("sop_instance_uid", "SOPInstanceUID"),
        ("rows", "Rows"),
    ],
)
def test_a_fact_that_is_none_of_the_terms_is_left_out(tmp_path: Path, key: str, keyword: str) -> None:
    header = read_header(make_dicom(tmp_path / "a.dcm", picture()))
    header[keyword]._value = PLANTED
    assert key not in metadata_of(header)


@pytest.mark.parametrize(
    "keyword",
    [
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientComments",
        "InstitutionName",
        "OperatorsName",
        "StudyDescription",
        "StudyDate",
        "Manufacturer",
        "Modality",
        "BodyPartExamined",
        "ViewPosition",
        "ImageType",
        "SpecificCharacterSet",
        "SOPInstanceUID",
        "SOPClassUID",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "PixelSpacingCalibrationType",
        "EstimatedRadiographicMagnificationFactor",
        "PresentationLUTShape",
        "RescaleSlope",
        "RescaleType",
        "PhotometricInterpretation",
        "InstanceNumber",
        "KVP",
    ],
)
def test_a_name_planted_in_a_tag_is_found_nowhere(tmp_path: Path, keyword: str, caplog: Any, capfd: Any) -> None:
    tag, vr = Tag(keyword), dictionary_VR(keyword)
    path = make_dicom(
        tmp_path / "a.dcm", picture(), **{"ImagerPixelSpacing": [0.1, 0.1], keyword: PLACEHOLDERS.get(vr, "a")}
    )
    data = path.read_bytes()
    at = data.index(struct.pack("<HH", tag.group, tag.element) + vr.encode()) + 6
    rest = at + 2 + struct.unpack_from("<H", data, at)[0]
    path.write_bytes(data[:at] + struct.pack("<H", len(PLANTED)) + PLANTED.encode() + data[rest:])
    caplog.set_level(logging.DEBUG)
    capfd.readouterr()
    said = ""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = read_radiograph(path)
            said += json.dumps(found.metadata) + found.spacing_source + repr(found)
            assert found.pixels.min() >= 0  # the picture's, whatever the tags say
        except DicomError as error:
            said += str(error) + "".join(traceback.format_exception(error))
        read_header(path)
    said += "".join(str(warning.message) for warning in warned) + caplog.text + "".join(capfd.readouterr())
    assert "Quixq" not in said
    assert "Jane" not in said
