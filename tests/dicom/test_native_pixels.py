# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels that are not compressed, which pydicom 2.4, beside MONAI Label, and pydicom 3 decode in ways of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import make_dicom
from pydicom import uid

from monai_gu2net.dicom import Limits
from monai_gu2net.dicom.header import read_image
from monai_gu2net.dicom.pixels import read_pixels

NATIVE = [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian]
LUMINANCE = [0.299, 0.587, 0.114]


def read(path: Path, *, frame: int | None = None) -> np.ndarray:
    image = read_image(path, limits=Limits())
    return read_pixels(image, name=path.name, limits=Limits(), frame=frame, colour=True)


@pytest.mark.parametrize(
    ("syntax", "bits"),
    [(syntax, bits) for syntax in NATIVE for bits in (7, 8, 10, 16, 20, 32)]
    + [(uid.RLELossless, bits) for bits in (7, 8, 10, 16)],
)
@pytest.mark.parametrize("signed", [False, True])
def test_whole_numbers_of_every_size(
    tmp_path: Path, rng: np.random.Generator, syntax: uid.UID, bits: int, signed: bool
) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    stored = rng.integers(low, low + 2**bits, (7, 9))  # an odd number of pixels
    path = make_dicom(tmp_path / "a.dcm", stored, bits_stored=bits, signed=signed, transfer_syntax=syntax)
    np.testing.assert_array_equal(read(path), stored.T.astype(np.float32))


@pytest.mark.parametrize("syntax", [*NATIVE, uid.RLELossless], ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("bits", [8, 12])
def test_each_of_three_frames(tmp_path: Path, rng: np.random.Generator, syntax: uid.UID, bits: int) -> None:
    frames = rng.integers(0, 2**bits, (3, 6, 8))
    path = make_dicom(tmp_path / "a.dcm", frames, bits_stored=bits, transfer_syntax=syntax)
    for index in range(3):
        np.testing.assert_array_equal(read(path, frame=index), frames[index].T)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("bits", [7, 8])
def test_colour_by_pixel_and_by_plane(tmp_path: Path, rng: np.random.Generator, planar: int, bits: int) -> None:
    rgb = rng.integers(0, 2**bits, (8, 10, 3)).astype(np.uint8)
    cells = rgb | (0x80 if bits == 7 else 0)
    data: Any = np.moveaxis(cells, -1, 0) if planar else cells
    path = make_dicom(
        tmp_path / "a.dcm",
        rgb,
        photometric="RGB",
        bits_stored=bits,
        PlanarConfiguration=planar,
        PixelData=data.tobytes(),
    )
    np.testing.assert_allclose(read(path), (rgb @ LUMINANCE).T, atol=1e-4)


@pytest.mark.parametrize("syntax", [*NATIVE, uid.RLELossless], ids=lambda syntax: syntax.keyword)
def test_the_luminance_of_ybr_full(tmp_path: Path, rng: np.random.Generator, syntax: uid.UID) -> None:
    """By PS3.3, C.7.6.3.1.2: R = Y + 1.402 (Cr - 128) and so on; rounding to RGB moves it by less than one."""
    ybr = np.concatenate([rng.integers(60, 200, (8, 10, 1)), rng.integers(110, 146, (8, 10, 2))], axis=-1)
    path = make_dicom(tmp_path / "a.dcm", ybr, photometric="YBR_FULL", bits_stored=8, transfer_syntax=syntax)
    np.testing.assert_allclose(read(path), ybr[..., 0].T, atol=1)
