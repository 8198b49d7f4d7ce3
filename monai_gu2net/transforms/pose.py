# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The pose in which an image is seen, in millimetres: a chosen one, or one drawn at random."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, RandomizableTransform, SpatialResample
from numpy.typing import NDArray

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.coordinates import spatial_affine, voxel_lengths
from monai_gu2net.landmarks.shape import Pose, pose_of
from monai_gu2net.transforms.beyond import Padding, beyond_border, check_padding

__all__ = ["RandPosed", "image_frame", "seen_in", "shape_frame", "shape_size"]

Array = NDArray[np.float64]

_ROOM = 1.3  # times the mean shape, for larger patients and those who are shifted
_FARTHEST = 63.0  # degrees, from any turn to the nearest of the 24 that bring the axes of space onto axes


class RandPosed(RandomizableTransform, MapTransform):
    """Turns an image about all of its axes, scales, stretches, shears and shifts it.

    All of it happens in millimetres about the middle of the image, so that what is turned keeps its form where voxels
    are longer along one axis than along another (MONAI's RandAffine works in voxels, where it would be sheared). The
    affine follows, so that landmarks stay where they are.

    A turn is one of all turns by at most ``rotate`` degrees, each as likely as another: with 180 any pose at all, for
    patients or specimens that lie as they happen to.

    Where the sample's domain has a mean shape, its images lie in any pose, and ``rotate`` counts from the shape's, into
    which the image is brought by its landmarks. A share of the samples is turned farther, by as much as the nearest of
    the turns that bring axes onto axes can leave, for a pose is looked for among those.

    Args:
        keys: the image, (C, *spatial) MetaTensor of 2 or 3 spatial axes. The sample's ``landmarks``, (N, D) in the
            world, are read where its domain has a mean shape.
        domains: by name, of which the sample's ``domain`` picks one; None: no domain has a mean shape.
        prob: probability of changing a sample; one of a domain with a mean shape is changed always.
        rotate: largest angle in degrees, 0 to 180, about an axis of any direction.
        scale: largest share by which all lengths grow or shrink together, at least 0 and below 1.
        stretch: the same for each axis on its own, on top of it.
        shear: largest shift of one axis along another, in mm per mm; at least 0.
        translate: largest shift along each axis, as a share of the image's length along it; at least 0.
        padding: what is seen beyond the image's border, see :data:`~monai_gu2net.transforms.beyond.PADDINGS`.
        far: share of the samples of a domain with a mean shape that are turned by up to 63 degrees.

    Raises:
        ValueError: an option is out of its range.

    Source: turns by the density 1 - cos(angle) of their angle, as has the uniform (Haar) measure of SO(3); Miles,
    Biometrika 52 (1965) 636.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        domains: Mapping[str, Domain] | None = None,
        prob: float = 0.9,
        rotate: float = 15.0,
        scale: float = 0.1,
        stretch: float = 0.1,
        shear: float = 0.1,
        translate: float = 0.05,
        padding: Padding = "lowest",
        far: float = 0.6,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.domains, self.far = dict(domains or {}), far
        shares = {"rotate": rotate / 180, "scale": scale, "stretch": stretch, "shear": shear}
        shares |= {"translate": translate, "far": far}
        limits = {"rotate": "to 180 degrees", "translate": "to 1", "far": "to 1"}
        for name, value in shares.items():
            if not (0 <= value <= 1 and (value < 1 or name in limits)):
                limit = limits.get(name, "to below 1")
                raise ValueError(
                    f"{name} must be from 0 {limit}; got {value * 180 if name == 'rotate' else value:g}. Correct it."
                )
        check_padding(padding)
        self.rotate, self.scale, self.stretch, self.shear = rotate, scale, stretch, shear
        self.translate, self.padding = translate, padding

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        self.randomize(None)
        domain = self.domains.get(sample.get("domain", ""))
        shape = None if domain is None else domain.mean_shape
        if not (self._do_transform or shape):
            return sample
        pose = pose_of(sample["landmarks"], shape) if shape else None
        rotate = self.rotate
        if shape and self.R.random() < self.far:
            rotate = 180.0 if pose is None else _FARTHEST
        matrix = shift = None
        for key in self.key_iterator(sample):
            image = sample[key]
            dims = image.ndim - 1
            if matrix is None or shift is None:
                matrix, shift = self._draw(dims, rotate)
            if pose is None or domain is None:
                frame, size = image_frame(image), image.shape[1:]
            else:
                frame, size = shape_frame(pose, shape), shape_size(domain)
            moved = np.eye(dims + 1)
            moved[:dims, :dims] = np.linalg.inv(matrix)
            moved[:dims, dims] = -moved[:dims, :dims] @ (
                shift * np.array(size) * voxel_lengths(image.affine, dims).numpy()
            )
            sample[key] = seen_in(image, frame @ moved, size, padding=self.padding)
        return sample

    def _draw(self, dims: int, rotate: float) -> tuple[Array, Array]:
        """(D, D) form and turn in mm, and (D,) shift as shares of the image's lengths."""
        factors = (1 + self.R.uniform(-self.scale, self.scale)) * (
            1 + self.R.uniform(-self.stretch, self.stretch, dims)
        )
        form = np.eye(dims) + self.R.uniform(-self.shear, self.shear, (dims, dims)) * (1 - np.eye(dims))
        matrix = self._draw_turn(dims, rotate) @ form * factors
        return matrix, self.R.uniform(-self.translate, self.translate, dims)

    def _draw_turn(self, dims: int, rotate: float) -> Array:
        """(D, D) one of the rotations by at most an angle."""
        most = np.deg2rad(rotate)
        if dims == 2:
            angle = self.R.uniform(-most, most)
            return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        angles = np.linspace(0, most, 4097)
        grown = angles - np.sin(angles)
        angle = np.interp(self.R.uniform(0, grown[-1]), grown, angles)
        x, y, z = (axis := self.R.standard_normal(3)) / np.linalg.norm(axis)
        across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turn: np.ndarray = np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * across @ across
        return turn


