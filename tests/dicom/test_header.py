# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from dicom_files import make_dicom, picture
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid

from monai_gu2net.dicom import DicomError, Limits, is_dicom, read_header
from monai_gu2net.dicom.guarded_parsing import parse
from monai_gu2net.dicom.metadata import metadata_of
from monai_gu2net.dicom.pixel_spacing import spacing_of

SEQUENCE = b"\x08\x00\x40\x11SQ\0\0"  # ReferencedImageSequence, explicit VR, without its length
ITEM = b"\xfe\xff\x00\xe0"
FOR_EVER = b"\xff\xff\xff\xff"


def before_pixels(path: Path, extra: bytes) -> Path:
    """The file with some bytes before its pixel data."""
    data = path.read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00")
    path.write_bytes(data[:at] + extra + data[at:])
    return path


def test_the_header_is_that_which_pydicom_reads(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), ImagerPixelSpacing=[0.1, 0.2])
    header, expected = read_header(path), pydicom.dcmread(path)
    left_out = set(expected.keys()) - set(header.keys())
    assert {pydicom.datadict.keyword_for_tag(tag) for tag in left_out if expected[tag].value} == {"PixelData"}
    assert all(header[tag] == expected[tag] for tag in header.keys())  # noqa: SIM118 - a dataset iterates elements
    assert header.file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian


def test_private_elements_are_left_out(tmp_path: Path) -> None:
    path = before_pixels(make_dicom(tmp_path / "a.dcm", picture()), b"\x09\x01\x10\x00LO\x04\x00name")
    assert (0x0109, 0x0010) in pydicom.dcmread(path)
    assert (0x0109, 0x0010) not in read_header(path)


def test_a_value_that_cannot_be_decoded_is_empty(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture())
    header = read_header(before_pixels(path, b"\x18\x00\x28\x60FD\x04\x00abc "))  # FD is of 8 bytes a value
    assert "ReferencePixelPhysicalValueX" in header
    assert header.ReferencePixelPhysicalValueX is None


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.dcm", b"", True),
        ("a.DICOM", b"", True),
        ("IM0001", bytes(128) + b"DICM", True),
        ("IM0001", bytes(132), False),
        ("a.png", b"\x89PNG", False),
    ],
)
def test_dicom_is_known_by_its_mark_or_ending(tmp_path: Path, name: str, content: bytes, expected: bool) -> None:
    (tmp_path / name).write_bytes(content)
    assert is_dicom(tmp_path / name) is expected


def test_a_folder_or_a_missing_file_is_no_dicom(tmp_path: Path) -> None:
    assert not is_dicom(tmp_path)
    assert not is_dicom(tmp_path / "missing")


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_a_file_without_preamble_and_meta_information_is_read(tmp_path: Path, syntax: uid.UID) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture(), transfer_syntax=syntax)
    data = path.read_bytes()
    length = struct.unpack_from("<I", data, 140)[0]
    path.write_bytes(data[144 + length :])
    header = read_header(path)
    assert (header.Rows, header.Columns) == picture().shape
    assert header.file_meta.TransferSyntaxUID == syntax


def twenty_thousand_open_sequences(path: Path) -> None:
    before_pixels(path, (SEQUENCE + FOR_EVER + ITEM + FOR_EVER) * 20_000)


def eighteen_closed_sequences(path: Path) -> None:
    nested = b""
    for _ in range(18):
        nested = ITEM + struct.pack("<I", len(nested)) + nested
        nested = SEQUENCE + struct.pack("<I", len(nested)) + nested
    before_pixels(path, nested)


def too_many_items(path: Path) -> None:
    before_pixels(path, SEQUENCE + struct.pack("<I", 8 * 150_001) + (ITEM + bytes(4)) * 150_001)


def too_many_values(path: Path) -> None:
    value = b"1\\" * 150_001
    before_pixels(path, b"\x18\x00\x64\x11UC\0\0" + struct.pack("<I", len(value)) + value)


def a_long_header(path: Path) -> None:
    before_pixels(path, b"\x18\x00\x64\x11OB\0\0" + struct.pack("<I", 2**24) + bytes(2**24))


