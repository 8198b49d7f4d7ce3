# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from monai_gu2net.visualize import contact_sheet, draw_landmarks, save_picture
from monai_gu2net.visualize.marks import PREDICTED_COLOUR, REFERENCE_COLOUR

NAN = float("nan")


def near(pixels: np.ndarray, colour: str) -> np.ndarray:
    """Which pixels have the colour."""
    return (np.abs(pixels.astype(int) - np.round(255 * np.array(to_rgb(colour)))) <= 12).all(axis=-1)


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize(("kind", "colour"), [("predicted", PREDICTED_COLOUR), ("reference", REFERENCE_COLOUR)])
def test_a_landmark_has_its_colour_where_it_lies(grey, kind, colour):
    image = np.full((200, 100), grey, dtype=np.uint8)  # width 200, height 100

    pixels = draw_landmarks(image, **{kind: [[150.0, 20.0]]}, longest_side=800)

    assert pixels.shape == (400, 800, 3)
    assert pixels.dtype == np.uint8
    rows, columns = np.nonzero(near(pixels, colour))
    # pixel centres are whole numbers: the middle of pixel 150, four times as large
    assert (columns.mean(), rows.mean()) == pytest.approx((150.5 * 4 - 0.5, 20.5 * 4 - 0.5), abs=1)
    assert near(pixels[81:83, 601:603], colour).any()


def test_the_image_stands_upright_with_width_to_the_right():
    image = torch.zeros(1, 60, 40)
    image[0, 45:, :10] = 7.0  # right, top

    pixels = draw_landmarks(image, longest_side=60)

    assert pixels.shape == (40, 60, 3)
    assert (pixels[2:8, 50:58] == 255).all()
    assert (pixels[20:, :] == 0).all()


def test_the_extreme_pixels_do_not_set_the_scale():
    image = np.tile(np.linspace(0, 100, 100), (100, 1))
    image[0, 0] = 1e6

    assert 100 < draw_landmarks(image, longest_side=100)[50, 50, 0] < 155


@pytest.mark.parametrize("points", [[[NAN, NAN], [NAN, 3.0]], [], [[np.inf, 1.0]], [[-50.0, 20.0], [20.0, 400.0]]])
def test_absent_points_and_points_outside_draw_nothing(points):
    image = np.tile(np.arange(40.0), (60, 1))
    points = np.reshape(points, (-1, 2))

    drawn = draw_landmarks(image, predicted=points, reference=points, longest_side=300)

    np.testing.assert_array_equal(drawn, draw_landmarks(image, longest_side=300))


def test_a_line_joins_prediction_and_reference():
    image = np.zeros((100, 100))

    joined = draw_landmarks(image, predicted=[[20, 50]], reference=[[80, 50]], names=[""], longest_side=400)
    alone = draw_landmarks(image, predicted=[[20, 50], [NAN] * 2], reference=[[NAN] * 2, [80, 50]], longest_side=400)

    assert joined[198:205, 200].max() > 200
    assert alone[198:205, 200].max() == 0


def test_names_and_confidences_are_written():
    image = np.zeros((100, 100))
    pictures = [
        draw_landmarks(image, predicted=[[50, 50]], names=names, confidence=confidence, longest_side=300)
        for names, confidence in [([""], None), (None, None), (["2"], None), (["2"], [0.5]), (["$x"], [NAN])]
    ]

    different = {picture.tobytes() for picture in pictures}
    assert len(different) == len(pictures)


