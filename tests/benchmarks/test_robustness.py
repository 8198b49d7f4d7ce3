# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import robustness
from corruptions import CORRUPTIONS, Corrupted, moved_points, pixels_to_write


def corrupted(name: str, picture: np.ndarray, strength: float) -> Corrupted:
    return CORRUPTIONS[name].make(picture, strength, np.random.default_rng(0))


def spot(row: int, column: int, shape: tuple[int, int] = (100, 81)) -> np.ndarray:
    """A black picture with 3 x 3 white pixels."""
    picture = np.zeros(shape)
    picture[row - 1 : row + 2, column - 1 : column + 2] = 1.0
    return picture


@pytest.mark.parametrize("name", list(CORRUPTIONS))
def test_each_corruption_has_three_strengths_and_gives_numbers(name: str) -> None:
    picture = np.random.default_rng(1).random((120, 90))
    for strength in CORRUPTIONS[name].strengths:
        made = corrupted(name, picture, strength)
        assert np.isfinite(made.picture).all()
        assert pixels_to_write(made.picture).shape == made.picture.shape
    assert len(CORRUPTIONS[name].strengths) == 3


@pytest.mark.parametrize(
    ("name", "strength"),
    [("black border", 0.1), ("white border", 0.05), ("cropped", 0.06), ("off centre", 0.1), ("turned", 20.0)],
)
def test_what_moves_the_image_moves_its_landmarks_along(name: str, strength: float) -> None:
    made = corrupted(name, spot(40, 30), strength)
    if name == "white border":  # the spot is the brightest inside
        made.picture[:5] = made.picture[-5:] = made.picture[:, :5] = made.picture[:, -5:] = 0.0
    rows, columns = np.indices(made.picture.shape)
    weights = made.picture / made.picture.sum()
    [point] = moved_points(np.array([[30.0, 40.0]]), made)
    assert point == pytest.approx([(weights * columns).sum(), (weights * rows).sum()], abs=0.05)


def test_fewer_rows_keep_the_outer_edges_where_they_were() -> None:
    made = corrupted("low resolution", np.zeros((200, 100)), 100.0)
    assert made.picture.shape == (100, 50)
    # two pixels become one: the centres of 0 and 1 lie at 0.5, which is the new 0
    assert moved_points(np.array([[0.5, 0.5], [98.5, 198.5]]), made).tolist() == [[0.0, 0.0], [49.0, 99.0]]


def test_landmarks_that_are_covered_or_cut_off_are_absent() -> None:
    points = np.array([[5.0, 5.0], [40.0, 50.0], [np.nan, np.nan]])
    for name, strength in (("collimation", 0.12), ("cropped", 0.12), ("lead marker", 0.06)):
        moved = moved_points(points, corrupted(name, np.full((100, 81), 0.5), strength))
        assert np.isnan(moved).any(axis=1).tolist() == [True, False, True], name


def test_grey_values_are_those_worked_out_by_hand() -> None:
    picture = np.array([[0.0, 0.25], [0.64, 1.0]])
    assert corrupted("inverted", picture, 1.0).picture.tolist() == pytest.approx(np.array([[1.0, 0.75], [0.36, 0.0]]))
    assert corrupted("inverted", picture, 0.5).picture[1, 1] == 0.25
    assert corrupted("brighter", picture, 0.5).picture[1, 0] == pytest.approx(0.8)
    assert corrupted("low contrast", picture, 0.5).picture.tolist() == pytest.approx(
        np.array([[0.25, 0.375], [0.57, 0.75]])
    )
    ramp = np.linspace(0, 1, 101).reshape(1, -1)
    clipped = corrupted("clipped", ramp, 0.2).picture
    assert (clipped[0, 20], clipped[0, 80]) == pytest.approx((0.0, 1.0))
    assert clipped[0, 50] == pytest.approx(0.5)


def test_what_is_beyond_white_makes_the_rest_a_small_part_of_sixteen_bits() -> None:
    made = corrupted("marker beyond white", np.ones((100, 100)), 16.0)
    pixels = pixels_to_write(made.picture)
    assert pixels.dtype == np.uint16
    assert (pixels[5, 5], pixels[50, 50]) == (65535, 4096)  # 65535 / 16, rounded
    assert (pixels == 65535).sum() == 36  # 6 % of 100 rows, squared


def test_ranks_are_correlated_with_ties_at_their_mean() -> None:
    assert robustness.spearman(pd.Series([1.0, 2.0, 3.0]), pd.Series([1.0, 4.0, 9.0])) == pytest.approx(1.0)
    # ranks 1, 2.5, 2.5, 4 and 4, 3, 2, 1: covariance -4.5, variances 4.5 and 5
    tied = robustness.spearman(pd.Series([1.0, 2.0, 2.0, 9.0]), pd.Series([8.0, 7.0, 6.0, 5.0]))
    assert tied == pytest.approx(-4.5 / np.sqrt(4.5 * 5.0))
    assert np.isnan(robustness.spearman(pd.Series([1.0, 1.0]), pd.Series([1.0, 2.0])))


def test_a_line_counts_what_moved_and_whether_that_was_noticed() -> None:
    before = pd.DataFrame({"domain": "head", "case": "1", "landmark": list("abcd"), "error": 1.0, "x": 0.0, "y": 0.0})
    found = before.assign(
        corruption="noise",
        strength=0.1,
        x=[0.0, 3.0, 0.0, np.nan],
        y=[1.0, 4.0, 20.0, np.nan],
        error=[1.0, 2.0, 3.0, np.inf],
        height=100,
        mm=0.5,
        unit="mm",
        confidence=[0.9, 0.8, 0.3, 0.1],
        presence=[0.9, 0.8, 0.5, 0.05],
        radius=[1.5, 2.5, 2.5, np.nan],
        turned=False,
    )
    line = robustness.figures(robustness.beside(found, before))
    # 1 px is 1 % and not more; 5 px is 2.5 mm, which the radius reaches; 20 px is not; what is lost is doubted
    assert line["moved"] == 75.0
    assert line["noticed"] == pytest.approx(200 / 3)
    assert line["within"] == 50.0
    assert line["confidence"] == pytest.approx(-1.0)
