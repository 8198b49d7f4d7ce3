# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.spatial.transform import Rotation

from monai_gu2net.landmarks import pose_of
from monai_gu2net.prediction.best_pose import in_best_pose

SHAPE = np.array([[0, 0, -8], [9, 0, 0], [0, 7, 0], [-5, 0, 4], [6, 5, 1], [-3, 2, 8], [4, -6, -5]], float)
SPACING, SIZE = 1.5, (20, 20, 20)


class Finder:
    """Finds landmarks where they are, if the image lies within some degrees of the shape's pose, else anywhere."""

    def __init__(self, truth: np.ndarray, within: float) -> None:
        self.truth, self.within, self.looks = truth, within, 0
        self.pose = pose_of(truth, SHAPE)

    def angle(self, image: MetaTensor) -> float:
        """Of the image's axes from the pose in which the truth lies as the shape."""
        assert self.pose is not None
        axes = image.affine.numpy()[:3, :3] / SPACING
        return float(np.degrees(Rotation.from_matrix(self.pose.rotation @ axes).magnitude()))

    def __call__(self, sample: Mapping[Any, Any]) -> np.ndarray:
        self.looks += 1
        if self.angle(sample["image"]) > self.within:
            return np.random.default_rng(self.looks).normal(size=SHAPE.shape) * 9
        return self.truth + 0.01


def lying(turn: Rotation) -> tuple[dict[Any, Any], np.ndarray]:
    """A sample whose patient lies so, and where the landmarks are."""
    truth = turn.apply(SHAPE) + np.array([40.0, -20.0, 5.0])
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = np.array([40.0, -20.0, 5.0]) - SPACING * (np.array(SIZE) - 1) / 2
    image = MetaTensor(torch.rand(1, *SIZE, generator=torch.Generator().manual_seed(0)), affine=torch.tensor(affine))
    return {"image": image, "case": "a"}, truth


@pytest.mark.parametrize("seed", range(8))
def test_an_image_in_any_pose_is_seen_in_that_of_the_shape(seed: int) -> None:
    """A finder that is right within 64 degrees, which one of the turns always reaches."""
    sample, truth = lying(Rotation.random(random_state=seed))
    find = Finder(truth, 64)
    posed = in_best_pose(sample, SHAPE, (16, 24, 18), find)
    assert find.angle(posed["image"]) < 0.5
    assert posed["image"].shape == (1, 16, 24, 18)
    # the middle of the shape is the middle of what is seen
    middle = (SHAPE.min(axis=0) + SHAPE.max(axis=0)) / 2
    seen = posed["image"].affine.numpy() @ [7.5, 11.5, 8.5, 1]
    assert find.pose is not None
    np.testing.assert_allclose(find.pose.rotation @ seen[:3] + find.pose.shift, middle, atol=0.05)
    assert posed["case"] == "a"


def test_what_was_done_is_said() -> None:
    sample, truth = lying(Rotation.from_euler("y", 70, degrees=True))
    posed = in_best_pose(sample, SHAPE, SIZE, Finder(truth, 180))
    assert posed["orientation"].startswith("turned by 70 degrees to the pose of the mean shape, within ")


def test_without_landmarks_the_image_stays_as_it_is() -> None:
    sample, _ = lying(Rotation.identity())
    posed = in_best_pose(sample, SHAPE, SIZE, lambda sample: np.full_like(SHAPE, np.nan))
    assert posed["image"] is sample["image"]
    assert posed["orientation"] == "too few landmarks were found to tell the pose"


def test_what_fits_at_once_is_not_looked_for_further() -> None:
    sample, truth = lying(Rotation.identity())
    find = Finder(truth, 30)
    in_best_pose(sample, SHAPE, SIZE, find)
    assert find.looks == 2  # as it lies, and in the pose that follows
