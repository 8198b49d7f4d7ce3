# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Empty means absent, for every tag that the package reads: anonymisation empties tags as often as it removes them."""

from __future__ import annotations

import ast
import struct
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import make_dicom, picture
from pydicom import uid
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.tag import Tag

import monai_gu2net
from monai_gu2net.data.dicom_entries import read_entries
from monai_gu2net.data.reader import radiograph_size
from monai_gu2net.dicom import DicomError, Limits, read_header, read_radiograph
from monai_gu2net.dicom.header import read_image
from monai_gu2net.dicom.pixel_spacing import spacing_of

TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
LONG = ("OB", "OW", "SQ", "UC", "UN", "UR", "UT")


def keywords_read() -> list[str]:
    """Every DICOM keyword in the package's code, as text or as an attribute, but for those of written content alone."""
    found: set[str] = set()
    for path in Path(monai_gu2net.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = node.value if isinstance(node, ast.Constant) else getattr(node, "attr", None)
            if isinstance(name, str) and name[:1].isupper() and tag_for_keyword(name) is not None:
                found.add(name)
    return sorted(name for name in found if (tag_for_keyword(name) or 0) >> 16 not in (0, 2, 0x7FE0))


KEYWORDS = keywords_read()
REQUIRED = {
    "Rows": "Rows must be a whole number from 1 to 65535",
    "Columns": "Columns must be a whole number",
    "BitsAllocated": "BitsAllocated must be a whole number",
    "BitsStored": "BitsStored must be a whole number",
    "PixelRepresentation": "PixelRepresentation must be a whole number",
    "PhotometricInterpretation": "PhotometricInterpretation must be one of the standard's",
}


def test_the_tags_that_matter_are_among_those_found() -> None:
    known = {*REQUIRED, "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "PixelPaddingValue", "PixelSpacing"}
    known |= {"ImagerPixelSpacing", "PatientID", "WindowCenter", "SOPInstanceUID", "PatientOrientation", "ViewPosition"}
    assert known <= set(KEYWORDS)
    assert len(KEYWORDS) > 100


@lru_cache
def lut() -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 16])
    item.add_new("LUTData", "US", list(range(0, 8192, 2)))
    item.ModalityLUTType = "US"
    return item


def image(path: Path) -> Path:
    """An image with a value in each tag that changes how it is read, in Explicit VR Little Endian."""
    return make_dicom(
        path,
        picture(),
        photometric="MONOCHROME1",
        NumberOfFrames=1,
        RescaleSlope="2",
        RescaleIntercept="-3",
        PresentationLUTShape="INVERSE",
        PixelPaddingValue=508,
        PixelPaddingRangeLimit=600,
        PixelSpacing=[0.1, 0.2],
        PixelSpacingCalibrationType="GEOMETRY",
        ImagerPixelSpacing=[0.15, 0.25],
        EstimatedRadiographicMagnificationFactor="1.1",
        NominalScannedPixelSpacing=[0.3, 0.3],
        WindowCenter="2000",
        WindowWidth="1000",
        VOILUTFunction="LINEAR_EXACT",
        IssuerOfPatientID="here",
        ImageLaterality="R",
    )


def elements(path: Path) -> tuple[bytes, dict[Tag, bytes], bytes]:
    """What comes before the dataset, its elements, and from the pixel data on."""
    data = path.read_bytes()
    position = 144 + struct.unpack_from("<I", data, 140)[0]
    head, found = data[:position], {}
    while data[position : position + 2] != b"\xe0\x7f":
        tag, vr = Tag(*struct.unpack_from("<HH", data, position)), data[position + 4 : position + 6].decode()
        where, size, form = (12, 8, "<I") if vr in LONG else (8, 6, "<H")
        length = where + struct.unpack_from(form, data, position + size)[0]
        found[tag] = data[position : position + length]
        position += length
    return head, found, data[position:]


def element(tag: Tag, vr: str, value: bytes) -> bytes:
    head = struct.pack("<HH", tag.group, tag.element) + vr.encode()
    return head + (b"\0\0" + struct.pack("<I", len(value)) if vr in LONG else struct.pack("<H", len(value))) + value


def written(path: Path, of: Path, tag: Tag, replacement: bytes | None) -> Path:
    """A copy of an image with one element in another form, or without it."""
    head, found, tail = elements(of)
    found.pop(tag, None)
    if replacement is not None:
        found[tag] = replacement
    path.write_bytes(head + b"".join(found[each] for each in sorted(found)) + tail)
    return path


def outcome(path: Path) -> dict[str, Any]:
    """All that the package says of a file."""
    said: dict[str, Any] = {"header": read_header(path), "entry": read_entries([path])}
    said["spacing"] = spacing_of(said["header"])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for name, get in (
            ("radiograph", lambda: vars(read_radiograph(path))),
            ("size", lambda: radiograph_size(path)),
        ):
            try:
                said[name] = get()
            except ValueError as error:
                said[name] = str(error)
    said["warned"] = [str(warning.message) for warning in warned]
    return said


