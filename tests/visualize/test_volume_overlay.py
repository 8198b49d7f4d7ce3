# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from PIL import ImageColor

from monai_gu2net.visualize import draw_volume_landmarks
from monai_gu2net.visualize.marks import PREDICTED_COLOUR, REFERENCE_COLOUR, STRIP

PANEL, GAP, LINE = 120, 6, 18
CODES = ["".join(each) for order in itertools.permutations(("RL", "AP", "SI")) for each in itertools.product(*order)]


def page(volume: Any, **more: Any) -> np.ndarray:
    return draw_volume_landmarks(volume, **{"affine": np.eye(4), "panel": PANEL, "columns": 1, **more})


def slices(pixels: np.ndarray, line: int = 0) -> list[np.ndarray]:
    """The axial, coronal and sagittal slice of a line of a page with one column, counted from the last line."""
    lower = len(pixels) - 2 * GAP - line * (LINE + PANEL + 2 * GAP)
    return [
        pixels[lower - PANEL : lower, left : left + PANEL] for left in (GAP + at * (PANEL + GAP) for at in range(3))
    ]


def projections(pixels: np.ndarray) -> list[np.ndarray]:
    """The axial, coronal and sagittal projection of a page, with what is below them."""
    width = (pixels.shape[1] - 4 * GAP) // 3
    return [pixels[STRIP:, left : left + width] for left in (GAP + at * (width + GAP) for at in range(3))]


def where(pixels: np.ndarray, colour: str) -> np.ndarray:
    """(x, y) of the middle of what has just that colour, as places on a canvas."""
    rows, columns = np.nonzero((pixels == ImageColor.getrgb(colour)).all(axis=-1))
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def brain(codes: str, spacing: tuple[float, float, float] = (1.0, 1.5, 2.0)) -> tuple[np.ndarray, np.ndarray]:
    """A volume with something in it and its affine, stored along the axes of the codes; the spacing is along RAS."""
    rng = np.random.default_rng(5)
    volume = rng.random((30, 22, 18), dtype=np.float32)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (-7, 3, 11)
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(codes))
    return np.ascontiguousarray(apply_orientation(volume, turn)), affine @ inv_ornt_aff(turn, volume.shape)


@pytest.mark.parametrize("codes", CODES)
def test_the_page_is_the_same_whatever_axes_the_file_has(codes: str) -> None:
    world = np.array([[1.0, 12, 19], [13, 21, 37], [np.nan] * 3])
    pages = []
    for stored in ("RAS", codes):
        volume, affine = brain(stored)
        assert "".join(nibabel.aff2axcodes(affine)) == stored
        points = nibabel.affines.apply_affine(np.linalg.inv(affine), world)
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        about = {"predicted": points, "reference": points + 0.0, "radius": np.full((3, 1), 4.0) / lengths}
        pages.append(page(volume, affine=affine, **about, title="x"))
    np.testing.assert_array_equal(*pages)


def test_right_front_and_head_are_where_radiologists_look_for_them() -> None:
    """A block at the patient's right, front and top; the first axis leads to the right, and so on."""
    volume = np.zeros((20, 20, 20), dtype=np.float32)
    volume[14:17, 12:15, 11:14] = 1  # its middle 4.5 voxels from the right side, 6.5 from the front, 7.5 from the top
    axial, coronal, sagittal = projections(page(volume))
    side = axial.shape[1]  # a cube's projections are squares
    for picture, (left, upper) in ((axial, (4.5, 6.5)), (coronal, (4.5, 7.5)), (sagittal, (6.5, 7.5))):
        inner = picture[16 : int(0.6 * side), 20 : int(0.6 * side), 0] > 128  # without words and letters
        rows, columns = np.nonzero(inner)
        assert [columns.mean() + 20.5, rows.mean() + 16.5] == pytest.approx(
            [left * side / 20, upper * side / 20], abs=1.5
        )


