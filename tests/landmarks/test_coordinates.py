# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel.affines
import numpy as np
import pytest
import torch

from monai_gu2net.landmarks import (
    apply_affine,
    image_plane_affine,
    index_to_mm,
    mm_to_index,
    spatial_affine,
    world_to_lps,
)

OBLIQUE = np.array([[0.3, -0.1, 0.0, 5.0], [0.2, 0.4, 0.1, -7.0], [0.0, 0.3, 0.9, 2.0], [0, 0, 0, 1]])


def test_the_first_pixels_centre_is_the_origin_of_the_image_plane():
    affine = image_plane_affine((0.1, 0.25))
    assert index_to_mm([[0, 0], [10, 4]], affine).tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_points_in_mm_agree_with_nibabel_for_an_oblique_affine(rng):
    points = rng.normal(size=(2, 5, 3)) * 100
    np.testing.assert_allclose(index_to_mm(points, OBLIQUE), nibabel.affines.apply_affine(OBLIQUE, points), rtol=1e-12)


@pytest.mark.parametrize(
    "affine",
    [
        image_plane_affine((0.1, 0.3)),
        np.array([[0.0, -0.2, 3.0], [0.5, 0.1, -4.0], [0, 0, 1]]),
        OBLIQUE,
    ],
    ids=["anisotropic", "rotated 3x3", "oblique"],
)
def test_going_to_mm_and_back_returns_the_indices(affine, rng):
    points = rng.normal(size=(7, 3 if affine is OBLIQUE else 2)) * 1000
    np.testing.assert_allclose(mm_to_index(index_to_mm(points, affine), affine), points, atol=1e-9)


def test_absent_points_stay_absent_and_leave_the_others_alone():
    points = np.array([[np.nan, np.nan], [2.0, 3.0]])
    in_mm = index_to_mm(points, image_plane_affine((0.5, 2.0)))
    assert np.isnan(in_mm[0]).all()
    assert in_mm[1].tolist() == [1.0, 6.0]


def test_a_4x4_affine_of_a_plane_at_some_depth_moves_2d_points_in_the_plane():
    affine = np.diag([0.5, 0.5, 3.0, 1.0])
    affine[:3, 3] = [1.0, 2.0, 40.0]
    assert index_to_mm([2.0, 4.0], affine).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("spacing", [(0.1,), (0.1, 0.0), (0.1, -1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_a_spacing_that_is_not_two_positive_numbers_is_refused(spacing):
    with pytest.raises(ValueError, match="spacing must be two positive numbers"):
        image_plane_affine(spacing)


def test_an_affine_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match=r"affine must have shape \(4, 4\) for points of 3 coordinates"):
        index_to_mm(np.zeros((1, 3)), np.eye(3))


def test_2d_points_in_a_tilted_plane_are_refused():
    with pytest.raises(ValueError, match="in the plane of its first two axes"):
        index_to_mm(np.zeros((1, 2)), OBLIQUE + np.eye(4)[[2]].T @ np.eye(4)[[0]])


def test_points_of_four_coordinates_are_refused():
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 2\) or \(\.\.\., 3\)"):
        mm_to_index(np.zeros((1, 4)), np.eye(4))


def test_an_affine_without_inverse_is_refused():
    with pytest.raises(ValueError, match="affine must have an inverse"):
        mm_to_index(np.zeros((1, 2)), np.diag([0.0, 1.0, 1.0]))


def test_tensors_go_where_arrays_go_and_stay_tensors(rng):
    points = rng.normal(size=(2, 5, 3)) * 100
    moved = apply_affine(torch.from_numpy(points).float(), torch.from_numpy(OBLIQUE))
    assert moved.dtype == torch.float64
    np.testing.assert_allclose(moved, nibabel.affines.apply_affine(OBLIQUE, points.astype(np.float32)), rtol=1e-12)


def test_the_part_of_an_affine_for_a_plane_inverts_as_the_whole_does():
    affine = torch.tensor([[0.0, -0.2, 0.0, 3.0], [0.5, 0.1, 0.0, -4.0], [0.0, 0.0, 2.0, 9.0], [0.0, 0.0, 0.0, 1.0]])
    points = torch.tensor([[12.0, -3.0], [np.nan, np.nan]], dtype=torch.float64)
    back = apply_affine(apply_affine(points, affine), torch.linalg.inv(spatial_affine(affine, 2)))
    torch.testing.assert_close(back, points, equal_nan=True)


def test_2d_tensors_in_a_tilted_plane_are_refused():
    tilted = torch.eye(4)[[0, 2, 1, 3]]  # a plane that stands upright, as of a lateral radiograph
    with pytest.raises(ValueError, match="in the plane of its first two axes"):
        apply_affine(torch.zeros(1, 2), tilted)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_slicer_counts_a_volume_to_the_left_and_to_the_back_and_a_radiograph_as_it_lies(kind):
    assert world_to_lps(kind([[1.0, 2.0, 3.0]])).tolist() == [[-1.0, -2.0, 3.0]]
    assert world_to_lps(kind([[1.0, 2.0]])).tolist() == [[1.0, 2.0]]
