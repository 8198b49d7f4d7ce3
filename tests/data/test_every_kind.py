# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The same picture in every kind of file."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itk
import nibabel as nib
import numpy as np
import pytest
from monai.transforms import LoadImage, LoadImaged
from PIL import Image

from monai_gu2net.data import Domain, RadiographReader
from monai_gu2net.dicom import Limits
from monai_gu2net.transforms import LoadRadiographd, PhysicalSpaced

pytestmark = [
    # ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
    pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning"),
    # LoadImage makes every other reader too, some of which miss what they would need.
    pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning"),
]

SX, SY = 0.2, 0.1
DOMAIN = Domain("d", ("a", "b"), (11, 7))


@pytest.fixture
def rows(rng: np.random.Generator) -> np.ndarray:
    """7 rows of 11 pixels, nothing alike along any axis."""
    return rng.integers(0, 200, (7, 11), dtype=np.uint8)


Write = Callable[[Path, np.ndarray], None]


def pillow(path: Path, rows: np.ndarray) -> None:
    Image.fromarray(rows).save(path)


def jpeg(path: Path, rows: np.ndarray) -> None:
    Image.fromarray(rows).save(path, quality=100, subsampling=0)


def nifti(path: Path, rows: np.ndarray) -> None:
    nib.Nifti1Image(rows.T, np.diag([SX, SY, 1, 1])).to_filename(path)


def nifti_slice(path: Path, rows: np.ndarray) -> None:
    nib.Nifti1Image(rows.T[..., None], np.diag([-SX, -SY, 5, 1])).to_filename(path)


def by_itk(path: Path, rows: np.ndarray) -> None:
    image = itk.image_from_array(rows)
    image.SetSpacing([SX, SY])
    image.SetOrigin([30.0, -40.0])
    itk.imwrite(image, str(path))


def slice_by_itk(path: Path, rows: np.ndarray) -> None:
    image = itk.image_from_array(rows[None])
    image.SetSpacing([SX, SY, 3.0])
    itk.imwrite(image, str(path))


PICTURES: dict[str, Write] = {"a.png": pillow, "a.tif": pillow, "a.bmp": pillow, "a.jpg": jpeg}
SCALED: dict[str, Write] = {
    "a.nii": nifti,
    "a.nii.gz": nifti,
    "slice.nii": nifti_slice,
    "a.nrrd": by_itk,
    "a.mha": by_itk,
    "slice.nrrd": slice_by_itk,
    "slice.mha": slice_by_itk,
}


@pytest.mark.parametrize("name", [*PICTURES, *SCALED, "a.dcm", "without_ending"])
def test_every_kind_gives_the_same_array_and_the_same_points(
    tmp_path: Path, rows: np.ndarray, name: str, make_dicom: Callable[..., Path]
) -> None:
    path = tmp_path / name
    if name in PICTURES | SCALED:
        (PICTURES | SCALED)[name](path, rows)
    else:
        make_dicom(path, rows, bits_stored=8, PixelSpacing=[SY, SX])
    known = name not in PICTURES
    spacing = (SX, SY) if known else (1.0, 1.0)
    for image in (
        LoadImage(reader=RadiographReader, ensure_channel_first=True)(path),
        LoadImaged("image", reader=RadiographReader(), ensure_channel_first=True)({"image": path})["image"],
        LoadRadiographd()({"image": path})["image"],
    ):
        np.testing.assert_allclose(image, rows.T[None], atol=3 if name.endswith("jpg") else 0)
        np.testing.assert_allclose(image.affine, np.diag([*spacing, 1, 1]), rtol=1e-6)
        sample = PhysicalSpaced(domains={"d": DOMAIN})({"image": image, "domain": "d", "landmarks": [[3, 4], None]})
        np.testing.assert_allclose(sample["landmarks"][0], [3 * spacing[0], 4 * spacing[1]], rtol=1e-6)
        assert sample["unit"] == ("mm" if known else "px")
    meta = read(path)[1]
    expected = "none" if not known else "file" if name in SCALED else "unknown"
    assert meta["spacing_source"] == expected