def test_the_title_stands_above_the_picture():
    image = np.tile(np.arange(40.0), (60, 1))

    titled = draw_landmarks(image, predicted=[[5, 5]], title="case $7_ 骨", longest_side=300)
    plain = draw_landmarks(image, predicted=[[5, 5]], longest_side=300)

    assert len(titled) > len(plain)
    assert titled[: len(titled) - len(plain)].max() > 200
    np.testing.assert_array_equal(titled[-len(plain) // 2 :], plain[-len(plain) // 2 :])


def test_an_image_without_contrast_or_with_nan_is_drawn():
    image = np.full((10, 10), 5.0)
    image[0, 0] = NAN

    assert draw_landmarks(image, longest_side=50).shape == (50, 50, 3)


@pytest.mark.parametrize("shape", [(3, 10, 10), (1, 5, 5, 5), (7,), (0, 4)])
def test_an_image_that_is_not_one_plane_is_refused(shape):
    with pytest.raises(ValueError, match=r"The image must be \(1, W, H\) or \(W, H\); got"):
        draw_landmarks(np.zeros(shape))


@pytest.mark.parametrize("options", [{"reference": [[1, 2], [3, 4]]}, {"names": ["a", "b"]}, {"confidence": [1, 1]}])
def test_different_numbers_of_landmarks_are_refused(options):
    with pytest.raises(ValueError, match="must be of the same landmarks; got"):
        draw_landmarks(np.zeros((5, 5)), predicted=[[1, 2]], **options)


def test_points_of_a_volume_are_refused():
    with pytest.raises(ValueError, match=r"predicted must be \(N, 2\) points in pixels; got \(1, 3\)"):
        draw_landmarks(np.zeros((5, 5)), predicted=[[1, 2, 3]])


def test_a_contact_sheet_places_pictures_line_by_line():
    pictures = [np.full((10 + n, 20, 3), 100 + n, dtype=np.uint8) for n in range(3)]

    page = contact_sheet(pictures, columns=2, gap=4)

    assert page.shape == (4 + 2 * 16, 4 + 2 * 24, 3)
    assert (page[4:14, 4:24] == 100).all()
    assert (page[4:15, 28:48] == 101).all()
    assert (page[20:32, 4:24] == 102).all()
    assert (page[20:, 28:] == page[0, 0]).all()


@pytest.mark.parametrize(("pictures", "columns"), [([], 2), ([np.zeros((1, 1, 3), np.uint8)], 0)])
def test_an_empty_contact_sheet_is_refused(pictures, columns):
    with pytest.raises(ValueError, match="A contact sheet must have"):
        contact_sheet(pictures, columns=columns)


@pytest.mark.parametrize("size", [(7, 9), (1, 1), (1, 300), (300, 1)])
def test_a_saved_picture_opens_with_the_same_pixels(rng, tmp_path, size):
    pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)

    path = save_picture(pixels, tmp_path / "new" / "a.png")

    with Image.open(path) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture), pixels)
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def test_a_picture_that_cannot_be_written_leaves_the_earlier_one_whole(tmp_path):
    path = save_picture(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.png")
    before = path.read_bytes()

    with pytest.raises(ValueError, match=r"must be \(H, W, 3\) of 8 bits; got \(2, 2, 3\) of complex128"):
        save_picture(np.zeros((2, 2, 3), np.complex128), path)

    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_only_png_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.png; got 'a\.jpg'"):
        save_picture(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.jpg")


def test_a_radius_is_an_ellipse_about_the_prediction():
    image = np.zeros((200, 100), dtype=np.uint8)

    pixels = draw_landmarks(image, predicted=[[100.0, 50.0]], names=[""], radius=[[40.0, 20.0]], longest_side=800)

    lit = np.array(pixels.max(axis=-1) > 100)
    rows, columns = np.nonzero(lit)
    # four pixels of the picture for one of the image
    assert (columns.min(), columns.max()) == pytest.approx((60.5 * 4 - 0.5, 140.5 * 4 - 0.5), abs=2)
    assert (rows.min(), rows.max()) == pytest.approx((30.5 * 4 - 0.5, 70.5 * 4 - 0.5), abs=2)


def test_a_radius_that_is_not_there_draws_nothing():
    image = np.tile(np.arange(40.0), (60, 1))
    points = [[30.0, 20.0], [10.0, 10.0]]

    plain = draw_landmarks(image, predicted=points, title="a", longest_side=300)

    absent = draw_landmarks(image, predicted=points, radius=[[NAN, NAN], [NAN, 3.0]], title="a", longest_side=300)
    assert np.array_equal(absent, plain)


def test_a_name_at_the_border_is_moved_into_the_picture():
    image = np.zeros((100, 80))
    pixels = {
        where: draw_landmarks(image, predicted=[at], names=["a long name"], longest_side=400)
        for where, at in {
            "middle": (20.0, 40.0),
            "right": (99.0, 40.0),
            "top": (20.0, 0.0),
            "corner": (99.0, 0.0),
        }.items()
    }

    # the letters alone are white
    white = {where: int((picture.min(axis=-1) > 250).sum()) for where, picture in pixels.items()}
    assert white["middle"] > 30
    assert set(white.values()) == {white["middle"]}


def test_a_large_image_is_shown_between_the_shades_of_most_of_its_pixels(rng):
    image = rng.normal(1000, 100, (1500, 1100)).astype(np.float32)

    pixels = draw_landmarks(image, longest_side=1500)[..., 0]

    # a normal distribution has one percent beyond 2.576 deviations
    middle, spread = pixels.mean(), pixels.std()
    assert middle == pytest.approx(127.5, abs=2)
    assert spread == pytest.approx(255 / (2 * 2.576), rel=0.03)
