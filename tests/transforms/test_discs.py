# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from skimage.draw import disk, ellipse

from monai_gu2net.transforms import LandmarksToDiscsd


def sample(
    points: list[list[float]], *, file: str = "image.png", spacing: tuple[float, float] = (1, 1), **more: Any
) -> Any:
    """Landmarks at these pixels of a (40, 30) image."""
    affine = torch.diag(torch.tensor([*spacing, 1.0, 1.0], dtype=torch.float64))
    return {
        "pred": torch.zeros(len(points), 8, 8),
        "pred_landmarks": torch.tensor(points, dtype=torch.float64) * torch.tensor(spacing),
        "file_affine": affine,
        "file_size": torch.tensor([40, 30]),
        "image_file": file,
        "unit": "px" if spacing == (1, 1) else "mm",
        **more,
    }


def test_a_disc_is_that_of_scikit_image_with_the_landmarks_index_plus_one() -> None:
    mask = LandmarksToDiscsd(radius_px=4)(sample([[20.3, 10.8], [7.0, 22.0]]))["pred"]
    expected = np.zeros((40, 30), dtype=np.uint8)
    for value, centre in ((1, (20.3, 10.8)), (2, (7, 22))):
        expected[disk(centre, 4 + 1e-9, shape=expected.shape)] = value
    assert mask.dtype == torch.uint8
    np.testing.assert_array_equal(mask.numpy(), expected)


def test_an_absent_landmark_has_none_and_the_others_keep_their_values() -> None:
    mask = LandmarksToDiscsd()(sample([[math.nan, math.nan], [20, 10]]))["pred"]
    assert mask.unique().tolist() == [0, 2]


def test_a_radius_in_mm_is_an_ellipse_where_pixels_are_not_square() -> None:
    mask = LandmarksToDiscsd(radius_px=1, radius_mm=2.0)(sample([[20, 15]], spacing=(0.5, 0.25)))["pred"]
    expected = np.zeros((40, 30), dtype=np.uint8)
    expected[ellipse(20, 15, 4 + 1e-9, 8 + 1e-9, shape=expected.shape)] = 1
    np.testing.assert_array_equal(mask.numpy(), expected)
    pixels = LandmarksToDiscsd(radius_px=1, radius_mm=2.0)(sample([[20, 15]]))["pred"]
    assert pixels.sum() == 5


def test_where_discs_meet_a_pixel_belongs_to_the_nearer_landmark() -> None:
    mask = LandmarksToDiscsd(radius_px=5)(sample([[23.0, 10], [17.0, 10], [19.0, 10]]))["pred"].numpy()
    assert mask[12:29, 10].tolist() == [2] * 7 + [3] * 2 + [1] * 8  # the first one where two are as near


def test_a_small_disc_is_the_pixel_of_the_landmark() -> None:
    mask = LandmarksToDiscsd(radius_px=0.1)(sample([[20.4, 10.4]]))["pred"]
    assert torch.nonzero(mask).tolist() == [[20, 10]]


@pytest.mark.parametrize(("point", "area"), [([0.0, 0.0], 11), ([39.0, 29.0], 11), ([-9.0, 50.0], 0)])
def test_what_lies_outside_of_the_image_is_cut_off(point: list[float], area: int) -> None:
    assert (LandmarksToDiscsd(radius_px=3)(sample([point]))["pred"] > 0).sum() == area


def test_many_landmarks_have_values_above_255() -> None:
    mask = LandmarksToDiscsd(radius_px=0.5)(sample([[i % 40, i // 40] for i in range(300)]))["pred"]
    assert mask.dtype == torch.int16
    assert mask.unique().tolist() == list(range(301))


def test_a_nifti_gets_the_shape_and_the_affine_of_its_file(tmp_path: Path) -> None:
    affine = np.array([[0, -0.2, 0, 3], [0.4, 0, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1.0]])
    path = tmp_path / "image.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 30, 1), dtype=np.int16), affine), path)
    mask = LandmarksToDiscsd()(sample([[20, 10]], file=str(path), spacing=(0.4, 0.2)))["pred"]
    assert isinstance(mask, MetaTensor)
    assert mask.shape == (1, 40, 30, 1)
    np.testing.assert_allclose(mask.affine.numpy(), affine, atol=1e-6)
    assert mask[0, 20, 10, 0] == 1


def test_another_format_with_an_affine_gets_that_of_the_image_plane() -> None:
    wanted = sample([[20, 10]], file="image.dcm", spacing=(0.4, 0.2), result_extension=".nrrd")
    mask = LandmarksToDiscsd()(wanted)["pred"]
    assert mask.shape == (1, 40, 30, 1)
    lps = np.diag([-1.0, -1, 1, 1]) @ mask.affine.numpy()  # the affine is RAS
    np.testing.assert_allclose(lps @ [20, 10, 0, 1], [8, 2, 0, 1])
    assert LandmarksToDiscsd()(sample([[20, 10]], file="image.dcm"))["pred"].shape == (40, 30)


def test_balls_of_a_volume_are_round_in_mm() -> None:
    affine = torch.diag(torch.tensor([1.0, 1.0, 2.0, 1.0], dtype=torch.float64))
    solid = {
        "pred": torch.zeros(1, 4, 4, 4),
        "pred_landmarks": torch.tensor([[5.0, 6.0, 8.0]]),
        "file_affine": affine,
        "file_size": torch.tensor([12, 12, 12]),
        "image_file": "image.mha",
        "unit": "mm",
    }
    mask = LandmarksToDiscsd(radius_mm=2.0)(solid)["pred"]
    assert mask.shape == (1, 12, 12, 12)
    found = torch.nonzero(mask[0]).double() * torch.tensor([1.0, 1.0, 2.0])
    assert (torch.linalg.vector_norm(found - torch.tensor([5.0, 6.0, 8.0]), dim=1) <= 2).all()
    assert len(found) == 13 + 2
    np.testing.assert_allclose(mask.affine, affine)


@pytest.mark.parametrize("radius", [0, -1, math.nan, math.inf])
def test_a_radius_must_be_positive(radius: float) -> None:
    with pytest.raises(ValueError, match="radius_px must be positive"):
        LandmarksToDiscsd(radius_px=radius)
    with pytest.raises(ValueError, match="radius_mm must be positive"):
        LandmarksToDiscsd(radius_mm=radius)