def image_frame(image: MetaTensor) -> Array:
    """(D+1, D+1) from mm along the axes of an image (C, *spatial), counted from its middle, to its world."""
    dims = image.ndim - 1
    frame = spatial_affine(image.affine, dims).numpy().copy()
    frame[:dims, dims] += frame[:dims, :dims] @ ((np.array(image.shape[1:]) - 1) / 2)
    frame[:dims, :dims] /= voxel_lengths(image.affine, dims).numpy()
    return np.asarray(frame)


def shape_frame(pose: Pose, shape: Any) -> Array:
    """(D+1, D+1) from mm along the axes of a shape (N, D), counted from its middle, to the world that it lies in."""
    points = np.asarray(shape)
    dims = points.shape[-1]
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    frame = np.eye(dims + 1)
    frame[:dims, :dims] = pose.rotation.T
    frame[:dims, dims] = pose.rotation.T @ (middle - pose.shift)
    return frame


def shape_size(domain: Domain) -> tuple[int, ...]:
    """How many voxels of its target spacing hold a domain's mean shape with room for others, its size at least."""
    extent = np.ptp(np.asarray(domain.mean_shape), axis=0) * _ROOM / np.asarray(domain.target_spacing)
    return tuple(max(most, math.ceil(needed)) for most, needed in zip(domain.size, extent.tolist(), strict=True))


def seen_in(image: MetaTensor, frame: Array, size: Any, *, padding: Padding = "lowest") -> MetaTensor:
    """The image as seen in a frame, with voxels of the lengths that it has.

    Args:
        image: (C, *spatial).
        frame: (D+1, D+1) from mm along the axes of what is seen, counted from its middle, to the world.
        size: D lengths of what is seen, in voxels.
        padding: what is seen beyond the image's border, see :data:`~monai_gu2net.transforms.beyond.PADDINGS`.

    Returns:
        (C, *size), whose affine leads to the same world.
    """
    dims = image.ndim - 1
    grid = np.eye(dims + 1)
    grid[:dims, :dims] = np.diag(voxel_lengths(image.affine, dims))
    grid[:dims, dims] = -grid[:dims, :dims] @ ((np.array(size) - 1) / 2)
    outside, beyond = beyond_border(image, padding)
    resample = SpatialResample(padding_mode=beyond, dtype=np.float32)
    seen: Any = resample(image - outside, dst_affine=torch.as_tensor(frame @ grid), spatial_size=tuple(size))
    moved: MetaTensor = seen + outside
    return moved
