# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.transforms import LoadImage
from PIL import Image
from skimage import io as skimage_io

from monai_gu2net.data import RadiographReader

ORIENTATION = 0x0112  # EXIF


def read(path: Path) -> np.ndarray:
    """(W, H) as read."""
    reader = RadiographReader()
    array, meta = reader.get_data(reader.read(path))
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert tuple(meta["spatial_shape"]) == array.shape
    np.testing.assert_array_equal(meta["affine"], np.eye(4))
    return array


@pytest.fixture
def grey8(rng: np.random.Generator) -> np.ndarray:
    """7 rows of 11 pixels."""
    return rng.integers(0, 256, (7, 11), dtype=np.uint8)


@pytest.fixture
def grey16(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 65536, (7, 11), dtype=np.uint16)


def luminance(rgb: np.ndarray) -> np.ndarray:
    """ITU-R 601-2 in Pillow's integers."""
    red, green, blue = (rgb[..., n].astype(int) for n in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "TIFF", "PNG"])
def test_eight_bits_come_width_first_as_they_are(tmp_path: Path, grey8: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(grey8).save(path)
    found = read(path)
    assert found.shape == (11, 7)
    np.testing.assert_array_equal(found.T, grey8)
    np.testing.assert_array_equal(found.T, skimage_io.imread(path))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, grey16: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    skimage_io.imsave(path, grey16, check_contrast=False)
    np.testing.assert_array_equal(read(path).T, grey16)


def test_sixteen_bits_of_the_other_byte_order_are_kept(tmp_path: Path, grey16: np.ndarray) -> None:
    path = tmp_path / "x.tif"
    Image.frombytes("I;16B", (11, 7), grey16.astype(">u2").tobytes()).save(path)
    np.testing.assert_array_equal(read(path).T, grey16)


def test_floats_are_kept(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.normal(size=(7, 11)).astype(np.float32)
    Image.fromarray(values).save(tmp_path / "x.tif")
    np.testing.assert_array_equal(read(tmp_path / "x.tif").T, values)


def test_black_and_white_is_zero_and_one(tmp_path: Path, grey8: np.ndarray) -> None:
    Image.fromarray(grey8 > 127).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png").T, grey8 > 127)


def test_colour_becomes_luminance(tmp_path: Path, rng: np.random.Generator) -> None:
    rgb = rng.integers(0, 256, (7, 11, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "x.png")
    np.testing.assert_array_equal(read(tmp_path / "x.png").T, luminance(rgb))


def test_a_grey_jpeg_in_colour_is_its_grey(tmp_path: Path) -> None:
    Image.new("RGB", (16, 8), (90, 90, 90)).save(tmp_path / "x.jpeg", quality=100)
    np.testing.assert_allclose(read(tmp_path / "x.jpeg"), np.full((16, 8), 90), atol=1)


def test_transparency_is_laid_on_black(tmp_path: Path, rng: np.random.Generator) -> None:
    rgba = rng.integers(0, 256, (7, 11, 4), dtype=np.uint8)
    rgba[0, 0] = (255, 255, 255, 0)
    Image.fromarray(rgba).save(tmp_path / "x.png")
    found = read(tmp_path / "x.png").T
    expected = luminance(rgba[..., :3]) * (rgba[..., 3] / 255)
    np.testing.assert_allclose(found, expected, atol=1.5)  # each channel is rounded first
    assert found[0, 0] == 0


def test_grey_with_alpha_is_laid_on_black(tmp_path: Path) -> None:
    values = np.array([[[200, 255], [200, 0]]], dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert read(tmp_path / "x.png").tolist() == [[200], [0]]


def test_a_grey_value_that_stands_for_transparent_is_black(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[10, 255, 30]], dtype=np.uint8))
    image.save(tmp_path / "x.png", transparency=255)
    assert read(tmp_path / "x.png").tolist() == [[10], [0], [30]]


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 255, 255, 255, 200, 100, 50])
    image.putdata([2, 0, 1])
    image.save(tmp_path / "x.png")
    assert read(tmp_path / "x.png").tolist() == [[int(luminance(np.array([200, 100, 50])))], [0], [255]]
    image.save(tmp_path / "t.png", transparency=1)
    assert read(tmp_path / "t.png").tolist()[2] == [0]


UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda rows: rows,
    3: lambda rows: np.rot90(rows, 2),
    6: lambda rows: np.rot90(rows, -1),  # a quarter clockwise
    8: lambda rows: np.rot90(rows, 1),
    2: np.fliplr,
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_picture_stands_upright_as_its_exif_tag_says(
    tmp_path: Path, grey8: np.ndarray, grey16: np.ndarray, orientation: int, bits: int
) -> None:
    rows = grey8 if bits == 8 else grey16
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(rows).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "x.png").T, UPRIGHT[orientation](rows))


def test_a_rotated_jpeg_stands_upright(tmp_path: Path) -> None:
    rows = np.repeat(np.array([[20, 220]], dtype=np.uint8), 16, axis=0).repeat(8, axis=1)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(rows[:8]).save(tmp_path / "x.jpg", exif=exif, quality=100)
    found = read(tmp_path / "x.jpg")
    assert found.shape == (8, 16)
    np.testing.assert_allclose(found.T, np.rot90(rows[:8], -1), atol=3)


def test_dots_per_inch_are_not_millimetres_of_the_patient(tmp_path: Path, grey8: np.ndarray) -> None:
    Image.fromarray(grey8).save(tmp_path / "x.png", dpi=(254, 254))
    np.testing.assert_array_equal(read(tmp_path / "x.png").T, grey8)  # read() checks the affine


# LoadImage makes every other reader too, some of which miss what they would need.
@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader:UserWarning")
def test_monai_loads_with_it(tmp_path: Path, grey8: np.ndarray) -> None:
    Image.fromarray(grey8).save(tmp_path / "x.png")
    image = LoadImage(reader=RadiographReader(), ensure_channel_first=True)(tmp_path / "x.png")
    np.testing.assert_array_equal(image, grey8.T[None])


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ("a.png", True),
        ("a.JPG", True),
        (Path("d") / "a.tiff", True),
        (["a.png", "b.bmp"], True),
        (["a.png", "b.nii"], True),
        (["a.png", "b.npy"], False),
        ("a.dcm", True),
        ("a.nrrd", True),
        ("png", False),
    ],
)
def test_images_are_known_by_their_endings(names: Any, fits: bool) -> None:
    assert RadiographReader().verify_suffix(names) is fits


def no_picture(path: Path) -> None:
    path.write_text("These are words.")


def empty(path: Path) -> None:
    path.touch()


def truncated(path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:700])


@pytest.mark.parametrize("make", [no_picture, empty, truncated])
def test_a_file_that_is_no_whole_picture_is_refused_by_its_name(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "broken.png")
    with pytest.raises(ValueError, match=r"^broken\.png must be a whole picture; got .*Export it again\."):
        read(tmp_path / "broken.png")


def test_a_file_of_several_pictures_is_refused_by_its_name(tmp_path: Path, grey8: np.ndarray) -> None:
    first = Image.fromarray(grey8)
    first.save(tmp_path / "stack.tif", save_all=True, append_images=[first, first])
    with pytest.raises(ValueError, match=r"^stack\.tif must hold one picture; got 3\. Save one of them"):
        read(tmp_path / "stack.tif")


def test_several_files_are_refused() -> None:
    with pytest.raises(ValueError, match="A radiograph must be one file; got 2"):
        RadiographReader().get_data(RadiographReader().read(["a.png", "b.png"]))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.png"):
        read(tmp_path / "no.png")
