# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from monai_gu2net.data import Domain
from monai_gu2net.inferers import LandmarkInferer, TTAInferer
from monai_gu2net.inferers.poses import logits_in_poses
from monai_gu2net.transforms import decode_heatmaps
from monai_gu2net.transforms.pose import shape_size

SHAPE = np.array([[0, 0, -12], [13, 0, 0], [0, 10, 0], [-8, 0, 6], [9, 8, 2], [-5, 3, 12], [6, -9, -7]], float)
SPACING = np.array([1.5, 1.25, 2.0])
SIZE = (34, 38, 26)
DOMAIN = Domain(
    "skull",
    tuple("abcdefg"),
    (36, 40, 28),
    target_spacing=tuple(SPACING),
    mean_shape=tuple(map(tuple, SHAPE.tolist())),
)
WIDTH = 3.0  # mm, standard deviation of a blob
# What linear interpolation can move the vertex of a parabola by, from three points of an axis: one of them may be too
# low by an eighth of the curvatures along all axes, which are as the squares of the spacings; and the finder's error.
OFF = (SPACING**2).sum() / (16 * SPACING**2) + 0.1


class Finder(nn.Module):
    """Answers an image that has one blob for each landmark in a channel of its own, rightly if it knows the pose.

    Where the blobs lie is worked out as their centres of mass, and how the patient lies by SciPy. Farther from the
    shape's pose than some degrees, it takes each landmark for its neighbour.
    """

    def __init__(self, within: float) -> None:
        super().__init__()
        self.within, self.angles = within, list[float]()

    def forward(self, image: Tensor, domain: str = "skull") -> Tensor:
        weights = (image - image.amin()).double().numpy()[0]
        index = np.stack(np.meshgrid(*map(np.arange, image.shape[2:]), indexing="ij"), axis=-1)
        places = np.stack([(w[..., None] * index).sum(axis=(0, 1, 2)) / w.sum() for w in weights]) * SPACING
        turn, _ = Rotation.align_vectors(SHAPE - SHAPE.mean(axis=0), places - places.mean(axis=0))
        self.angles.append(float(np.degrees(turn.magnitude())))
        mirrored = np.linalg.det(np.linalg.lstsq(places - places.mean(axis=0), SHAPE - SHAPE.mean(axis=0))[0]) < 0
        # as sure as networks are: the logit of a heatmap near 1 is no parabola
        logits = torch.from_numpy(0.3 * blobs(places, image.shape[2:])).clamp(min=1e-12).logit().float()[None]
        return logits if self.angles[-1] <= self.within and not mirrored else logits.roll(1, dims=1)


