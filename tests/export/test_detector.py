# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import NormalizeIntensity
from torch import Tensor, nn

from monai_gu2net.data import Domain
from monai_gu2net.export import LandmarkDetector
from monai_gu2net.transforms import FitToDomaind, decode_heatmaps


class Seen(nn.Module):
    """What a network is given, which it gives back."""

    def forward(self, image: Tensor) -> Tensor:
        self.image = image
        return image


@pytest.mark.parametrize(
    ("size", "given", "channels"),
    [
        ((64, 80), (64, 80), 1),  # as it is
        ((64, 80), (155, 192), 1),
        ((64, 80), (193, 155), 1),
        ((64, 80), (33, 21), 3),  # enlarged
        ((64, 80), (51, 80), 1),  # padded by an odd number
        ((256, 320), (1203, 1536), 1),  # 1203 / 6 = 200.5, which is rounded to an even number
        ((64, 80), (1200, 3), 1),  # an axis that would have no pixel keeps one
        ((20, 24, 16), (33, 50, 21), 1),
        ((20, 24, 16), (11, 9, 10), 2),
    ],
)
def test_a_network_is_given_what_the_transforms_give_and_points_go_back_as_their_affine_says(
    size: tuple[int, ...], given: tuple[int, ...], channels: int, rng: np.random.Generator
) -> None:
    """MONAI's normalisation, smoothing, resizing and padding are the reference."""
    image = torch.from_numpy(rng.random((channels, *given), dtype=np.float32) * 3000 + 20000)
    normalized = NormalizeIntensity(channel_wise=True)(MetaTensor(image.clone(), affine=torch.eye(4).double()))
    domains = {"knee": Domain("knee", ("a",), size, in_channels=channels)}
    expected = FitToDomaind(domains=domains)({"image": normalized, "domain": "knee"})["image"]

    seen = Seen()
    points, confidence = LandmarkDetector(seen, size)(image[None])

    torch.testing.assert_close(seen.image[0], expected.as_tensor(), rtol=0, atol=1e-4)
    pixels, sure = decode_heatmaps(seen.image)
    dims, affine = len(size), expected.affine
    np.testing.assert_allclose(
        points[0], pixels[0].double() @ affine[:dims, :dims].T + affine[:dims, 3], rtol=0, atol=1e-3
    )
    torch.testing.assert_close(confidence, sure)


@pytest.mark.parametrize(
    ("given", "spacing", "channels"),
    [
        ((20, 24, 16), (1.0, 1.5, 2.0), 1),  # as it is
        ((33, 39, 16), (0.5, 0.75, 2.0), 1),  # shrunk and padded
        ((30, 22, 16), (0.5, 0.75, 2.0), 1),  # to half a voxel more than a whole number
        ((9, 12, 5), (2.1, 2.9, 5.7), 2),  # enlarged and padded
        ((60, 18, 3), (0.3, 1.9, 4.0), 1),
    ],
)
def test_a_volume_is_given_at_the_target_spacing_as_the_transforms_bring_it_there(
    given: tuple[int, ...], spacing: tuple[float, ...], channels: int, rng: np.random.Generator
) -> None:
    """MONAI's Spacing, between smoothing and padding, is the reference; the volume lies obliquely."""
    size, target = (20, 24, 16), (1.0, 1.5, 2.0)
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * spacing, (5.0, -7.0, 60.0)
    image = torch.from_numpy(rng.random((channels, *given), dtype=np.float32) * 3000 - 1000)
    normalized = NormalizeIntensity(channel_wise=True)(MetaTensor(image.clone(), affine=torch.from_numpy(affine)))
    domains = {"knee": Domain("knee", ("a",), size, in_channels=channels, target_spacing=target)}
    expected = FitToDomaind(domains=domains)({"image": normalized, "domain": "knee"})["image"]
    assert tuple(expected.shape[1:]) == size

    seen = Seen()
    detector = LandmarkDetector(seen, size, target_spacing=target)
    points, _ = detector(image[None], torch.tensor(spacing), torch.tensor([9.0, 9.0, 9.0]))

    torch.testing.assert_close(seen.image[0], expected.as_tensor(), rtol=0, atol=2e-3)
    voxels, _ = decode_heatmaps(seen.image)
    world = voxels[0].double() @ expected.affine[:3, :3].T + expected.affine[:3, 3]
    np.testing.assert_allclose(points[0].numpy() @ affine[:3, :3].T + affine[:3, 3], world, rtol=0, atol=1e-3)


def test_of_a_larger_volume_the_part_is_seen_that_starts_where_it_is_told() -> None:
    detector = LandmarkDetector(nn.Identity(), (8, 8, 8), target_spacing=(2.0, 2.0, 2.0))
    grid = torch.stack(torch.meshgrid(*[torch.arange(40.0)] * 3, indexing="ij"))
    blob = torch.exp(-((grid - torch.tensor([27.0, 5.0, 21.0])[:, None, None, None]) ** 2).sum(0) / 18)[None, None]
    spacing = torch.tensor([1.0, 1.0, 1.0])
    points, _ = detector(blob, spacing, torch.tensor([10.0, 0.0, 6.0]))
    torch.testing.assert_close(points[0, 0], torch.tensor([27.0, 5.0, 21.0]), rtol=0, atol=0.1)
    elsewhere, _ = detector(blob, spacing, torch.tensor([0.0, 0.0, 0.0]))
    # voxels 0 to 14 of the file are seen
    assert ((elsewhere >= -1) & (elsewhere <= 15)).all()


def test_each_image_of_a_batch_is_normalised_by_itself(rng: np.random.Generator) -> None:
    image = torch.from_numpy(rng.random((1, 1, 40, 50), dtype=np.float32))
    detector = LandmarkDetector(nn.Identity(), (32, 40))
    points, confidence = detector(torch.cat([image, 100 * image + 7, image.flip(2)]))
    torch.testing.assert_close(points[1], points[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(confidence[1], confidence[0], rtol=0, atol=1e-5)
    # index q of a mirrored axis of 40 pixels is 39 - q
    torch.testing.assert_close(points[2], torch.tensor([39.0, 0.0]) + points[0] * torch.tensor([-1.0, 1.0]))


def test_absent_landmarks_are_nan(rng: np.random.Generator) -> None:
    image = torch.from_numpy(rng.random((1, 1, 40, 50), dtype=np.float32))
    network = nn.Conv2d(1, 3, 1)
    network.weight.data = torch.tensor([1.0, 0.0, 0.01]).view(3, 1, 1, 1)  # a peak, none, and a faint one
    network.bias.data = torch.tensor([0.0, 0.0, -3.0])
    points, confidence = LandmarkDetector(network, (32, 40), min_confidence=0.1)(image)
    assert points.isnan().any(-1).tolist() == [[False, True, True]]
    assert confidence[0].tolist() == pytest.approx([0.8, 0.5, 0.05], abs=0.1)


def test_an_image_without_contrast_or_with_nan_finds_nothing() -> None:
    detector = LandmarkDetector(nn.Identity(), (32, 40))
    points, confidence = detector(torch.full((1, 1, 32, 40), 7.0))
    assert points.isnan().all()
    assert confidence.tolist() == [[0.5]]
    image = torch.rand(1, 1, 50, 40)
    image[0, 0, 3, 4] = torch.nan
    points, confidence = detector(image)
    assert points.isnan().all()
    assert confidence.isnan().all()
