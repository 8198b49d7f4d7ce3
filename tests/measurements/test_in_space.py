# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements between the landmarks of volumes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monai_gu2net.data import Domain
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import CobbAngle, Measurement, measure, read_measurements

NAMES = tuple("abcdef")
NAN = math.nan
KINDS = {
    "distance": "ab",
    "angle": "abc",
    "line_angle": "abcd",
    "line_distance": "abc",
    "plane_distance": "abcd",
    "line_plane_angle": "abcde",
    "plane_angle": "abcdef",
    "projected_distance": "abcd",
    "directed_distance": "abcd",
    "ratio": "abcd",
    "ellipse_perimeter": "abcd",
}


def of(kind: str) -> Measurement:
    return Measurement(kind, kind, tuple(KINDS[kind]))


def measured(kind: str, points: Any, radius: Any = None) -> Any:
    names = NAMES[: len(points)]
    return measure([of(kind)], LandmarkSet(names, points, "mm"), unit="mm", radius=radius)[0]


FLOOR = [[0, 0, 0], [5, 0, 0], [0, 7, 0]]  # a plane with the normal z
RAMP = [[0, 0, 0], [5, 0, 0], [0, 1, 1]]  # the same, turned by 45 degrees about x


@pytest.mark.parametrize(
    ("kind", "points", "expected", "unit"),
    [
        ("distance", [[1, 1, 1], [3, 4, 7]], 7, "mm"),
        ("angle", [[0, 0, 9], [0, 0, 0], [4, 4, 0]], 90, "deg"),
        ("line_angle", [[0, 0, 0], [1, 0, 0], [7, 7, 7], [7, 8, 7]], 90, "deg"),
        ("line_angle", [[0, 0, 0], [1, 0, 0], [7, 7, 7], [6, 7, 8]], 135, "deg"),
        ("line_distance", [[6, 3, 4], [0, 0, 0], [9, 0, 0]], 5, "mm"),
        ("line_distance", [[6, -3, -4], [0, 0, 0], [9, 0, 0]], 5, "mm"),
        ("plane_distance", [[11, -8, 6], *FLOOR], 6, "mm"),
        ("plane_distance", [[11, -8, -6], *FLOOR], 6, "mm"),
        ("plane_distance", [[3, 0, 2], *RAMP], math.sqrt(2), "mm"),
        ("line_plane_angle", [[0, 0, 0], [1, 0, 1], *FLOOR], 45, "deg"),
        ("line_plane_angle", [[1, 0, 1], [0, 0, 0], *FLOOR], 45, "deg"),  # a line has no direction
        ("line_plane_angle", [[2, 2, 0], [2, 2, 9], *FLOOR], 90, "deg"),
        ("line_plane_angle", [[2, 2, 3], [9, 1, 3], *FLOOR], 0, "deg"),
        ("plane_angle", [*FLOOR, *RAMP], 45, "deg"),
        ("plane_angle", [*FLOOR, RAMP[1], RAMP[0], RAMP[2]], 45, "deg"),  # nor has a plane
        ("plane_angle", [*FLOOR, [0, 0, 0], [5, 0, 0], [0, 0, 3]], 90, "deg"),
        ("projected_distance", [[0, 0, 0], [3, 7, 5], [1, 1, 1], [1, 1, 9]], 5, "mm"),
        ("directed_distance", [[0, 0, 0], [2, 3, -6], [1, 1, 1], [1, 1, 9]], -7, "mm"),
        ("ratio", [[0, 0, 0], [2, 3, 6], [0, 0, 0], [0, 0, 2]], 3.5, "1"),
    ],
)
def test_each_kind_gives_the_value_worked_out_by_hand(kind: str, points: Any, expected: float, unit: str) -> None:
    result = measured(kind, points)
    assert result.value == pytest.approx(expected, abs=1e-12)
    assert result.unit == unit


# Each kind of space again by other formulas, for many points at once: (n, 6, 3) -> (n,)
def _volume(p, q, r, s):
    """Six times that of a tetrahedron."""
    return np.abs(np.linalg.det(np.stack([q - p, r - p, s - p], axis=-2)))


def _area(p, q, r):
    """Twice that of a triangle, by Heron."""
    a, b, c = (np.linalg.norm(v, axis=-1) for v in (q - p, r - q, p - r))
    half = (a + b + c) / 2
    return 2 * np.sqrt(half * (half - a) * (half - b) * (half - c))


def _normal_of(p):
    """Of planes through three points, (n, 3, 3), by the singular value decomposition."""
    return np.linalg.svd(p - p.mean(axis=-2, keepdims=True))[2][..., -1, :]


def _cosine(u, v):
    return np.abs((u * v).sum(-1)) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)


