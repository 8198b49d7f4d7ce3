# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The image at its domain's input size."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform, Resize, SpatialPad

from monai_gu2net.data.domain import Domain

__all__ = ["FitToDomaind"]


class FitToDomaind(MapTransform):
    """Resizes the image to its domain's input size, keeping its aspect, and pads the rest with zeros.

    The affine follows. An image that shrinks is smoothed first, so that fine structure does not alias, and
    then interpolated linearly. (MONAI's ``mode="area"`` averages over windows that are not centred where the factor is
    no whole number: up to 0.4 px beside the affine.)

    Args:
        keys: the image, (C, *spatial) MetaTensor.
        domains: by name; the sample's ``domain`` picks one.
    """

    def __init__(self, keys: KeysCollection = "image", *, domains: Mapping[str, Domain]) -> None:
        super().__init__(keys)
        self.domains = domains

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        target = self.domains[sample["domain"]].size
        for key in self.key_iterator(sample):
            image = sample[key]
            scale = min(t / n for t, n in zip(target, image.shape[1:], strict=True))
            inner = tuple(min(t, max(1, round(n * scale))) for t, n in zip(target, image.shape[1:], strict=True))
            linear = "bilinear" if len(target) == 2 else "trilinear"
            image = Resize(inner, mode=linear, anti_aliasing=scale < 1)(image)
            sample[key] = SpatialPad(target, mode="constant")(image)
        return sample
