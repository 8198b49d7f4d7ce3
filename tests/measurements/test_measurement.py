# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ellipe
from scipy.stats import chi2

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import CEPHALOMETRY, CHEST, FETAL_HEAD, SPINE, Measurement, measure, standard_deviation

NAMES = ("a", "b", "c", "d")
NAN = math.nan


def value(measurement: Measurement, points: Any, names: tuple[str, ...] = NAMES) -> float:
    return measure([measurement], LandmarkSet(names, points, "mm"), unit="mm")[0].value


@pytest.mark.parametrize(
    ("measurement", "points", "expected", "unit"),
    [
        (Measurement("m", "distance", ("a", "b")), [[0, 0], [3, 4], [9, 9], [9, 9]], 5, "mm"),
        (Measurement("m", "angle", ("a", "b", "c")), [[5, 0], [0, 0], [0, 2], [9, 9]], 90, "deg"),
        (Measurement("m", "angle", ("a", "b", "c")), [[5, 0], [0, 0], [-1, 1], [9, 9]], 135, "deg"),
        (Measurement("m", "line_angle", NAMES), [[0, 0], [1, 0], [7, 7], [8, 8]], 45, "deg"),
        (Measurement("m", "line_angle", NAMES), [[0, 0], [1, 0], [8, 8], [7, 7]], 135, "deg"),
        (Measurement("m", "signed_angle", NAMES, positive="d"), [[0, 0], [1, 0], [0, 3], [1, 4]], 45, "deg"),
        (Measurement("m", "signed_angle", NAMES, negative="d"), [[0, 0], [1, 0], [0, 3], [1, 4]], -45, "deg"),
        (Measurement("m", "signed_angle", NAMES, positive="c"), [[0, 0], [1, 0], [0, -3], [1, -2]], -45, "deg"),
        (Measurement("m", "signed_distance", ("a", "b", "c"), positive="d"), [[3, 2], [0, 0], [9, 0], [1, 5]], 2, "mm"),
        (
            Measurement("m", "signed_distance", ("a", "b", "c"), positive="d"),
            [[3, 2], [0, 0], [9, 0], [1, -5]],
            -2,
            "mm",
        ),
        (Measurement("m", "projected_distance", NAMES), [[0, 0], [3, 7], [0, 0], [2, 0]], 3, "mm"),
        (Measurement("m", "projected_distance", NAMES), [[0, 0], [3, 7], [2, 0], [0, 0]], -3, "mm"),
        (Measurement("m", "directed_distance", NAMES), [[0, 0], [-3, 4], [0, 0], [2, 0]], -5, "mm"),
        (Measurement("m", "ratio", NAMES), [[0, 0], [3, 4], [0, 0], [0, 2]], 2.5, "1"),
        (Measurement("m", "ellipse_perimeter", NAMES), [[0, 0], [6, 8], [1, 2], [1, 12]], 10 * math.pi, "mm"),
    ],
)
def test_each_kind_gives_the_value_worked_out_by_hand(
    measurement: Measurement, points: Any, expected: float, unit: str
) -> None:
    result = measure([measurement], LandmarkSet(NAMES, points, "mm"), unit="mm")[0]
    assert result.value == pytest.approx(expected)
    assert (result.unit, result.kind, result.name) == (unit, measurement.kind, "m")


def test_a_sum_adds_its_terms_with_their_factors() -> None:
    wide, high = Measurement("wide", "distance", ("a", "b")), Measurement("high", "distance", ("c", "d"))
    both = Measurement("both", "sum", terms=((2.0, wide), (-1.0, high)))
    assert value(both, [[0, 0], [3, 4], [0, 0], [0, 2]]) == 8
    assert both.unit("px") == "px"


def test_small_angles_keep_their_digits() -> None:
    angle = Measurement("m", "angle", ("a", "b", "c"))
    assert value(angle, [[1, 0], [0, 0], [1, 1e-9], [0, 0]]) == pytest.approx(math.degrees(1e-9), rel=1e-9)


# Each kind again by other formulas, for many points at once: (n, 4, 2) -> (n,)
def _length(p, a, b):
    return np.hypot(*(p[:, b] - p[:, a]).T)