ORACLES = {
    "line_distance": lambda p: _area(*np.moveaxis(p[:, :3], 1, 0)) / np.linalg.norm(p[:, 2] - p[:, 1], axis=-1),
    "plane_distance": lambda p: _volume(*np.moveaxis(p[:, :4], 1, 0)) / _area(*np.moveaxis(p[:, 1:4], 1, 0)),
    "line_plane_angle": lambda p: np.degrees(np.arcsin(_cosine(p[:, 1] - p[:, 0], _normal_of(p[:, 2:5])))),
    "plane_angle": lambda p: np.degrees(np.arccos(_cosine(_normal_of(p[:, :3]), _normal_of(p[:, 3:])))),
}
PLACES = np.array(
    [[0.0, 10, 40], [60, 10, -20], [20, 50, 5], [90, 95, 30], [-40, 30, 70], [10, -60, 35]]
)  # no two lines or planes near to parallel or upright
RADIUS = np.array([0.5, 1.0, 1.5, 0.8, 1.2, 0.6])


@pytest.mark.parametrize("kind", ORACLES)
def test_the_value_is_that_of_another_formula_and_the_error_the_spread_of_simulated_landmarks(
    kind: str, rng: np.random.Generator
) -> None:
    result = measured(kind, PLACES, RADIUS)
    sigma = RADIUS / 2.5002777108094353  # the root of the 0.9 quantile of chi-squared with 3 degrees of freedom
    simulated = ORACLES[kind](PLACES + sigma[:, None] * rng.standard_normal((100_000, 6, 3)))
    assert result.value == pytest.approx(float(ORACLES[kind](PLACES[None])[0]))
    assert result.error == pytest.approx(float(simulated.std()), rel=0.02)


def test_a_point_on_a_plane_has_the_error_of_one_above_it() -> None:
    """Of the point's own spread alone: the plane's landmarks are certain."""
    corner = [[100.0, 0, 0], [0, 100.0, 0], [0, 0, 0]]
    sigma = np.array([2.5002777108094353, 0, 0, 0])
    for height in (0.0, 1e-9, 3.0):
        result = measured("plane_distance", [[20, 20, height], *corner], sigma)
        assert (result.value, result.error) == (pytest.approx(height), pytest.approx(1.0))


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("line_plane_angle", [[2, 2, 3], [9, 1, 3], *FLOOR]),
        ("plane_angle", [*FLOOR, [0, 0, 0], [5, 0, 0], [0, 0, 3]]),
    ],
)
def test_an_angle_at_its_fold_has_an_error(kind: str, points: Any) -> None:
    """It is that of the same angle a little beside the fold."""
    turned = Rotation.from_euler("x", 0.01, degrees=True).apply(np.array(points[-3:], float))
    beside = [*points[:-3], *turned]
    radius = np.ones(len(points))
    assert measured(kind, points, radius).error == pytest.approx(measured(kind, beside, radius).error, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("line_distance", [[5, 0, 0], [0, 0, 0], [9, 0, 0]]),
        ("angle", [[5, 0, 0], [0, 0, 0], [9, 0, 0]]),
        ("line_angle", [[0, 0, 0], [1, 2, 3], [5, 5, 5], [4, 3, 2]]),
        ("plane_angle", [*FLOOR, [0, 0, 2], [3, 0, 2], [0, 1, 2]]),
        ("line_plane_angle", [[2, 2, 0], [2, 2, 9], *FLOOR]),
    ],
)
def test_a_value_without_first_order_has_no_error(kind: str, points: Any) -> None:
    result = measured(kind, points, np.ones(len(points)))
    assert result.value in (pytest.approx(0, abs=1e-6), pytest.approx(180), pytest.approx(90))
    assert math.isnan(result.error)


@pytest.mark.parametrize("kind", ["plane_distance", "line_plane_angle", "plane_angle"])
def test_three_points_on_a_line_make_no_plane(kind: str) -> None:
    count = len(KINDS[kind])
    points = PLACES[:count].copy()
    points[-3:] = np.array([[1.0], [2.0], [4.0]]) * (0.1, 0.2, 0.3) + (1000, 0, 0)
    result = measured(kind, points, np.ones(count))
    assert math.isnan(result.value)
    assert math.isnan(result.error)


