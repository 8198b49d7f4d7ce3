# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monai_gu2net.landmarks import mean_shape, pose_of

SHAPE = np.array([[0, 0, 0], [10, 0, 0], [0, 7, 0], [0, 0, 4], [6, 5, 1], [-3, 2, 8], [4, -6, -5], [9, 9, -2]], float)
seeds = st.integers(0, 2**31)


def moved(points: np.ndarray, seed: int) -> tuple[np.ndarray, Rotation, np.ndarray]:
    """The points in another pose, and what leads back: any rotation, then a shift."""
    rng = np.random.default_rng(seed)
    back, shift = Rotation.random(random_state=rng), rng.normal(size=3) * 50
    return back.inv().apply(points - shift), back, shift


@given(seeds)
def test_a_pose_is_found_that_leads_back(seed: int) -> None:
    points, back, shift = moved(SHAPE, seed)
    pose = pose_of(points, SHAPE)
    assert pose is not None
    np.testing.assert_allclose(pose.rotation, back.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(pose.shift, shift, atol=1e-7)
    assert pose.residual < 1e-7


@given(seeds)
def test_it_is_the_fit_of_scipy(seed: int) -> None:
    """SciPy solves the same problem for the landmarks that its own fit leaves within twice the median."""
    rng = np.random.default_rng(seed)
    off = rng.normal(size=SHAPE.shape)
    points, _, _ = moved(SHAPE + 0.5 * off / np.linalg.norm(off, axis=1, keepdims=True), seed)
    pose = pose_of(points, SHAPE)
    kept = np.ones(len(SHAPE), dtype=bool)
    for _ in range(5):
        wanted, found = SHAPE[kept] - SHAPE[kept].mean(0), points[kept] - points[kept].mean(0)
        expected, _ = Rotation.align_vectors(wanted, found)
        shift = SHAPE[kept].mean(0) - expected.apply(points[kept].mean(0))
        off_mm = np.linalg.norm(expected.apply(points) + shift - SHAPE, axis=1)
        kept = off_mm <= 2 * np.median(off_mm)
    assert pose is not None
    np.testing.assert_allclose(pose.rotation, expected.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(pose.shift, shift, atol=1e-9)
    assert np.linalg.det(pose.rotation) == pytest.approx(1)


@given(seeds, st.integers(0, 7), st.integers(0, 7))
def test_landmarks_that_are_wrong_or_absent_do_not_count(seed: int, wrong: int, absent: int) -> None:
    points, back, _ = moved(SHAPE, seed)
    points[wrong] += [40.0, -30.0, 20.0]
    points[absent] = np.nan
    pose = pose_of(points, SHAPE)
    assert pose is not None
    np.testing.assert_allclose(pose.rotation, back.as_matrix(), atol=1e-6)


def test_a_mirrored_shape_is_not_turned_inside_out() -> None:
    pose = pose_of(SHAPE * [-1, 1, 1], SHAPE)
    assert pose is not None
    assert np.linalg.det(pose.rotation) == pytest.approx(1)
    assert pose.residual > 1


def test_in_two_dimensions_a_quarter_turn_is_found() -> None:
    flat = np.array([[0.0, 0], [4, 0], [0, 2], [3, 3]])
    pose = pose_of(np.array([[0.0, 0], [0, 4], [-2, 0], [-3, 3]]) + np.array([5, 6]), flat)
    assert pose is not None
    np.testing.assert_allclose(pose.rotation, [[0, 1], [-1, 0]], atol=1e-12)
    np.testing.assert_allclose(pose.shift, [-6, 5], atol=1e-12)


@pytest.mark.parametrize("present", [0, 1, 2])
def test_too_few_landmarks_have_no_pose(present: int) -> None:
    points = SHAPE.copy()
    points[present:] = np.nan
    assert pose_of(points, SHAPE) is None


def test_landmarks_in_one_place_have_no_pose() -> None:
    assert pose_of(np.zeros_like(SHAPE), SHAPE) is None


@given(seeds)
def test_landmarks_on_a_line_have_no_pose_in_space(seed: int) -> None:
    along = np.linspace(-5, 9, 8)[:, None] * np.random.default_rng(seed).normal(size=3)
    assert pose_of(moved(along, seed)[0], along) is None


def test_landmarks_on_a_line_of_a_plane_have_one() -> None:
    along = np.array([[0.0, 0], [2, 0], [5, 0]])
    pose = pose_of(along[:, ::-1], along)
    assert pose is not None
    np.testing.assert_allclose(pose.rotation, [[0, 1], [-1, 0]], atol=1e-12)


@given(seeds)
def test_the_mean_of_one_shape_in_many_poses_is_that_shape(seed: int) -> None:
    shape = mean_shape([moved(SHAPE, seed + turn)[0] for turn in range(5)])
    np.testing.assert_allclose(
        np.linalg.norm(shape[:, None] - shape, axis=-1), np.linalg.norm(SHAPE[:, None] - SHAPE, axis=-1), atol=1e-6
    )
    assert np.abs(shape.mean(axis=0)).max() < 1e-7


def test_the_mean_shape_lies_as_the_first_set_with_the_most_landmarks() -> None:
    lacking = SHAPE.copy()
    lacking[3] = np.nan
    turned = Rotation.from_euler("z", 90, degrees=True).apply(SHAPE)
    shape = mean_shape([lacking, turned, SHAPE])
    np.testing.assert_allclose(shape, turned - turned.mean(axis=0), atol=1e-9)


def test_the_mean_takes_each_landmark_from_where_it_is() -> None:
    """Two of three have the last landmark, 1 mm to either side of where it is."""
    first, second, third = SHAPE.copy(), SHAPE.copy(), SHAPE.copy()
    first[-1, 2] += 1
    second[-1, 2] -= 1
    third[-1] = np.nan
    shape = mean_shape([first, second, third])
    np.testing.assert_allclose(shape - shape[0], SHAPE - SHAPE[0], atol=1e-9)


def test_a_landmark_that_none_has_is_absent_of_the_mean() -> None:
    lacking = SHAPE.copy()
    lacking[3] = np.nan
    assert np.isnan(mean_shape([lacking, lacking])).any(axis=1).tolist() == [i == 3 for i in range(8)]


def test_sets_of_fewer_landmarks_than_axes_have_no_mean() -> None:
    with pytest.raises(ValueError, match=r"at least as many landmarks as axes; got \[2\]"):
        mean_shape([np.array([[0.0, 0, 0], [1, 1, 1], [np.nan] * 3])])
    with pytest.raises(ValueError, match="got none"):
        mean_shape([])
