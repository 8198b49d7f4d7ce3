# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What lies in the frame and is not of the patient: padding, and bits beyond those stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import make_dicom, picture
from pydicom import uid

from monai_gu2net.dicom import DicomError, Limits
from monai_gu2net.dicom.header import read_image
from monai_gu2net.dicom.pixels import read_pixels


def read(path: Path) -> np.ndarray:
    return read_pixels(read_image(path, limits=Limits()), name=path.name, limits=Limits(), frame=None, colour=False)


def padded(inner: np.ndarray, value: int) -> np.ndarray:
    return np.pad(inner.astype(np.int64), 5, constant_values=value)


PICTURE = picture().astype(np.int64)  # 508 to 4095


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless]
)
@pytest.mark.parametrize(
    ("low", "bits", "signed", "value", "tag"),
    [
        (0, 12, False, 0, 0),
        (0, 12, False, 4095, 4095),
        (0, 16, False, 65535, 65535),
        (-2048, 16, True, -32768, -32768),
        (-2048, 16, True, -2000, -2000),
        (-2048, 12, True, -2048, -2048),
        (0, 12, False, 32768, 32768),  # beyond the bits stored
        (-2048, 12, True, -32768, -32768),
    ],
)
def test_a_padded_border_is_read_as_the_darkest_pixel_of_the_patient(
    tmp_path: Path, syntax: uid.UID, low: int, bits: int, signed: bool, value: int, tag: int
) -> None:
    inner = np.clip(PICTURE + low, None, 4000 + low)
    path = make_dicom(
        tmp_path / "a.dcm",
        padded(inner, value),
        bits_stored=bits,
        signed=signed,
        transfer_syntax=syntax,
        PixelPaddingValue=tag,
    )
    np.testing.assert_array_equal(read(path), padded(inner, inner.min()).T)


@pytest.mark.parametrize("tags", [{"photometric": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}], ids=str)
def test_padding_is_black_after_polarity_and_modality_lut(tmp_path: Path, tags: dict[str, Any]) -> None:
    inner = np.clip(PICTURE, None, 4000)
    path = make_dicom(
        tmp_path / "a.dcm",
        padded(inner, 4095),
        PixelPaddingValue=4095,
        RescaleSlope="2",
        RescaleIntercept="-7",
        **tags,
    )
    # 95 is the darkest of 4095 - inner
    np.testing.assert_array_equal(read(path), 2.0 * padded(4095 - inner, 95).T - 7)


def test_a_border_of_minus_32768_normalises_as_the_same_border_in_black(tmp_path: Path) -> None:
    inner = PICTURE - 2048
    odd = read(
        make_dicom(tmp_path / "odd.dcm", padded(inner, -32768), bits_stored=16, signed=True, PixelPaddingValue=-32768)
    )
    black = read(make_dicom(tmp_path / "black.dcm", padded(inner, inner.min()), bits_stored=16, signed=True))
    assert (odd.mean(), odd.std()) == (black.mean(), black.std())