def _slope(p, a, b):
    return np.degrees(np.arctan2(*(p[:, b] - p[:, a]).T[::-1]))


def _perimeter(one, other):
    """Of an ellipse with these half axes, by the complete elliptic integral."""
    a, b = np.maximum(one, other), np.minimum(one, other)
    return 4 * a * ellipe(1 - (b / a) ** 2)


ORACLES = {
    "distance": (("a", "b"), lambda p: _length(p, 0, 1)),
    "angle": (
        ("a", "b", "c"),  # the law of cosines
        lambda p: np.degrees(
            np.arccos(
                (_length(p, 1, 0) ** 2 + _length(p, 1, 2) ** 2 - _length(p, 0, 2) ** 2)
                / (2 * _length(p, 1, 0) * _length(p, 1, 2))
            )
        ),
    ),
    "line_angle": (NAMES, lambda p: np.abs(_slope(p, 0, 1) - _slope(p, 2, 3))),
    "signed_angle": (NAMES, lambda p: _slope(p, 2, 3) - _slope(p, 0, 1)),
    "signed_distance": (
        ("a", "b", "c"),  # d lies beyond the line, so that a is on its negative side
        lambda p: -_length(p, 1, 0) * np.sin(np.radians(_slope(p, 1, 0) - _slope(p, 1, 2))),
    ),
    "projected_distance": (NAMES, lambda p: _length(p, 0, 1) * np.cos(np.radians(_slope(p, 0, 1) - _slope(p, 2, 3)))),
    "directed_distance": (NAMES, lambda p: _length(p, 0, 1)),
    "ratio": (NAMES, lambda p: _length(p, 0, 1) / _length(p, 2, 3)),
    "ellipse_perimeter": (NAMES, lambda p: _perimeter(_length(p, 0, 1) / 2, _length(p, 2, 3) / 2)),
}
PLACES = np.array([[0.0, 0.0], [60.0, 10.0], [20.0, 50.0], [90.0, 95.0]])


@pytest.mark.parametrize("kind", ORACLES)
def test_the_error_is_the_spread_of_simulated_landmarks(kind: str, rng: np.random.Generator) -> None:
    names, formula = ORACLES[kind]
    side = {"positive": "d"} if kind.startswith("signed") else {}
    radius = np.array([0.5, 1.0, 1.5, 0.8])
    landmarks = LandmarkSet(NAMES, PLACES, "mm")
    result = measure([Measurement("m", kind, names, **side)], landmarks, unit="mm", radius=radius)[0]

    sigma = radius / math.sqrt(2 * math.log(10))
    simulated = formula(PLACES + sigma[:, None] * rng.standard_normal((100_000, 4, 2)))

    assert result.value == pytest.approx(float(formula(PLACES[None])[0]))
    assert result.error == pytest.approx(float(simulated.std()), rel=0.02)


def test_terms_that_share_landmarks_are_not_added_as_independent(rng: np.random.Generator) -> None:
    first = Measurement("first", "line_angle", NAMES)
    nothing = Measurement("nothing", "sum", terms=((1, first), (-1, first)))
    twice = Measurement("twice", "sum", terms=((1, first), (1, first)))
    landmarks = LandmarkSet(NAMES, PLACES, "mm")
    one, none, two = measure([first, nothing, twice], landmarks, unit="mm", radius=np.ones(4))
    assert none.error == pytest.approx(0.0)
    assert two.error == pytest.approx(2 * one.error)


def test_the_error_of_a_distance_is_known_in_closed_form() -> None:
    landmarks = LandmarkSet(("a", "b"), [[0, 0], [3, 4]], "mm")
    radius = np.array([3.0, 4.0]) * math.sqrt(2 * math.log(10))  # sigma 3 and 4
    width = Measurement("m", "distance", ("a", "b"))
    assert measure([width], landmarks, unit="mm", radius=radius)[0].error == pytest.approx(5.0)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_radius_of_90_percent_belongs_to_its_normal_distribution(dims: int) -> None:
    expected = 7.0 / math.sqrt(chi2.ppf(0.9, dims))
    np.testing.assert_allclose(standard_deviation([7.0, NAN, math.inf], dims), [expected, NAN, NAN])


