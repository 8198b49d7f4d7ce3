# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import SPINE_LANDMARKS, VERTEBRAE
from monai_gu2net.measurements import SPINE, CobbAngle, measure

WIDTH, HEIGHT = 40.0, 20.0


def spine(tilts: Sequence[float], wedge: float = 0.0) -> LandmarkSet:
    """Vertebrae below each other with these tilts in degrees; the end plates differ by the wedge."""
    points = {}
    for number, (name, tilt) in enumerate(zip(VERTEBRAE, tilts, strict=True)):
        for row, half in (("t", -0.5), ("b", 0.5)):
            angle = math.radians(tilt + half * wedge)
            along = np.array([math.cos(angle), math.sin(angle)]) * WIDTH / 2
            middle = np.array([200.0, 50.0 + 30.0 * number + half * HEIGHT])
            points[f"{name}_{row}l"], points[f"{name}_{row}r"] = middle - along, middle + along
    return LandmarkSet(tuple(points), list(points.values()), "index")


def cobb(landmarks: LandmarkSet) -> list[float]:
    return [each.value for each in measure(SPINE, landmarks, unit="px")]


# T1 level, T6 rises by 20 degrees, T12 falls by 25, L5 falls by 5.
DOUBLE = np.interp(np.arange(17), (0, 5, 11, 16), (0, -20, 25, 5))


def test_curves_have_the_angles_of_their_end_vertebrae() -> None:
    assert cobb(spine(DOUBLE)) == pytest.approx([45, 20, 20])


def test_end_plates_count_rather_than_the_vertebra_s_middle() -> None:
    # the upper plate of T6 and the lower one of T12 are half a wedge steeper than their vertebrae
    assert cobb(spine(DOUBLE, wedge=4.0))[0] == pytest.approx(45 + 4)


def test_the_end_vertebrae_are_named() -> None:
    main, above, below = measure(SPINE, spine(DOUBLE), unit="px")
    assert main.landmarks == ("T6_tl", "T6_tr", "T12_bl", "T12_br")
    assert above.landmarks == ("T1_tl", "T1_tr", "T6_bl", "T6_br")
    assert below.landmarks == ("T12_tl", "T12_tr", "L5_bl", "L5_br")
    assert [each.name for each in (main, above, below)] == ["Cobb angle", "Cobb angle above", "Cobb angle below"]
    # one report must not hold three numbers of one code
    assert [each.code for each in (main, above, below)] == [("285285000", "SCT", "Cobb angle"), None, None]


def test_a_single_curve_over_the_whole_spine_leaves_none_beside_it() -> None:
    main, above, below = cobb(spine(np.linspace(-15, 15, 17)))
    assert main == pytest.approx(30)
    assert math.isnan(above)
    assert math.isnan(below)


def test_a_straight_spine_has_no_angle() -> None:
    assert cobb(spine(np.full(17, 3.0)))[0] == pytest.approx(0, abs=1e-5)


def test_size_turn_and_side_of_the_picture_do_not_matter() -> None:
    landmarks = spine(DOUBLE)
    c, s = math.cos(0.7), math.sin(0.7)
    turned = LandmarkSet(landmarks.names, landmarks.points @ np.array([[c, s], [-s, c]]) * 0.3, "index")
    mirrored = LandmarkSet(
        tuple(name.translate(str.maketrans("lr", "rl")) for name in landmarks.names),
        landmarks.points * (-1, 1),
        "index",
    )
    assert cobb(turned) == pytest.approx([45, 20, 20])
    assert cobb(mirrored) == pytest.approx([45, 20, 20])


def test_one_absent_corner_leaves_the_largest_angle_open() -> None:
    landmarks = spine(DOUBLE)
    points = landmarks.points.copy()
    points[3] = np.nan
    assert all(math.isnan(angle) for angle in cobb(LandmarkSet(landmarks.names, points, "index")))


def test_the_error_is_that_of_two_end_plates_held_fixed() -> None:
    radius = np.full(68, 1.5 * math.sqrt(2 * math.log(10)))  # sigma 1.5
    main = measure(SPINE, spine(DOUBLE), unit="px", radius=radius)[0]
    # each plate's slope varies by sqrt(2) sigma / width, two plates by 2 sigma / width
    assert main.error == pytest.approx(math.degrees(2 * 1.5 / WIDTH), rel=1e-4)


def test_landmarks_are_those_of_the_package_s_spines() -> None:
    assert set(SPINE[0].needs) == set(SPINE_LANDMARKS)


def test_an_unknown_curve_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'x': curve must be 'main', 'above' or 'below'; got 'left'"):
        CobbAngle("x", "cobb", curve="left")  # type: ignore[arg-type]
