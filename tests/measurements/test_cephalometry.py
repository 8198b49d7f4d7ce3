# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HEAD_LANDMARKS
from monai_gu2net.measurements import CEPHALOMETRY, measure

FRANKFORT, PALATAL, MANDIBULAR, STEINER = 7.0, 9.0, 32.0, 30.0  # degrees below sella-nasion, falling forwards


def towards(degrees: float, length: float) -> np.ndarray:
    """A way forwards (x) and down (y)."""
    return length * np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def head() -> dict[str, np.ndarray]:
    """A head looking right with SNA 82, SNB 80, and planes at round angles to sella-nasion."""
    points = {"sella": np.zeros(2), "nasion": np.array([70.0, 0.0])}
    points["subspinale"] = points["nasion"] + towards(180 - 82, 58)
    points["supramentale"] = points["nasion"] + towards(180 - 80, 95)
    points["pogonion"] = points["nasion"] + towards(180 - 81, 105)
    points["porion"] = np.array([-18.0, 20.0])
    points["orbitale"] = points["porion"] + towards(FRANKFORT, 78)
    points["posterior_nasal_spine"] = np.array([18.0, 44.0])
    points["anterior_nasal_spine"] = points["posterior_nasal_spine"] + towards(PALATAL, 52)
    points["gonion"] = np.array([-6.0, 76.0])
    points["menton"] = points["gonion"] + towards(MANDIBULAR, 68)
    points["gnathion"] = points["gonion"] + towards(STEINER, 72)
    points["articulare"] = np.array([-12.0, 32.0])
    points["upper_incisal_incision"] = np.array([66.0, 76.0])
    points["lower_incisal_incision"] = np.array([63.0, 72.0])
    points["subnasale"] = np.array([78.0, 56.0])
    points["soft_tissue_pogonion"] = np.array([66.0, 112.0])
    points["upper_lip"] = np.array([80.0, 68.0])
    points["lower_lip"] = np.array([70.0, 84.0])
    return points


def measured(points: dict[str, np.ndarray]) -> dict[str, float]:
    landmarks = LandmarkSet(tuple(points), list(points.values()), "mm")
    return {each.name: each.value for each in measure(CEPHALOMETRY, landmarks, unit="mm")}


def slope(points: dict[str, np.ndarray], first: str, second: str) -> float:
    x, y = points[second] - points[first]
    return math.degrees(math.atan2(y, x))


def test_the_nineteen_landmarks_are_enough() -> None:
    assert set(HEAD_LANDMARKS) >= {name for each in CEPHALOMETRY for name in each.needs}
    assert set(head()) == set(HEAD_LANDMARKS)


def test_names_are_given_once_and_each_has_its_source() -> None:
    names = [each.name for each in CEPHALOMETRY]
    assert len(set(names)) == len(names)
    assert all(each.source for each in CEPHALOMETRY)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SNA", 82),
        ("SNB", 80),
        ("ANB", 2),
        ("SN-MP", MANDIBULAR),
        ("SN-GoGn", STEINER),
        ("FMA", MANDIBULAR - FRANKFORT),
        ("palatal plane to Frankfort", PALATAL - FRANKFORT),
        ("palatal plane to mandibular plane", MANDIBULAR - PALATAL),
        ("facial angle", 81 + FRANKFORT),
        ("anterior face height", float(np.hypot(*(head()["menton"] - [70, 0])))),
        ("posterior face height", float(np.hypot(6, 76))),
        ("FHI", float(np.hypot(6, 76) / np.hypot(*(head()["menton"] - [70, 0])))),
        ("MW", 5),
    ],
)
def test_values_follow_from_how_the_head_was_drawn(name: str, expected: float) -> None:
    assert measured(head())[name] == pytest.approx(expected)


def test_indices_are_the_sums_of_their_planes_slopes() -> None:
    points, values = head(), measured(head())
    ab, facial = slope(points, "subspinale", "supramentale"), slope(points, "nasion", "pogonion")
    assert values["A-B plane to facial plane"] == pytest.approx(facial - ab)
    assert values["ODI"] == pytest.approx(ab - MANDIBULAR + PALATAL - FRANKFORT)
    assert values["APDI"] == pytest.approx((180 - facial + FRANKFORT) + (facial - ab) + (PALATAL - FRANKFORT))
    assert values["Y-axis"] == pytest.approx(slope(points, "sella", "gnathion") - FRANKFORT)
    convexity = slope(points, "subspinale", "pogonion") - slope(points, "nasion", "subspinale")
    assert values["angle of convexity"] == pytest.approx(convexity)


@pytest.mark.parametrize(
    ("landmark", "moved", "name", "sign"),
    [
        ("subspinale", (-15, 0), "ANB", -1),
        ("subspinale", (15, 0), "angle of convexity", 1),
        ("subspinale", (-15, 0), "angle of convexity", -1),
        ("supramentale", (25, 0), "A-B plane to facial plane", 1),
        ("supramentale", (-25, 0), "A-B plane to facial plane", -1),
        ("anterior_nasal_spine", (0, 10), "palatal plane to Frankfort", 1),
        ("anterior_nasal_spine", (0, -10), "palatal plane to Frankfort", -1),
        ("subspinale", (20, 0), "A to N perpendicular", 1),
        ("subspinale", (-20, 0), "A to N perpendicular", -1),
        ("pogonion", (-40, 0), "Pog to N perpendicular", -1),
        ("upper_lip", (5, 0), "upper lip to Sn-Pog'", 1),
        ("upper_lip", (-20, 0), "upper lip to Sn-Pog'", -1),
        ("lower_lip", (-20, 0), "lower lip to Sn-Pog'", -1),
        ("upper_incisal_incision", (-10, 0), "MW", -1),
    ],
)
def test_what_lies_ahead_or_falls_forwards_is_positive(
    landmark: str, moved: tuple[float, float], name: str, sign: int
) -> None:
    points = head()
    points[landmark] = points[landmark] + moved
    mirrored = {key: point * (-1, 1) for key, point in points.items()}
    assert math.copysign(1, measured(points)[name]) == sign
    assert measured(mirrored)[name] == pytest.approx(measured(points)[name])


def test_an_image_without_sella_keeps_what_does_not_need_it() -> None:
    points = head()
    points["sella"] = np.full(2, np.nan)
    values = measured(points)
    assert math.isnan(values["SNA"])
    assert math.isnan(values["ANB"])
    assert values["FMA"] == pytest.approx(MANDIBULAR - FRANKFORT)
