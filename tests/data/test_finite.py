# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""No reader lets a value through that nothing can be computed of."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from picture_files import tiff

from monai_gu2net.data import Domain, RadiographReader
from monai_gu2net.transforms import LoadRadiographd, RadiographPreprocessing

# ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
pytestmark = pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")


def write_nifti(path: Path, values: np.ndarray) -> None:
    nib.Nifti1Image(values.T, np.diag([0.5, 0.5, 1, 1])).to_filename(path)


def write_itk(path: Path, values: np.ndarray) -> None:
    itk.imwrite(itk.image_from_array(values), str(path))


def write_tiff(path: Path, values: np.ndarray) -> None:
    path.write_bytes(tiff([(values.astype(np.float32), {262: 1, 339: 3})], bits=32))


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "x.tif": write_tiff,
    "x.nii": write_nifti,
    "x.nii.gz": write_nifti,
    "x.nrrd": write_itk,
    "x.mha": write_itk,
}


def read(path: Path) -> np.ndarray:
    reader = RadiographReader()
    return reader.get_data(reader.read(path))[0]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -3.4028235e38])
def test_pixels_that_are_not_finite_are_refused_by_every_reader(tmp_path: Path, name: str, bad: float) -> None:
    values = np.arange(48, dtype=np.float32).reshape(6, 8)
    values[2, 3] = values[4, 5] = bad
    WRITERS[name](tmp_path / name, values)
    message = rf"^{name} must have finite pixels .*; got 2 of 48 that are NaN, infinite or larger\. Replace them"
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        LoadRadiographd()({"image": str(tmp_path / name)})


@pytest.mark.parametrize("name", ["x.nii", "x.nrrd", "x.mha"])
def test_numbers_beyond_single_precision_are_refused(tmp_path: Path, name: str) -> None:
    values = np.zeros((6, 8))
    values[1, 1] = 1e300
    WRITERS[name](tmp_path / name, values)
    with pytest.raises(ValueError, match=rf"^{name} must have finite pixels .*; got 1 of 48"):
        read(tmp_path / name)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_scale_that_is_no_number_is_refused(tmp_path: Path, depth: int) -> None:
    nib.Nifti1Image(np.ones((8, 6, depth), np.float32), None).to_filename(tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    struct.pack_into("<f", data, 80, np.nan)  # NIfTI-1: pixdim[1]
    struct.pack_into("<hh", data, 252, 0, 0)  # neither qform nor sform
    (tmp_path / "x.nii").write_bytes(data)
    with pytest.raises(ValueError, match=r"^x\.nii must have a scale and position of finite numbers; got others"):
        read(tmp_path / "x.nii")


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_whole_numbers_of_64_bits_are_read(tmp_path: Path, kind: type) -> None:
    values = np.zeros((6, 8), kind)
    values[1, 1] = np.iinfo(np.int64).max
    nib.Nifti1Image(values.T, np.eye(4), dtype=kind).to_filename(tmp_path / "x.nii")
    np.testing.assert_array_equal(read(tmp_path / "x.nii").T, values.astype(np.float32))


def test_the_largest_numbers_that_are_read_have_a_deviation(tmp_path: Path) -> None:
    values = np.array([[-1e19, 1e19]] * 8, np.float32).repeat(4, axis=1)
    write_nifti(tmp_path / "x.nii", values)
    domains = {"d": Domain("d", ("a",), (8, 8))}
    image = RadiographPreprocessing(domains)({"image": str(tmp_path / "x.nii"), "domain": "d"})["image"]
    np.testing.assert_allclose(image[0].numpy().T, np.sign(values), atol=1e-5)


@pytest.mark.parametrize("scale", [(np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan), (np.nan, np.nan)])
def test_a_nifti_that_is_scaled_by_no_number_is_refused(tmp_path: Path, scale: tuple[float, float]) -> None:
    """NIfTI-1: scl_slope and scl_inter stand at bytes 112 and 116."""
    write_nifti(tmp_path / "x.nii", np.arange(48, dtype=np.int16).reshape(6, 8))
    data = bytearray((tmp_path / "x.nii").read_bytes())
    data[112:120] = struct.pack("<ff", *scale)
    (tmp_path / "x.nii").write_bytes(data)
    with pytest.raises(ValueError, match=r"^x\.nii must (have a finite scl_slope and scl_inter|be a whole image); got"):
        read(tmp_path / "x.nii")


def test_complex_values_are_refused(tmp_path: Path) -> None:
    write_nifti(tmp_path / "x.nii", np.ones((6, 8), np.complex64))
    with pytest.raises(ValueError, match=r"^x\.nii must have real values; got complex ones\. Save their magnitude"):
        read(tmp_path / "x.nii")


def test_dicom_that_is_not_finite_is_refused_as_before(tmp_path: Path, make_dicom: Callable[..., Any]) -> None:
    path = make_dicom(tmp_path / "x.dcm", np.full((6, 8), 9, np.uint16), RescaleSlope="1e300", RescaleIntercept="0")
    with pytest.raises(ValueError, match=r"^x\.dcm"):
        read(path)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(("values", "said"), [([[3, 3], [3, 3]], True), ([[7]], True), ([[3, 3], [3, 4]], False)])
def test_an_image_of_one_value_throughout_is_said(
    tmp_path: Path, name: str, values: list[list[int]], said: bool, caplog: pytest.LogCaptureFixture
) -> None:
    WRITERS[name](tmp_path / name, np.array(values, np.float32))
    read(tmp_path / name)
    assert [record.message.startswith(f"{name} has one value throughout") for record in caplog.records] == [True] * said
