# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A random pose and form of the patient, drawn in millimetres."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import Affine, MapTransform, RandomizableTransform

from monai_gu2net.landmarks.coordinates import voxel_lengths
from monai_gu2net.transforms.beyond import Padding, beyond_border, check_padding

__all__ = ["RandPosed"]


class RandPosed(RandomizableTransform, MapTransform):
    """Turns an image about all of its axes, scales, stretches, shears and shifts it.

    All of it happens in millimetres about the middle of the image, so that what is turned keeps its form where voxels
    are longer along one axis than along another (MONAI's RandAffine works in voxels, where it would be sheared). The
    affine follows, so that landmarks stay where they are.

    A turn is one of all turns by at most ``rotate`` degrees, each as likely as another: with 180 any pose at all, for
    patients or specimens that lie as they happen to.

    Args:
        keys: the image, (C, *spatial) MetaTensor of 2 or 3 spatial axes.
        prob: probability of changing a sample.
        rotate: largest angle in degrees, 0 to 180, about an axis of any direction.
        scale: largest share by which all lengths grow or shrink together, at least 0 and below 1.
        stretch: the same for each axis on its own, on top of it.
        shear: largest shift of one axis along another, in mm per mm; at least 0.
        translate: largest shift along each axis, as a share of the image's length along it; at least 0.
        padding: what is seen beyond the image's border, see :data:`~monai_gu2net.transforms.beyond.PADDINGS`.

    Raises:
        ValueError: an option is out of its range.

    Source: turns by the density 1 - cos(angle) of their angle, as has the uniform (Haar) measure of SO(3); Miles,
    Biometrika 52 (1965) 636.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        prob: float = 0.9,
        rotate: float = 15.0,
        scale: float = 0.1,
        stretch: float = 0.1,
        shear: float = 0.1,
        translate: float = 0.05,
        padding: Padding = "lowest",
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        shares = {"rotate": rotate / 180, "scale": scale, "stretch": stretch, "shear": shear, "translate": translate}
        for name, value in shares.items():
            if not (0 <= value <= 1 and (value < 1 or name in ("rotate", "translate"))):
                limit = {"rotate": "to 180 degrees", "translate": "to 1"}.get(name, "to below 1")
                raise ValueError(
                    f"{name} must be from 0 {limit}; got {value * 180 if name == 'rotate' else value:g}. Correct it."
                )
        check_padding(padding)
        self.rotate, self.scale, self.stretch, self.shear = rotate, scale, stretch, shear
        self.translate, self.padding = translate, padding

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return sample
        matrix = shift = None
        for key in self.key_iterator(sample):
            image = sample[key]
            dims = image.ndim - 1
            if matrix is None or shift is None:
                matrix, shift = self._draw(dims)
            lengths = voxel_lengths(image.affine, dims).numpy()
            # from pixels of the result to those of the image, both counted from its middle
            inverse = np.eye(dims + 1)
            inverse[:dims, :dims] = np.linalg.inv(matrix) * lengths / lengths[:, None]
            inverse[:dims, dims] = -inverse[:dims, :dims] @ (shift * np.array(image.shape[1:]))
            outside, beyond = beyond_border(image, self.padding)
            moved: Any = Affine(affine=inverse, padding_mode=beyond, image_only=True)(image - outside)
            sample[key] = moved + outside
        return sample

    def _draw(self, dims: int) -> tuple[np.ndarray, np.ndarray]:
        """(D, D) form and turn in mm, and (D,) shift as shares of the image's lengths."""
        factors = (1 + self.R.uniform(-self.scale, self.scale)) * (
            1 + self.R.uniform(-self.stretch, self.stretch, dims)
        )
        form = np.eye(dims) + self.R.uniform(-self.shear, self.shear, (dims, dims)) * (1 - np.eye(dims))
        matrix = self._draw_turn(dims) @ form * factors
        return matrix, self.R.uniform(-self.translate, self.translate, dims)

    def _draw_turn(self, dims: int) -> np.ndarray:
        """(D, D) one of the rotations by at most an angle."""
        most = np.deg2rad(self.rotate)
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
