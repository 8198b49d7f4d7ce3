# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_gu2net.data import is_image
from monai_gu2net.transforms import LoadRadiographd

# ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
pytestmark = pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")


def load(path: Path) -> MetaTensor:
    image = LoadRadiographd()({"image": str(path)})["image"]
    assert isinstance(image, MetaTensor)
    assert image.dtype == torch.float32
    return image


def test_a_picture_is_one_channel_width_first(tmp_path: Path, rng: np.random.Generator) -> None:
    rows = rng.integers(0, 65536, (5, 8), dtype=np.uint16)
    Image.fromarray(rows).save(tmp_path / "x.png")
    image = load(tmp_path / "x.png")
    np.testing.assert_array_equal(image, rows.T[None])
    np.testing.assert_array_equal(image.affine, np.eye(4))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_in_nifti_is_as_nibabel_reads_it(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    affine = np.array([[0.0, -2, 0, 10], [3, 0, 0.5, -20], [0, 0.1, 4, 30], [0, 0, 0, 1]])
    path = tmp_path / f"x{suffix}"
    nib.Nifti1Image(rng.normal(size=(6, 5, 4)).astype(np.float32), affine).to_filename(path)
    image, oracle = load(path), nib.load(path)
    np.testing.assert_array_equal(image, oracle.get_fdata()[None])
    np.testing.assert_allclose(image.affine, oracle.affine)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1)])
def test_a_picture_in_nifti_lies_in_its_image_plane(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    """Of its place in the world only the length of its axes counts, also where it is sagittal and tilted."""
    affine = np.array([[0.0, 0, 1, 10], [-3, 0, 0, -20], [4, -2, 0, 30], [0, 0, 0, 1]])
    nib.Nifti1Image(rng.normal(size=shape).astype(np.float32), affine).to_filename(tmp_path / "x.nii")
    image, oracle = load(tmp_path / "x.nii"), nib.load(tmp_path / "x.nii")
    np.testing.assert_array_equal(image, oracle.get_fdata().reshape(1, 6, 5))
    np.testing.assert_allclose(image.affine, np.diag([5.0, 2, 1, 1]), rtol=1e-6)


def test_metaimage_keeps_its_spacing(tmp_path: Path) -> None:
    """Written by hand: x runs fastest; ITK's world is LPS and MONAI's RAS."""
    values = np.arange(24, dtype="<i2")
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = 4 3 2\n"
        "ElementSpacing = 0.5 0.25 2\nOffset = 7 8 9\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    (tmp_path / "x.mha").write_bytes(header.encode() + values.tobytes())
    image = load(tmp_path / "x.mha")
    np.testing.assert_array_equal(image, values.reshape(2, 3, 4).T[None])
    expected = [[-0.5, 0, 0, -7], [0, -0.25, 0, -8], [0, 0, 2, 9], [0, 0, 0, 1]]
    np.testing.assert_allclose(image.affine, expected)


def test_nothing_of_the_file_but_its_affine_travels_along(tmp_path: Path) -> None:
    header = nib.Nifti1Header()
    header["descrip"] = b"Jane Doe"
    nib.Nifti1Image(np.zeros((4, 4), dtype=np.float32), np.eye(4), header).to_filename(tmp_path / "Doe.nii")
    image = load(tmp_path / "Doe.nii")
    assert "Doe" not in str(image.meta)
    assert image.applied_operations == []


def test_where_the_image_and_its_spacing_come_from_is_told(tmp_path: Path) -> None:
    Image.new("L", (3, 2)).save(tmp_path / "x.png")
    sample = LoadRadiographd()({"image": tmp_path / "x.png"})
    assert (sample["image_file"], sample["file_spacing_source"]) == (str(tmp_path / "x.png"), "none")


def test_other_fields_stay_and_the_sample_given_is_not_changed(tmp_path: Path) -> None:
    Image.new("L", (3, 2)).save(tmp_path / "x.png")
    before = {"image": tmp_path / "x.png", "case": "7"}
    after = LoadRadiographd()(before)
    assert after["case"] == "7"
    assert before == {"image": tmp_path / "x.png", "case": "7"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.dcm", r"^x\.dcm: a DICOM file must"),
        ("x", r"^x must be PNG, JPEG, .* by its ending, or DICOM; got 'none'\. Convert it first"),
        ("x.jp2", r"got '\.jp2'"),
        ("x.nii", r"^x\.nii must be a whole image; got .*Export it again\.$"),
        ("x.nii.gz", r"^x\.nii\.gz must be a whole image; got"),
        ("x.mha", r"^x\.mha must be a whole image; got"),
        ("x.png", r"^x\.png must be a whole picture; got cannot identify image file"),
    ],
)
def test_a_broken_file_or_another_kind_is_refused_by_its_name(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("words")
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"The image must be a file; got '.*no\.png', which is not there"):
        load(tmp_path / "no.png")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.PNG", True), ("a.nii.gz", True), ("a.mha", True), ("a.gz", False), ("a.csv", False)],
)
def test_images_are_known_by_their_endings(tmp_path: Path, name: str, expected: bool) -> None:
    assert not is_image(tmp_path / name)
    (tmp_path / name).touch()
    assert is_image(tmp_path / name) is expected