def empty_forms(keyword: str) -> list[bytes]:
    """Values that hold nothing."""
    vr = dictionary_VR(keyword)[:2]
    if vr in TEXT:
        return [b"", b"  ", b"\0\0", b" \0", b"\\ "]
    if vr == "SQ":
        return [b"", b"\xfe\xff\x00\xe0\0\0\0\0", b"\xfe\xff\x00\xe0" + b"\xff" * 4 + b"\xfe\xff\x0d\xe0" + bytes(4)]
    return [b""]


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_file_with_an_empty_tag_is_read_as_without_it(tmp_path: Path, keyword: str) -> None:
    of, tag = image(tmp_path / "of.dcm"), Tag(keyword)
    vr = dictionary_VR(keyword)[:2]
    without = outcome(written(tmp_path / "a.dcm", of, tag, None))
    pixels = without["radiograph"].pop("pixels") if isinstance(without["radiograph"], dict) else None
    assert (keyword in REQUIRED) is isinstance(without["radiograph"], str)
    if keyword in REQUIRED:
        assert without["radiograph"].startswith(f"a.dcm: {REQUIRED[keyword]}")
    for value in empty_forms(keyword):
        found = outcome(written(tmp_path / "a.dcm", of, tag, element(tag, vr, value)))
        if pixels is not None:
            np.testing.assert_array_equal(found["radiograph"].pop("pixels"), pixels)
        assert found.keys() == without.keys()
        for what, expected in without.items():
            np.testing.assert_equal(found[what], expected)


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_a_zero_length_is_absent_in_every_native_syntax(tmp_path: Path, syntax: uid.UID) -> None:
    empty = {"RescaleSlope": b"", "RescaleIntercept": b"", "PixelSpacing": b"", "PresentationLUTShape": b""}
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=syntax, **empty)
    assert not set(empty) & {each.keyword for each in read_image(path, limits=Limits())}
    np.testing.assert_array_equal(read_radiograph(path).pixels, picture().T)


def test_a_lut_is_absent_where_its_items_hold_nothing_but_empty_elements(tmp_path: Path) -> None:
    hollow = Dataset()
    hollow.add_new("LUTExplanation", "LO", "")
    hollow.add_new("ModalityLUTType", "LO", "  ")
    path = make_dicom(tmp_path / "a.dcm", picture(), ModalityLUTSequence=[hollow], RescaleSlope="2")
    np.testing.assert_array_equal(read_radiograph(path).pixels, 2.0 * picture().T)
    path = make_dicom(tmp_path / "b.dcm", picture(), ModalityLUTSequence=[hollow, lut()])
    np.testing.assert_array_equal(read_radiograph(path).pixels, 2.0 * picture().T)


@pytest.mark.parametrize(
    ("tags", "key", "expected"),
    [
        ({"Modality": b"CR\0\0"}, "modality", "CR"),
        ({"BodyPartExamined": b"CHEST\0"}, "body_part", "CHEST"),
        ({"BodyPartExamined": b" CHEST  "}, "body_part", "CHEST"),
        ({"SOPInstanceUID": b"1.2.3\0\0\0"}, "sop_instance_uid", "1.2.3"),
    ],
)
def test_padding_is_no_part_of_a_value(tmp_path: Path, tags: dict[str, bytes], key: str, expected: str) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), **tags)
    assert read_radiograph(path).metadata[key] == expected


def test_padding_is_no_part_of_a_number(tmp_path: Path) -> None:
    tags = {"RescaleSlope": b"2\0\0\0", "RescaleIntercept": b" -3\0", "ImagerPixelSpacing": b"0.1\0\\0.2\0"}
    found = read_radiograph(make_dicom(tmp_path / "a.dcm", picture(), **tags))
    np.testing.assert_array_equal(found.pixels, 2.0 * picture().T - 3)
    assert (found.spacing, found.spacing_source) == ((0.2, 0.1), "detector")


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("Rows", [36, 36], "Rows must be a whole number"),
        ("BitsStored", [12, 12], "BitsStored must be a whole number"),
        ("RescaleSlope", b"1\\2", "RescaleSlope must be one finite number"),
        ("RescaleIntercept", b"0\\0", "RescaleIntercept must be one finite number"),
        ("PhotometricInterpretation", b"MONOCHROME1\\MONOCHROME2", "PhotometricInterpretation must be one of"),
        ("NumberOfFrames", b"1\\1", "NumberOfFrames must be a whole number"),
    ],
)
def test_several_values_where_one_counts_are_refused(tmp_path: Path, keyword: str, value: Any, reason: str) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), **{keyword: value})
    with pytest.raises(DicomError, match=rf"^a\.dcm: {reason}"):
        read_radiograph(path)


def test_one_value_where_two_count_is_a_spacing_that_cannot_be_used(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), ImagerPixelSpacing=b"0.1", PixelSpacing=b"")
    with pytest.warns(UserWarning, match=r"^a\.dcm: ImagerPixelSpacing must be two positive numbers; it has no"):
        assert read_radiograph(path).spacing is None