def deflated(path: Path) -> None:
    path.unlink()
    make_dicom(path, picture())
    data = path.read_bytes()
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    packer = zlib.compressobj(wbits=-15)
    meta = data[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    bomb = packer.compress(bytes(50 * 2**20)) + packer.flush()
    path.write_bytes(meta.replace(b"UI\x14\x001.2.840.10008.1.2.1.99", b"UI\x16\x001.2.840.10008.1.2.1.99") + bomb)


def words(path: Path) -> None:
    path.write_text("These are words.")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (twenty_thousand_open_sequences, "at most 16 levels of sequences"),
        (eighteen_closed_sequences, "at most 16 levels of sequences"),
        (too_many_items, "at most 150000 elements and items"),
        (too_many_values, "at most 150000 elements and items"),
        (a_long_header, "a header must be at most 16777216 bytes"),
        (deflated, "must not be deflated"),
        (words, "must have 'DICM' at byte 128"),
        (empty, "must have 'DICM' at byte 128"),
        (folder, "must be a regular file"),
    ],
)
def test_a_hostile_header_is_refused_by_the_name_of_its_file(
    tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    path = make_dicom(tmp_path / "bad.dcm", picture())
    spoil(path)
    with pytest.raises(DicomError, match=rf"^bad\.dcm.*{reason}") as caught:
        read_header(path)
    assert str(tmp_path) not in str(caught.value)


def test_sixteen_levels_of_sequences_are_read(tmp_path: Path) -> None:
    nested = b"\x08\x00\x50\x11UI\x02\x001\0"  # an item without elements would be none
    for _ in range(16):
        nested = ITEM + struct.pack("<I", len(nested)) + nested
        nested = SEQUENCE + struct.pack("<I", len(nested)) + nested
    level = read_header(before_pixels(make_dicom(tmp_path / "a.dcm", picture()), nested))
    for _ in range(15):
        level = level.ReferencedImageSequence[0]
    assert level.ReferencedImageSequence[0].ReferencedSOPClassUID == "1"


@pytest.mark.parametrize("undefined", [False, True])
def test_a_header_of_half_a_megabyte_is_read_to_its_end(tmp_path: Path, undefined: bool) -> None:
    value = bytes(2**19)
    if undefined:
        extra = b"\x18\x00\x64\x11OB\0\0" + FOR_EVER + ITEM + struct.pack("<I", len(value)) + value
        extra += b"\xfe\xff\xdd\xe0" + bytes(4)
    else:
        extra = b"\x18\x00\x64\x11OB\0\0" + struct.pack("<I", len(value)) + value
    path = before_pixels(make_dicom(tmp_path / "a.dcm", picture()), extra + b"\x28\x00\x06\x01US\x02\x00\x07\x00")
    header = read_header(path)
    assert (0x0018, 0x1164) in header
    assert header.SmallestImagePixelValue == 7


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", picture())
    with pytest.raises(DicomError, match=r"^a\.dcm: a file must be at most 1000 bytes; got \d+"):
        read_header(path, limits=Limits(file_bytes=1000))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    with pytest.raises(DicomError, match=r"^pipe\.dcm must be a regular file"):
        read_header(tmp_path / "pipe.dcm")


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^a\.dcm must be a file; it is not there"):
        read_header(tmp_path / "a.dcm")


def test_limits_are_positive() -> None:
    with pytest.raises(ValueError, match="seconds must be positive; got 0"):
        Limits(seconds=0)


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A header with a sequence in it, and few pixels."""
    path = make_dicom(tmp_path_factory.mktemp("small") / "a.dcm", picture()[:4, :4], PixelSpacing=[0.1, 0.2])
    return before_pixels(path, SEQUENCE + FOR_EVER + ITEM + FOR_EVER + b"\x08\x00\x50\x11UI\x02\x001\0").read_bytes()


@given(changes=st.lists(st.tuples(st.integers(128, 1300), st.binary(min_size=1, max_size=6)), min_size=1, max_size=6))
def test_a_header_with_any_bytes_changed_is_read_or_refused(
    small_file: bytes, changes: list[tuple[int, bytes]]
) -> None:
    data = bytearray(small_file)
    for position, change in changes:
        data[position : position + len(change)] = change
    try:
        header, _ = parse(bytes(data), name="fuzzed.dcm")
    except DicomError as error:
        assert str(error).startswith("fuzzed.dcm: ")  # noqa: PT017 - both outcomes are right
    else:
        mm, source, _ = spacing_of(header)
        assert (mm is None) == (source == "none")
        assert set(metadata_of(header)) <= KEYS


KEYS = {
    "modality",
    "body_part",
    "view",
    "laterality",
    "patient_orientation",
    "rows",
    "columns",
    "bits_stored",
    "photometric_interpretation",
    "transfer_syntax",
    "sop_class_uid",
    "sop_instance_uid",
}
