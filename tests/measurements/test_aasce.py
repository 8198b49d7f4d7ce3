# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from monai_gu2net.measurements import aasce_angles

STEP, HALF_HEIGHT, HALF_WIDTH = 30.0, 10.0, 20.0
LAST = 50.0 + 16 * STEP + HALF_HEIGHT  # y of the lowest end plate's middle


def corners(tilts: Sequence[float], xs: Sequence[float]) -> NDArray[np.float64]:
    """(68, 2) parallelograms below each other, with these tilts in degrees and middles at these x."""
    points = []
    for number, (tilt, x) in enumerate(zip(tilts, xs, strict=True)):
        along = HALF_WIDTH * np.array([math.cos(math.radians(tilt)), math.sin(math.radians(tilt))])
        for half in (-HALF_HEIGHT, HALF_HEIGHT):
            middle = np.array([x, 50.0 + STEP * number + half])
            points += [middle - along, middle + along]
    return np.array(points)


def tilts(at: dict[int, float]) -> list[float]:
    """Of 17 vertebrae, straight between those given."""
    return np.interp(np.arange(17), list(at), list(at.values())).tolist()


ONE_BEND = [100 + 40 * math.sin(math.pi * number / 16) for number in range(17)]
TWO_BENDS = [100 + 40 * math.sin(2 * math.pi * number / 16) for number in range(17)]


def test_with_one_bend_the_others_are_to_the_first_and_to_the_last_vertebra() -> None:
    # largest between T4 (-20) and T12 (25); T1 has -5, L5 has 10
    turned = tilts({0: -5, 3: -20, 11: 25, 16: 10})
    assert aasce_angles(corners(turned, ONE_BEND), 1000) == pytest.approx([45, 15, 15])


def test_with_two_bends_in_the_upper_half_they_are_the_largest_above_and_below() -> None:
    # T3 is turned further than T1 against T6, L3 further than L5 against T10
    turned = tilts({0: 2, 2: 12, 5: -20, 9: 25, 14: -4, 16: 3})
    assert aasce_angles(corners(turned, TWO_BENDS), 1000) == pytest.approx([45, 32, 29])


def test_with_two_bends_in_the_lower_half_the_third_lies_above_the_second() -> None:
    # the second is from T6 up to T3; the third from T3 up to T1
    turned = tilts({0: 2, 2: 12, 5: -20, 9: 25, 14: -4, 16: 3})
    assert aasce_angles(corners(turned, TWO_BENDS), 400) == pytest.approx([45, 32, 10])


def test_halves_are_told_by_the_lower_end_plates_of_the_pair() -> None:
    turned = tilts({0: 2, 2: 12, 5: -20, 9: 25, 14: -4, 16: 3})
    # T6 and T10, the middles of their lower plates at 50 + 30 * 5 + 10 and 50 + 30 * 9 + 10: 540 together
    assert aasce_angles(corners(turned, TWO_BENDS), 540)[2] == pytest.approx(10)
    assert aasce_angles(corners(turned, TWO_BENDS), 540.1)[2] == pytest.approx(29)
    assert np.isnan(aasce_angles(corners(turned, TWO_BENDS), math.nan)).tolist() == [False, False, True]


def test_middle_lines_count_rather_than_end_plates() -> None:
    points = corners(tilts({0: 0, 16: 0}), ONE_BEND)
    # T5's upper end plate rises by 10 px and its lower one falls by as much: its middle line is level
    points[4 * 4 : 4 * 4 + 4, 1] += [5, -5, -5, 5]
    assert aasce_angles(points, 1000) == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_spine_that_is_straight_has_no_angles() -> None:
    for xs in (np.full(17, 100.0), np.linspace(100, 180, 17)):
        assert aasce_angles(corners(np.full(17, 3.0).tolist(), xs.tolist()), 1000) == pytest.approx(0, abs=1e-5)


def test_ends_above_each_other_leave_it_to_the_bends() -> None:
    turned = tilts({0: -5, 3: -20, 11: 25, 16: 10})
    plain = [100 + 10 * min(number, 16 - number) for number in range(17)]
    assert aasce_angles(corners(turned, plain), 1000) == pytest.approx([45, 15, 15])


def test_one_absent_corner_leaves_no_angle() -> None:
    points = corners(tilts({0: -5, 16: 10}), ONE_BEND)
    points[40] = np.nan
    assert np.isnan(aasce_angles(points, 1000)).all()


def test_another_number_of_points_is_refused() -> None:
    with pytest.raises(ValueError, match=r"corners must be 68 points x, y; got shape \(64, 2\)"):
        aasce_angles(np.zeros((64, 2)), 1000)
