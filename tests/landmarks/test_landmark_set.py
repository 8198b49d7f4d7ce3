# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from monai_gu2net.landmarks import LandmarkSet, image_plane_affine

NAN = float("nan")


@pytest.fixture
def landmarks() -> LandmarkSet:
    return LandmarkSet(("a", "b", "c"), np.array([[1.0, 2.0], [NAN, NAN], [5.0, 6.0]]), "index")


def test_a_row_of_nan_is_absent(landmarks):
    assert landmarks.present.tolist() == [True, False, True]


def test_points_are_a_read_only_copy(landmarks):
    source = np.zeros((1, 2))
    made = LandmarkSet(("a",), source, "index")
    source[0] = 7.0
    assert made.points.tolist() == [[0.0, 0.0]]
    with pytest.raises(ValueError, match="read-only"):
        made.points[0, 0] = 1.0


def test_selecting_gives_the_order_asked_for(landmarks):
    chosen = landmarks.select(["c", "a"])
    assert chosen.names == ("c", "a")
    assert chosen.points.tolist() == [[5.0, 6.0], [1.0, 2.0]]


def test_selecting_an_unknown_name_names_it(landmarks):
    with pytest.raises(ValueError, match=r"got \['sella'\]"):
        landmarks.select(["a", "sella"])


def test_a_missing_name_is_absent_where_that_is_allowed(landmarks):
    chosen = landmarks.select(["sella", "a"], allow_missing=True)
    assert chosen.present.tolist() == [False, True]


def test_converting_to_mm_and_back_returns_the_set(landmarks):
    affine = image_plane_affine((0.1, 0.4))
    in_mm = landmarks.to_mm(affine)
    assert in_mm.frame == "mm"
    np.testing.assert_allclose(in_mm.points[0], [0.1, 0.8])
    back = in_mm.to_index(affine)
    assert back.frame == "index"
    np.testing.assert_allclose(back.points, landmarks.points, atol=1e-12)


def test_converting_to_its_own_frame_changes_nothing(landmarks):
    assert landmarks.to_index(np.eye(4)) is landmarks


@pytest.mark.parametrize(
    ("names", "points", "message"),
    [
        (("a", "a"), np.zeros((2, 2)), r"all different; got \['a'\]"),
        (("a", ""), np.zeros((2, 2)), "non-empty text"),
        (("a",), np.zeros((2, 2)), r"shape \(1, 2\) or \(1, 3\).*got \(2, 2\)"),
        (("a",), np.zeros((1, 4)), r"got \(1, 4\)"),
        (("a", "b"), [[0, 0], [1, NAN]], "'b' must be all finite, or all NaN"),
        (("a", "b"), [[float("inf"), 0], [1, 1]], "'a' must be all finite, or all NaN"),
    ],
)
def test_names_and_points_that_break_a_rule_are_refused(names, points, message):
    with pytest.raises(ValueError, match=message):
        LandmarkSet(names, points, "index")


def test_an_unknown_frame_is_refused():
    with pytest.raises(ValueError, match=r"frame must be among \['index', 'mm', 'LPS', 'RAS'\]; got 'world'"):
        LandmarkSet(("a",), np.zeros((1, 2)), "world")  # type: ignore[arg-type]