def read(path: Path, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
    reader = RadiographReader(**options)
    return reader.get_data(reader.read(path))


def test_a_file_that_says_one_millimetre_along_both_axes_says_nothing(tmp_path: Path, rows: np.ndarray) -> None:
    itk.imwrite(itk.image_from_array(rows), str(tmp_path / "a.mha"))
    nib.Nifti1Image(rows.T, np.diag([-1.0, -1, 1, 1])).to_filename(tmp_path / "a.nii")
    for name in ("a.mha", "a.nii"):
        array, meta = read(tmp_path / name)
        np.testing.assert_array_equal(array, rows.T)
        assert meta["spacing_source"] == "none"
        np.testing.assert_array_equal(meta["affine"], np.eye(4))


def test_micrometres_of_nifti_are_millimetres(tmp_path: Path, rows: np.ndarray) -> None:
    image = nib.Nifti1Image(rows.T, np.diag([200.0, 100, 1, 1]))
    image.header.set_xyzt_units("micron")
    image.to_filename(tmp_path / "a.nii")
    np.testing.assert_allclose(read(tmp_path / "a.nii")[1]["affine"], np.diag([SX, SY, 1, 1]))


def test_a_volume_stays_a_volume(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.integers(0, 9, (4, 3, 2), dtype=np.int16)
    affine = np.diag([2.0, 2, 3, 1])
    nib.Nifti1Image(values, affine).to_filename(tmp_path / "a.nii")
    array, meta = read(tmp_path / "a.nii")
    np.testing.assert_array_equal(array, values)
    np.testing.assert_array_equal(meta["affine"], affine)
    assert meta["spacing_source"] == "file"


def test_a_refused_file_is_not_given_to_another_reader(tmp_path: Path, make_dicom: Callable[..., Path]) -> None:
    """MONAI's own readers would open three frames, and the third as a channel of nonsense."""
    path = make_dicom(tmp_path / "a.dcm", np.zeros((3, 7, 11), np.uint16))
    with pytest.raises(ValueError, match=r"^a\.dcm"):
        LoadImage(reader=RadiographReader)(path)


def test_dicom_keeps_facts_and_no_identity(tmp_path: Path, make_dicom: Callable[..., Path], rows: np.ndarray) -> None:
    path = make_dicom(tmp_path / "a.dcm", rows, bits_stored=8, PatientName="Doe^Jane", PatientID="4711")
    image = LoadImage(reader=RadiographReader)(path)
    shown = str(dict(image.meta)).replace(str(path), "")
    assert image.meta["modality"] == "CR"
    assert "Doe" not in shown
    assert "4711" not in shown


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(file_bytes=50), r"^{name} must have at most 50 bytes; got [\d,]+\. Check what it is"),
        (
            Limits(pixels=70, memory_bytes=300),
            r"^{name} must (have at most 70 pixels; got 11 x 7|take at most 300 bytes)",
        ),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.nii", "a.nrrd", "a.mha"])
def test_a_file_beyond_the_limits_is_refused(
    tmp_path: Path, rows: np.ndarray, name: str, limits: Limits, message: str
) -> None:
    (PICTURES | SCALED)[name](tmp_path / name, rows)
    with pytest.raises(ValueError, match=message.format(name=name.replace(".", r"\."))):
        read(tmp_path / name, limits=limits)


def test_a_picture_that_declares_billions_of_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """A PNG header of 60000 x 60000 pixels, with nothing behind it."""
    Image.new("L", (1, 1)).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"^a\.png must have at most 100,000,000 pixels; got more than twice"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.nii", "a.nrrd", "a.mha"])
def test_an_error_does_not_show_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "Jane Doe"
    folder.mkdir()
    (folder / name).write_text("words")
    with pytest.raises(ValueError, match=f"^{name}") as raised:
        read(folder / name)
    assert "Jane" not in str(raised.value)
    assert raised.value.__cause__ is None