@pytest.mark.parametrize("radius", [None, [1, NAN, 1, 1], [1, math.inf, 1, 1]])
def test_without_a_radius_there_is_a_value_and_no_error(radius: Any) -> None:
    landmarks = LandmarkSet(NAMES, PLACES, "mm")
    result = measure([Measurement("m", "distance", ("a", "b"))], landmarks, unit="mm", radius=radius)[0]
    assert result.value == pytest.approx(math.hypot(60, 10))
    assert math.isnan(result.error)


def test_a_landmark_that_only_tells_the_side_needs_no_radius() -> None:
    measurement = Measurement("m", "signed_distance", ("a", "b", "c"), positive="d")
    landmarks = LandmarkSet(NAMES, PLACES, "mm")
    assert measure([measurement], landmarks, unit="mm", radius=[1, 1, 1, NAN])[0].error > 0


@pytest.mark.parametrize("measurement", [*CEPHALOMETRY, *CHEST, *SPINE, *FETAL_HEAD], ids=lambda each: each.name)
def test_an_absent_landmark_gives_no_number(measurement: Measurement, rng: np.random.Generator) -> None:
    names = measurement.needs
    points = rng.uniform(0, 100, (len(names), 2))
    for absent in range(min(len(names), 6)):
        some = points.copy()
        some[absent] = NAN
        result = measure([measurement], LandmarkSet(names, some, "mm"), unit="mm", radius=np.ones(len(names)))[0]
        assert math.isnan(result.value)
        assert math.isnan(result.error)


def test_a_landmark_that_is_not_in_the_set_is_absent() -> None:
    landmarks = LandmarkSet(("a",), [[1, 2]], "mm")
    assert math.isnan(measure([Measurement("m", "distance", ("a", "b"))], landmarks, unit="mm")[0].value)


@pytest.mark.parametrize("kind", sorted(set(ORACLES) - {"distance"}))
def test_coinciding_points_give_no_number_where_a_direction_is_needed(kind: str) -> None:
    names, _ = ORACLES[kind]
    side = {"positive": "d"} if kind.startswith("signed") else {}
    points = np.zeros((4, 2)) if not side else np.array([[0.0, 0], [0, 0], [0, 0], [5, 5]])
    landmarks = LandmarkSet(NAMES, points, "mm")
    result = measure([Measurement("m", kind, names, **side)], landmarks, unit="mm", radius=np.ones(4))[0]
    assert math.isnan(result.value)
    assert math.isnan(result.error)


def test_coinciding_points_are_at_no_distance_whose_error_is_not_known() -> None:
    landmarks = LandmarkSet(("a", "b"), [[1, 1], [1, 1]], "mm")
    result = measure([Measurement("m", "distance", ("a", "b"))], landmarks, unit="mm", radius=[1, 1])[0]
    assert result.value == 0
    assert math.isnan(result.error)


def test_the_unit_of_lengths_is_that_of_the_landmarks() -> None:
    measurements = [Measurement("d", "distance", ("a", "b")), Measurement("r", "ratio", NAMES)]
    results = measure(measurements, LandmarkSet(NAMES, PLACES, "index"), unit="px")
    assert [each.unit for each in results] == ["px", "1"]


@pytest.mark.parametrize(("frame", "unit"), [("index", "mm"), ("mm", "px"), ("mm", "cm")])
def test_a_frame_of_another_unit_is_refused(frame: Any, unit: Any) -> None:
    with pytest.raises(ValueError, match=rf"landmarks must be in mm for unit 'mm'.*frame '{frame}' and unit '{unit}'"):
        measure([], LandmarkSet(NAMES, PLACES, frame), unit=unit)


def test_radii_of_a_wrong_shape_or_sign_are_refused() -> None:
    landmarks = LandmarkSet(NAMES, PLACES, "mm")
    with pytest.raises(ValueError, match=r"radius must have shape \(4,\), a number per landmark; got \(2,\)"):
        measure([], landmarks, unit="mm", radius=[1, 2])
    with pytest.raises(ValueError, match=r"radius must not be negative; got -2\.0"):
        measure([], landmarks, unit="mm", radius=[1, NAN, -2, 1])