def test_a_ball_is_round_in_every_slice_of_long_voxels() -> None:
    spacing = np.array([1.0, 3.0, 2.0])
    shape = (60, 20, 30)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) * spacing
    volume = (np.linalg.norm(places - (30, 30, 30), axis=-1) < 9).astype(np.float32)
    pixels = page(volume, affine=np.diag([*spacing, 1]), predicted=[[30, 10, 15]])
    scale = PANEL / 30  # half of the longest side, which is 60 mm
    for square in slices(pixels):
        inner = square[14:-14, 14:-14].max(axis=-1) > 100  # without the letters
        height, width = (int(inner.any(axis=axis).sum()) for axis in (1, 0))
        assert [height, width] == pytest.approx([18 * scale] * 2, abs=3.1 * scale)  # a voxel more or less


def test_the_landmark_is_in_the_middle_and_its_reference_where_it_is_in_mm() -> None:
    """2.5 mm to the left, 4 mm to the back and 3 mm down, in voxels of 0.5 x 1 x 1.5 mm along RAS."""
    volume = np.zeros((80, 40, 27), dtype=np.float32)
    found = np.array([40.25, 20.0, 13.0])
    truth = found + np.array([-2.5 / 0.5, -4, -3 / 1.5])
    pixels = page(volume, affine=np.diag([0.5, 1, 1.5, 1]), predicted=[found], reference=[truth])
    scale = PANEL / (81 / 4)  # half of the longest side, 27 x 1.5 mm
    for square, offset in zip(slices(pixels), ((2.5, 4), (2.5, 3), (4, 3)), strict=True):
        np.testing.assert_allclose(where(square, REFERENCE_COLOUR), PANEL / 2 + np.array(offset) * scale, atol=0.6)
        cross = (square == ImageColor.getrgb(PREDICTED_COLOUR)).all(axis=-1)
        assert cross[PANEL // 2 - 5 : PANEL // 2 + 5, PANEL // 2].any()


def test_the_slice_is_the_one_of_the_landmark() -> None:
    volume = np.zeros((20, 20, 20), dtype=np.float32)
    volume[:, :, 7] = 1
    bright, dark = (slices(page(volume, predicted=[[10, 10, level]]))[0][20:40, 20:40].mean() for level in (7.4, 7.6))
    assert bright > 250
    assert dark < 5


def test_a_landmark_beyond_the_edge_is_drawn_on_the_last_slice() -> None:
    volume = np.zeros((20, 20, 20), dtype=np.float32)
    volume[:, :, -1] = 1
    square = slices(page(volume, predicted=[[10, 10, 25.0]]))[0]
    assert square[20:40, 20:40].mean() > 250


def test_a_radius_is_a_circle_of_its_millimetres() -> None:
    spacing = np.array([0.5, 1.0, 2.0])
    volume = np.zeros((80, 40, 20), dtype=np.float32)
    pixels = page(volume, affine=np.diag([*spacing, 1]), predicted=[[40, 20, 10]], radius=[6 / spacing])
    for square in slices(pixels):
        inner = square[14:-14, 14:-14].astype(int)
        drawn = (inner[..., 0] > 120) & (inner[..., 2] < 80)
        height, width = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
        expected = 2 * 6 * PANEL / 20
        assert [np.ptp(height) + 1, np.ptp(width) + 1] == pytest.approx([expected] * 2, abs=3)


def test_far_references_are_in_the_slice_too() -> None:
    pixels = page(np.zeros((20, 20, 20)), predicted=[[0, 0, 0]], reference=[[19, 19, 19]])
    for square in slices(pixels):
        assert np.isfinite(where(square, REFERENCE_COLOUR)).all()


def test_where_there_are_too_many_the_worst_are_shown() -> None:
    volume = np.random.default_rng(3).random((20, 20, 20), dtype=np.float32)
    truth = np.array([[4.0, 4, 4], [8, 8, 8], [12, 12, 12], [16, 16, 16]])
    found = truth + np.array([[1, 0, 0], [0, 3, 0], [0, 0, 2], [np.nan] * 3])
    two = page(volume, predicted=found, reference=truth, most=2)
    alone = [page(volume, predicted=found[[at]], reference=truth[[at]]) for at in (1, 3)]
    for line, single in zip((0, 1), alone, strict=True):  # below the one that was not found, the one 3 mm off
        for square, expected in zip(slices(two, line), slices(single), strict=True):
            np.testing.assert_array_equal(square, expected)


def test_without_references_the_least_confident_are_shown() -> None:
    volume = np.random.default_rng(3).random((20, 20, 20), dtype=np.float32)
    found = np.array([[4.0, 4, 4], [8, 8, 8], [12, 12, 12]])
    one = page(volume, predicted=found, confidence=[0.9, 0.1, 0.5], most=1)
    for square, expected in zip(slices(one), slices(page(volume, predicted=found[[1]])), strict=True):
        np.testing.assert_array_equal(square, expected)


def test_a_page_has_a_line_for_each_landmark_and_columns_side_by_side() -> None:
    volume, found = np.zeros((10, 10, 10)), np.full((5, 3), 5.0)
    one, two = (page(volume, predicted=found, columns=columns) for columns in (1, 2))
    empty = page(volume)
    assert len(one) - len(empty) == 5 * (LINE + PANEL + 2 * GAP)
    assert two.shape[1] > 1.9 * one.shape[1]


def test_voxels_without_a_scale_are_drawn_along_the_files_axes() -> None:
    volume = np.zeros((20, 20, 20), dtype=np.float32)
    volume[2:5, 14:17, 8] = 1
    axial = projections(page(volume, affine=None))[0]
    side = axial.shape[1]
    rows, columns = np.nonzero(axial[int(0.6 * side) : int(0.9 * side), : side // 2, 0] > 200)
    assert columns.mean() / side == pytest.approx(0.175, abs=0.03)
    assert (rows.mean() + int(0.6 * side)) / side == pytest.approx(0.775, abs=0.03)


@pytest.mark.parametrize("make", [lambda v: v[None], torch.from_numpy, lambda v: torch.from_numpy(v)[None].double()])
def test_arrays_and_tensors_with_and_without_channels_are_drawn_alike(make: Any) -> None:
    volume = np.random.default_rng(3).random((12, 10, 8), dtype=np.float32)
    np.testing.assert_array_equal(page(make(volume)), page(volume))


def test_values_that_are_not_finite_do_not_hide_the_others() -> None:
    volume = np.random.default_rng(3).random((12, 10, 8), dtype=np.float32)
    volume[0, 0, 0] = np.nan
    assert page(volume).std() > 0


def test_a_picture_or_points_of_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(C, X, Y, Z\) or \(X, Y, Z\); got \(8, 8\)"):
        page(np.zeros((8, 8)))
    with pytest.raises(ValueError, match=r"predicted must be \(N, 3\) points in pixels; got \(1, 2\)"):
        page(np.zeros((8, 8, 8)), predicted=[[1, 2]])
    with pytest.raises(ValueError, match=r"must be of the same landmarks; got \[1, 1, 2, 1, 1\]"):
        page(np.zeros((8, 8, 8)), predicted=[[1, 2, 3]], names=["a", "b"])
    with pytest.raises(ValueError, match=r"numbers must be one per landmark, 1; got 2"):
        page(np.zeros((8, 8, 8)), predicted=[[1, 2, 3]], numbers=[4, 5])


def test_projections_have_numbers_where_there_is_room_for_them() -> None:
    volume, few = np.zeros((10, 10, 10)), np.random.default_rng(2).uniform(2, 8, (4, 3))
    pages = [page(volume, predicted=np.tile(few, (times, 1)), panel=190) for times in (1, 40)]
    some, none = ((projections(each)[0][:190] == 255).all(axis=-1).sum() for each in pages)
    assert some > none  # white is only in the words