def blobs(places: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """(N, *size) Gaussians, as wide in mm along each axis, about places (N, 3) in mm from the first voxel's centre."""
    index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
    squares = ((index * SPACING - places[:, None, None, None]) ** 2).sum(axis=-1)
    return np.asarray(np.exp(-squares / (2 * WIDTH**2)))


def lying(
    turn: Rotation, shift: tuple[float, ...] = (2.0, -1.5, 3.0), size: tuple[int, ...] = SIZE
) -> tuple[Tensor, np.ndarray]:
    """(1, 7, *size) an image whose patient lies so, and where the landmarks are, in voxels."""
    places = turn.apply(SHAPE) + shift + SPACING * (np.array(size) - 1) / 2
    return torch.from_numpy(blobs(places, size)).float()[None], places / SPACING


@pytest.mark.parametrize("seed", range(8))
def test_landmarks_of_an_image_in_any_pose_are_found_where_they_are(seed: int) -> None:
    """By a finder that is right within 63 degrees, which one of the turns always reaches."""
    image, points = lying(Rotation.random(random_state=seed))
    find = Finder(63)
    found, _ = decode_heatmaps(LandmarkInferer(domains={"skull": DOMAIN})(image, find.eval(), "skull"))
    assert (np.abs(found[0].numpy() - points) < OFF).all()
    assert find.angles[-1] < 3  # the last look is in the pose of the shape
    assert len(find.angles) <= 26


def test_test_time_augmentation_is_of_the_last_look() -> None:
    image, points = lying(Rotation.from_euler("xz", [100, 30], degrees=True))
    find = Finder(63)
    found, _ = decode_heatmaps(TTAInferer(tta=3, domains={"skull": DOMAIN})(image, find.eval(), "skull"))
    assert (np.abs(found[0].numpy() - points) < OFF + 0.1).all()
    assert [angle < 12 for angle in find.angles[-3:]] == [True] * 3


def test_each_image_of_a_batch_has_a_pose_of_its_own() -> None:
    turns = [Rotation.from_euler("y", angle, degrees=True) for angle in (0, 170)]
    images, points = zip(*map(lying, turns), strict=True)
    found, _ = decode_heatmaps(LandmarkInferer(domains={"skull": DOMAIN})(torch.cat(images), Finder(63).eval()))
    assert (np.abs(found.numpy() - points) < OFF).all()


def test_what_fits_as_it_lies_is_not_looked_for_further() -> None:
    image, _ = lying(Rotation.identity())
    find = Finder(30)
    LandmarkInferer(domains={"skull": DOMAIN})(image, find.eval())
    assert len(find.angles) == 3  # as it lies, in the pose that follows, and the look that counts


def test_a_network_that_is_trained_sees_the_image_as_it_lies() -> None:
    image, _ = lying(Rotation.from_euler("y", 70, degrees=True))
    find = Finder(180).train()
    LandmarkInferer(domains={"skull": DOMAIN})(image, find)
    assert find.angles == [pytest.approx(70, abs=1)]


def test_without_landmarks_the_image_is_seen_as_it_lies() -> None:
    image, _ = lying(Rotation.identity())
    looks: list[Tensor] = []

    def nothing(part: Tensor, domain: Domain) -> Tensor:
        looks.append(part)
        return torch.zeros(1, 7, *part.shape[2:])

    logits = logits_in_poses(image, nothing, nothing, DOMAIN)
    assert logits.shape == (1, 7, *SIZE)
    assert torch.equal(looks[-1], image)
    assert len(looks) == 25  # all turns, and the look that counts


@pytest.mark.parametrize("seed", range(6))
def test_whoever_lies_at_the_end_of_a_long_image_is_found_there(seed: int) -> None:
    """No turn may bring the patient out of what is seen; the image is larger than what is seen at once."""
    image, points = lying(Rotation.random(random_state=seed), shift=(36.0, 0.0, 0.0), size=(84, 38, 26))
    found, _ = decode_heatmaps(
        LandmarkInferer(domains={"skull": DOMAIN.resized((90, 110, 70))})(image, Finder(63).eval())
    )
    assert (np.abs(found[0].numpy() - points) < OFF).all()


def test_a_shape_that_is_larger_than_what_is_seen_at_once_is_seen_whole() -> None:
    """In windows, of which the finder here is not asked; it answers the blobs themselves, in any pose."""
    small = DOMAIN.resized((8, 8, 8))
    size = shape_size(small)
    extent = (np.ptp(SHAPE, axis=0) / SPACING).tolist()
    assert all(seen > 1.2 * needed for seen, needed in zip(size, extent, strict=True))
    assert shape_size(DOMAIN) == DOMAIN.size
    looks: list[tuple[int, ...]] = []

    def look(part: Tensor, domain: Domain) -> Tensor:
        looks.append(tuple(part.shape[2:]))
        return (0.3 * part.clamp(1e-6)).logit()

    image, points = lying(Rotation.identity())
    found, _ = decode_heatmaps(logits_in_poses(image, look, look, small))
    assert looks[-1] == size
    assert (np.abs(found[0].numpy() - points) < 2 * OFF).all()  # there and back