def test_a_kind_with_a_side_is_refused_in_space_and_others_are_not() -> None:
    landmarks = LandmarkSet(NAMES, np.eye(4, 3), "mm")
    assert value(Measurement("m", "distance", ("a", "b")), np.eye(4, 3)) == pytest.approx(math.sqrt(2))
    with pytest.raises(ValueError, match=r"with a side must be of points in a plane; got 3 coordinates"):
        measure([Measurement("m", "signed_angle", NAMES, positive="d")], landmarks, unit="mm")


WIDTH, ANGLE = Measurement("w", "distance", ("a", "b")), Measurement("g", "angle", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": " "}, r"A measurement must have a name; got ' '"),
        ({"name": "m\n"}, r"the name must be one line; got 'm\\n'"),
        ({"landmarks": ("a", "a")}, r"'m': a line must run between different landmarks; got \['a', 'a'\]"),
        ({"kind": "angle", "landmarks": ("a", "b", "b")}, r"a line must run between different landmarks"),
        ({"kind": "ratio", "landmarks": ("a", "b", "c", "c")}, r"a line must run between different landmarks"),
        ({"kind": "area"}, r"'m': kind must be among \['distance', .*'sum'\]; got 'area'"),
        ({"landmarks": ("a",)}, r"'m': a measurement of kind 'distance' must have 2 landmarks; got \['a'\]"),
        ({"landmarks": ("a", "")}, r"must have 2 landmarks"),
        ({"positive": "c"}, r"'distance' must have neither positive nor negative; got positive='c'"),
        ({"terms": ((1, WIDTH),)}, r"only a sum may have terms; got kind 'distance'"),
        ({"kind": "signed_angle", "landmarks": NAMES}, r"'signed_angle' must have either positive or negative; got"),
        ({"kind": "signed_angle", "landmarks": NAMES, "positive": "a", "negative": "b"}, r"must have either positive"),
        ({"kind": "sum"}, r"a sum must have terms with finite factors and no landmarks; got \[\] and \['a', 'b'\]"),
        ({"kind": "sum", "landmarks": (), "terms": ((NAN, WIDTH),)}, r"a sum must have terms with finite factors"),
        (
            {"kind": "sum", "landmarks": (), "terms": ((1, WIDTH), (1, ANGLE))},
            r"must have one unit; got \['deg', 'mm'\]",
        ),
    ],
)
def test_a_broken_declaration_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Measurement(**({"name": "m", "kind": "distance", "landmarks": ("a", "b")} | fields))


def test_the_json_form_has_null_for_what_is_not_known() -> None:
    landmarks = LandmarkSet(("a", "b"), [[0, 0], [3, 4]], "index")
    measurements = [
        Measurement("w", "distance", ("a", "b"), source="by hand"),
        Measurement("x", "distance", ("a", "z")),
    ]
    found, absent = (each.to_dict() for each in measure(measurements, landmarks, unit="px"))
    assert found == {"name": "w", "value": 5.0, "error": None, "unit": "px", "kind": "distance", "source": "by hand"}
    assert absent["value"] is None


SCALARS = {"deg": 0, "1": 0, "mm": 1}


@given(
    seed=st.integers(0, 2**32 - 1),
    turn=st.floats(-180, 180),
    scale=st.floats(0.05, 20),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    mirror=st.booleans(),
)
def test_place_turn_size_and_side_of_the_picture_change_no_measurement(
    seed: int, turn: float, scale: float, shift: tuple[float, float], mirror: bool
) -> None:
    measurements = (*CEPHALOMETRY, *CHEST, *FETAL_HEAD)
    names = tuple(dict.fromkeys(name for each in measurements for name in each.needs))
    points = np.random.default_rng(seed).uniform(0, 100, (len(names), 2))
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    moved = points * (-1 if mirror else 1, 1) @ np.array([[c, s], [-s, c]]) * scale + shift

    before = measure(measurements, LandmarkSet(names, points, "mm"), unit="mm")
    after = measure(measurements, LandmarkSet(names, moved, "mm"), unit="mm")

    for one, other in zip(before, after, strict=True):
        difference = other.value - one.value * scale ** SCALARS[one.unit]
        if one.unit == "deg":
            difference = (difference + 180) % 360 - 180  # a half turn is as far either way
        assert abs(difference) < 1e-6 * max(1, abs(one.value)) * max(1, scale), one.name