@pytest.mark.parametrize(("value", "limit"), [(0, 20), (20, 0)])
def test_the_range_limit_may_lie_above_or_below_the_value(tmp_path: Path, value: int, limit: int) -> None:
    stored = padded(PICTURE, 0)
    stored[0], stored[1], stored[2] = 20, 13, 21
    path = make_dicom(tmp_path / "a.dcm", stored, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
    expected = stored.copy()
    expected[stored <= 20] = 21
    np.testing.assert_array_equal(read(path), expected.T)


def test_a_range_from_beyond_the_bits_stored_is_padding_too(tmp_path: Path) -> None:
    stored = padded(PICTURE - 2048, -32768)
    stored[0], stored[1] = -2000, -1541
    path = make_dicom(tmp_path / "a.dcm", stored, signed=True, PixelPaddingValue=-32768, PixelPaddingRangeLimit=-2000)
    expected = np.maximum(stored, -1541)
    np.testing.assert_array_equal(read(path), expected.T)


def test_a_range_limit_alone_is_no_padding(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", PICTURE, PixelPaddingRangeLimit=4000)
    np.testing.assert_array_equal(read(path), PICTURE.T)


@pytest.mark.parametrize("tag", [7, 65535, 5000])
def test_a_padding_value_that_does_not_occur_changes_nothing(tmp_path: Path, tag: int) -> None:
    path = make_dicom(tmp_path / "a.dcm", PICTURE, PixelPaddingValue=tag)
    np.testing.assert_array_equal(read(path), PICTURE.T)


@pytest.mark.parametrize(
    ("vr", "data"),
    [
        ("US", b"\x30\xf8"),
        ("SS", b"\x30\xf8"),
        ("OW", b"\x30\xf8"),
        ("UN", b"\x30\xf8"),
        ("IS", b"-2000 "),
        ("DS", b"-2e3"),
    ],
)
def test_padding_is_understood_whatever_type_it_is_written_in(tmp_path: Path, vr: str, data: bytes) -> None:
    inner = PICTURE - 1500
    path = make_dicom(tmp_path / "a.dcm", padded(inner, -2000), bits_stored=16, signed=True, PixelPaddingValue=0x1234)
    content = path.read_bytes()
    head = b"\x28\x00\x20\x01"
    at = content.index(head)
    length = len(data).to_bytes(2, "little") if vr not in ("OW", "UN") else b"\0\0" + len(data).to_bytes(4, "little")
    path.write_bytes(content[:at] + head + vr.encode() + length + data + content[at + 10 :])
    np.testing.assert_array_equal(read(path), padded(inner, inner.min()).T)


def test_padding_of_an_unsigned_image_may_be_written_signed(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", padded(PICTURE, 65535), bits_stored=16)
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00")
    path.write_bytes(content[:at] + b"\x28\x00\x20\x01SS\x02\x00\xff\xff" + content[at:])  # -1
    np.testing.assert_array_equal(read(path), padded(PICTURE, 508).T)


@pytest.mark.parametrize("signed", [False, True])
def test_padding_of_eight_bits(tmp_path: Path, signed: bool) -> None:
    inner = (PICTURE // 32) - (100 if signed else 0)
    value = -128 if signed else 255
    path = make_dicom(tmp_path / "a.dcm", padded(inner, value), bits_stored=8, signed=signed, PixelPaddingValue=value)
    np.testing.assert_array_equal(read(path), padded(inner, inner.min()).T)


def test_an_image_of_padding_alone_is_refused(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", np.full((9, 8), 7), PixelPaddingValue=7)
    with pytest.raises(DicomError, match=r"^a\.dcm: a radiograph must have pixels that are not padding; it has none"):
        read(path)


def test_padding_that_is_no_number_is_refused(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", PICTURE, PixelPaddingValue=[1, 2])
    with pytest.raises(DicomError, match=r"^a\.dcm: PixelPaddingValue must be one whole number; it is not"):
        read(path)


# ----------------------------------------------------------------------------------- bits beyond those stored


def with_overlay(stored: np.ndarray, *, bits: int, signed: bool) -> np.ndarray:
    """Stored values with a stripe in the bits beyond, as old files keep overlays; (H, W) uint16."""
    cells = stored & (2**bits - 1)
    cells[5:9] |= 0xFFFF & ~(2**bits - 1)
    cells[:, ::3] |= 2**bits
    assert signed or (cells & (2**bits - 1) == stored).all()
    return cells.astype(np.uint16)


@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless]
)
@pytest.mark.parametrize(("bits", "signed"), [(12, False), (10, False), (12, True), (15, True)])
def test_bits_beyond_those_stored_are_masked(tmp_path: Path, syntax: uid.UID, bits: int, signed: bool) -> None:
    stored = (PICTURE >> (12 - min(bits, 12))) - (2 ** (bits - 1) if signed else 0)
    clean = make_dicom(tmp_path / "clean.dcm", stored, bits_stored=bits, signed=signed, transfer_syntax=syntax)
    cells = with_overlay(stored, bits=bits, signed=signed).view(np.int16 if signed else np.uint16)
    path = make_dicom(tmp_path / "a.dcm", cells, bits_stored=bits, signed=signed, transfer_syntax=syntax)
    np.testing.assert_array_equal(read(path), stored.T)
    np.testing.assert_array_equal(read(path), read(clean))