@pytest.mark.parametrize("kind", KINDS)
def test_an_absent_landmark_gives_no_number(kind: str) -> None:
    for absent in range(len(KINDS[kind])):
        points = PLACES.copy()
        points[absent] = NAN
        result = measured(kind, points, RADIUS)
        assert math.isnan(result.value)
        assert math.isnan(result.error)


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(0.05, 20),
    shift=st.tuples(*[st.floats(-500, 500)] * 3),
    mirror=st.booleans(),
)
def test_rigid_motion_changes_no_measurement_nor_its_error(
    seed: int, scale: float, shift: tuple[float, float, float], mirror: bool
) -> None:
    rng = np.random.default_rng(seed)
    points, radius = rng.uniform(0, 100, (6, 3)), rng.uniform(0.1, 2, 6)
    turn = Rotation.from_rotvec(rng.uniform(-3, 3, 3)).as_matrix()
    moved = points * (-1 if mirror else 1, 1, 1) @ turn * scale + shift
    every = [of(kind) for kind in KINDS]
    before = measure(every, LandmarkSet(NAMES, points, "mm"), unit="mm", radius=radius)
    after = measure(every, LandmarkSet(NAMES, moved, "mm"), unit="mm", radius=radius * scale)
    for one, other in zip(before, after, strict=True):
        grown = scale if one.unit == "mm" else 1.0
        assert other.value == pytest.approx(one.value * grown, rel=1e-6, abs=1e-6 * grown), one.name
        assert other.error == pytest.approx(one.error * grown, rel=1e-3, abs=1e-6 * grown), one.name


@given(seed=st.integers(0, 2**32 - 1))
def test_values_keep_to_their_ranges(seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-50, 50, (6, 3))
    for kind, end in {"plane_angle": 90, "line_plane_angle": 90, "line_angle": 180, "angle": 180}.items():
        assert 0 <= measured(kind, points).value <= end
    for kind in ("line_distance", "plane_distance"):
        assert measured(kind, points).value >= 0


def test_a_sum_of_folded_values_has_the_error_of_what_it_adds() -> None:
    once = Measurement("once", "plane_distance", tuple("abcd"))
    twice = Measurement("twice", "sum", terms=((1, once), (1, once)))
    nothing = Measurement("nothing", "sum", terms=((1, once), (-1, once)))
    one, two, none = measure([once, twice, nothing], LandmarkSet(NAMES, PLACES, "mm"), unit="mm", radius=RADIUS)
    assert (two.value, two.error) == (pytest.approx(2 * one.value), pytest.approx(2 * one.error))
    assert (none.value, none.error) == (0, pytest.approx(0))


DECLARED = [
    {"name": "tilt", "kind": "plane_angle", "landmarks": list("abcdef")},
    {"name": "half the tilt", "kind": "sum", "terms": [[0.5, "tilt"]]},
]


def test_a_domain_of_volumes_declares_them_in_its_json() -> None:
    fields = {"landmarks": list(NAMES), "size": [8, 8, 8], "measurements": DECLARED}
    domain = Domain.from_dict("skull", fields)
    assert Domain.from_dict("skull", domain.to_dict()) == domain
    landmarks = LandmarkSet(NAMES, [*FLOOR, *RAMP], "mm")
    results = measure(domain.all_measurements, landmarks, unit="mm")
    assert [each.value for each in results] == pytest.approx([45, 22.5])


@pytest.mark.parametrize("kind", ["plane_distance", "line_plane_angle", "plane_angle"])
def test_a_plane_in_a_picture_is_refused(kind: str) -> None:
    declared = [{"name": "tilt", "kind": kind, "landmarks": list(KINDS[kind])}]
    with pytest.raises(
        ValueError, match=rf"'knee': measurement 'tilt': a kind with a plane must be of a volume; got '{kind}' of"
    ):
        read_measurements(declared, landmarks=NAMES, where="Domain 'knee'", dims=2)
    with pytest.raises(ValueError, match=r"with a plane must be of points in space; got 2 coordinates"):
        measure([of(kind)], LandmarkSet(NAMES, PLACES[:, :2], "mm"), unit="mm")


@pytest.mark.parametrize("kind", ["signed_angle", "signed_distance"])
def test_a_side_in_a_volume_is_refused_with_what_to_take_instead(kind: str) -> None:
    landmarks = list("abcd")[: 4 if kind == "signed_angle" else 3]
    declared = [{"name": "turn", "kind": kind, "landmarks": landmarks, "positive": "e"}]
    with pytest.raises(ValueError, match=rf"'turn': a kind with a side must be of a picture; got '{kind}'.*line_angle"):
        read_measurements(declared, landmarks=NAMES, where="Domain 'skull'", dims=3)


def test_a_measurement_of_pictures_in_a_sum_or_of_a_class_of_its_own_is_refused_in_a_volume() -> None:
    turn = Measurement("turn", "signed_angle", tuple("abcd"), positive="e")
    assert Measurement("both", "sum", terms=((1, turn),)).dims == (2,)
    assert CobbAngle("Cobb", "cobb", ()).dims == (2,)


@pytest.mark.parametrize(
    ("kind", "landmarks"),
    [("plane_distance", "abca"), ("line_plane_angle", "abccd"), ("plane_angle", "aabcde"), ("line_distance", "aba")],
)
def test_a_line_or_plane_with_a_landmark_twice_is_refused(kind: str, landmarks: str) -> None:
    with pytest.raises(ValueError, match=r"different landmarks; got \['"):
        Measurement("m", kind, tuple(landmarks))
