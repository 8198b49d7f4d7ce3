# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Smooth random deformation of an image together with its landmarks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, RandomizableTransform
from torch.nn import functional

from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine, voxel_lengths
from monai_gu2net.transforms.beyond import Padding, beyond_border, check_padding

__all__ = ["RandElasticLandmarksd"]


class RandElasticLandmarksd(RandomizableTransform, MapTransform):
    """Bends the image and moves its landmarks with it.

    No affine describes a bend, so this transform moves both keys itself (MONAI's Rand2DElastic and
    RandGridDistortion leave landmarks behind). Displacements are drawn on a coarse grid and interpolated;
    the output at q shows the input at q + u(q), so a landmark at p goes to the q that solves q + u(q) = p,
    found by fixed-point iteration, which converges since the slope of u is kept below 1: too steep a draw is
    flattened.

    Args:
        keys: the image, (C, *spatial) MetaTensor. The sample's ``landmarks``, (N, D) in the world, NaN for absent
            ones, are moved where they are there.
        prob: probability of bending a sample.
        spacing: distance of the coarse grid's nodes in pixels; of a volume, whose voxels may be longer along one axis
            than along another, in the shortest of their sides, so that it bends alike in all directions.
        magnitude: (lowest, highest) standard deviation of the displacements in the same unit, drawn per sample; at
            most an eighth of spacing, beyond which the image could fold.
        padding: what is seen beyond the image's border, see :data:`~monai_gu2net.transforms.beyond.PADDINGS`.

    Raises:
        ValueError: magnitude is out of order or too large for spacing, or padding is unknown.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        prob: float = 0.5,
        spacing: float = 48.0,
        magnitude: tuple[float, float] = (0.0, 4.0),
        padding: Padding = "zeros",
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        check_padding(padding)
        if not 0 <= magnitude[0] <= magnitude[1] <= spacing / 8:
            raise ValueError(
                f"magnitude must rise from 0 to at most spacing / 8 = {spacing / 8:g}; got {magnitude}. "
                "Lower it or widen the grid."
            )
        self.spacing, self.magnitude, self.padding = spacing, magnitude, padding

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return sample
        keys = list(self.key_iterator(sample))
        field = self._draw_field(sample[keys[0]])
        for key in keys:
            image = sample[key]
            outside, beyond = beyond_border(image, self.padding)
            warped = _warp(image.as_tensor() - outside, field, beyond) + outside
            sample[key] = MetaTensor(warped, affine=image.affine)
        if "landmarks" in sample:
            landmarks = sample["landmarks"]
            affine = spatial_affine(sample[keys[0]].affine, landmarks.shape[-1])
            points = _displace(apply_affine(landmarks, torch.linalg.inv(affine)), field)
            sample["landmarks"] = apply_affine(points, affine).to(landmarks.dtype)
        return sample

    def _draw_field(self, image: MetaTensor) -> torch.Tensor:
        """(D, *spatial) displacements in pixels."""
        size = image.shape[1:]
        lengths = voxel_lengths(image.affine, 3) if len(size) == 3 else torch.ones(2)
        longer = (lengths / lengths.min()).tolist()
        nodes = [max(2, round(n * factor / self.spacing) + 1) for n, factor in zip(size, longer, strict=True)]
        sd = self.R.uniform(*self.magnitude)
        coarse = np.clip(self.R.standard_normal((1, len(size), *nodes)), -2.5, 2.5) * sd
        mode = "bicubic" if len(size) == 2 else "trilinear"
        field = functional.interpolate(
            torch.as_tensor(coarse, dtype=torch.float32), size=tuple(size), mode=mode, align_corners=True
        )
        field = field[0] / torch.tensor(longer, dtype=field.dtype).reshape(-1, *[1] * len(size))
        # The slope's bound over all directions: below 1 nothing folds and the iteration converges.
        slope = sum(float(field.diff(dim=1 + axis).abs().max()) for axis, length in enumerate(size) if length > 1)
        return field * min(1.0, 0.9 / slope) if slope > 0 else field


def _sample(values: torch.Tensor, points: torch.Tensor, padding: str) -> torch.Tensor:
    """Values (C, *spatial), linearly interpolated at points (*any, D) in pixels: (C, *any)."""
    dims = points.shape[-1]
    extent = torch.tensor(values.shape[1:], dtype=points.dtype) - 1
    # grid_sample wants the last axis first, in [-1, 1] from the first pixel's centre to the last one's.
    grid = (2 * points / extent.clamp(min=1) - 1).flip(-1).float()
    grid = grid.reshape(1, *([1] * (dims - 1)), -1, dims)
    found = functional.grid_sample(
        values[None].float(), grid, mode="bilinear", padding_mode=padding, align_corners=True
    )
    return found.reshape(values.shape[0], *points.shape[:-1])


def _warp(image: torch.Tensor, field: torch.Tensor, padding: str) -> torch.Tensor:
    axes = [torch.arange(n, dtype=torch.float32) for n in field.shape[1:]]
    positions = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1) + field.movedim(0, -1)
    return _sample(image, positions, padding)


def _displace(points: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    """Where points (N, D) go when the output at q shows the input at q + field(q)."""
    moved = points
    for _ in range(50):
        moved = points - _sample(field, moved.nan_to_num(), "border").T
    return moved
