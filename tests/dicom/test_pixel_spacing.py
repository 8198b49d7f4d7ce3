# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import make_dicom, picture
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from monai_gu2net.dicom import read_header
from monai_gu2net.dicom.guarded_parsing import parse
from monai_gu2net.dicom.pixel_spacing import Spacing, spacing_of

IMAGER = {"ImagerPixelSpacing": [0.143, 0.143]}
FACTOR = "EstimatedRadiographicMagnificationFactor"


def of(folder: Path, **tags: Any) -> Spacing:
    return spacing_of(read_header(make_dicom(folder / "a.dcm", picture(), **tags)))


@pytest.mark.parametrize(
    ("tags", "mm", "source"),
    [
        (IMAGER, (0.143, 0.143), "detector"),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, (0.2, 0.1), "detector"),
        ({"PixelSpacing": [0.1, 0.2]}, (0.2, 0.1), "unknown"),
        (
            IMAGER | {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.1, 0.1),
            "calibrated:FIDUCIAL",
        ),
        ({"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "GEOMETRY"}, (0.1, 0.1), "calibrated:GEOMETRY"),
        (
            {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": b"DOE^JANE"},
            (0.1, 0.1),
            "calibrated:UNSPECIFIED",
        ),
        ({"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": b""}, (0.1, 0.1), "unknown"),
        (
            IMAGER | {"PixelSpacing": [0.143, 0.143], "PixelSpacingCalibrationType": b"  "},
            (0.143, 0.143),
            "detector",
        ),
        (IMAGER | {"PixelSpacing": [0.1, 0.1]}, (0.1, 0.1), "calibrated:UNSPECIFIED"),
        (IMAGER | {"PixelSpacing": [0.143, 0.143]}, (0.143, 0.143), "detector"),
        (IMAGER | {FACTOR: "1.2"}, (0.143 / 1.2, 0.143 / 1.2), "detector/ERMF"),
        (IMAGER | {FACTOR: "1"}, (0.143, 0.143), "detector/ERMF"),
        ({"NominalScannedPixelSpacing": [0.1, 0.2]}, (0.2, 0.1), "scanned-film"),
        (IMAGER | {"NominalScannedPixelSpacing": [0.1, 0.2]}, (0.143, 0.143), "detector"),
        ({}, None, "none"),
    ],
)
def test_spacing_and_its_source_follow_the_tags(
    tmp_path: Path, tags: dict[str, Any], mm: tuple[float, float] | None, source: str
) -> None:
    found = of(tmp_path, **tags)
    assert found.source == source
    assert found.mm == (None if mm is None else pytest.approx(mm, rel=1e-12))
    assert found.problem == ""


def test_a_magnification_of_1_2_makes_a_pixel_of_0_143_mm_one_of_0_11917() -> None:
    assert round(0.143 / 1.2, 5) == 0.11917


@pytest.mark.parametrize(
    "value", [b"0\\0", b"-0.1\\0.1", b"nan\\nan", b"inf\\inf", b"abc", b"a\\b", b"0.1", b"1\\2\\3"]
)
@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_an_invalid_tag_gives_no_spacing_and_one_reason(tmp_path: Path, keyword: str, value: bytes) -> None:
    found = of(tmp_path, **{keyword: value})
    assert found == (None, "none", f"{keyword} must be two positive numbers")


def test_a_calibration_type_of_none_is_as_one_that_is_absent() -> None:
    header = Dataset()
    header.PixelSpacing = header.ImagerPixelSpacing = [0.143, 0.143]
    header.PixelSpacingCalibrationType = None
    assert spacing_of(header) == ((0.143, 0.143), "detector", "")


def test_an_invalid_pixel_spacing_is_not_made_up_for_by_that_of_the_detector(tmp_path: Path) -> None:
    assert of(tmp_path, PixelSpacing=b"0\\0", **IMAGER).mm is None


def test_an_invalid_detector_spacing_leaves_the_source_of_the_other_unknown(tmp_path: Path) -> None:
    found = of(tmp_path, PixelSpacing=[0.1, 0.1], ImagerPixelSpacing=b"0\\0")
    assert found == ((0.1, 0.1), "unknown", "ImagerPixelSpacing must be two positive numbers")


@pytest.mark.parametrize("factor", [b"0.9", b"0", b"-1.2", b"nan", b"abc", b"1.1\\1.2", b"1000"])
def test_a_magnification_below_1_is_not_used(tmp_path: Path, factor: bytes) -> None:
    found = of(tmp_path, **IMAGER, **{FACTOR: factor})
    assert found == ((0.143, 0.143), "detector", f"{FACTOR} must be 1 to 20")


NUMBERS = st.floats(-10, 1000, allow_nan=False).map(lambda number: f"{number:.6g}")
VALUES = st.one_of(
    st.none(),
    st.lists(st.one_of(NUMBERS, st.sampled_from(["", "nan", "-inf", "1e999", "0x10", "1_0"])), max_size=3).map(
        lambda parts: "\\".join(parts).encode()
    ),
    st.binary(max_size=16),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spacing")


@pytest.mark.filterwarnings("error")  # else pydicom decodes what it writes, and cannot encode that again
@given(pixel=VALUES, imager=VALUES, scanned=VALUES, factor=VALUES)
def test_whatever_the_tags_hold_spacing_is_positive_or_none(
    folder: Path, pixel: bytes | None, imager: bytes | None, scanned: bytes | None, factor: bytes | None
) -> None:
    tags = {"PixelSpacing": pixel, "ImagerPixelSpacing": imager, "NominalScannedPixelSpacing": scanned, FACTOR: factor}
    path = make_dicom(folder / "a.dcm", np.zeros((2, 2), int), **tags)
    mm, source, _ = spacing_of(parse(path.read_bytes(), name=path.name)[0])
    if mm is None:
        assert source == "none"
    else:
        assert all(math.isfinite(size) and size > 0 for size in mm)
        assert source in {"unknown", "detector", "detector/ERMF", "scanned-film", "calibrated:UNSPECIFIED"}
