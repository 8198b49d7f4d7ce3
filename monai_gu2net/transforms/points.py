# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks onto the pixels of the image as it is now."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine
from monai_gu2net.transforms.resolve_spacing import inside_frame

__all__ = ["LandmarksToPointsd"]

# a landmark on the edge of its image must not get lost when the image is resized; the rounding of the affines stays
# below 1e-9 px, that of float32 landmarks below 1e-3 px
_ROUNDING_PX = 1e-3


class LandmarksToPointsd(MapTransform):
    """Maps landmarks from the world to pixels of the image: ``inv(affine_now) @ landmarks``.

    It belongs after the last spatial transform, since the affine of the sample's ``image``, a MetaTensor (C, *spatial),
    then holds all of them. The sample gets ``points``, (N, D) float32, NaN for absent landmarks and those outside the
    frame.

    Args:
        keys: landmarks, (N, D) in the world, NaN for absent ones.
        keep_outside: leave points outside the frame as they are, so that a window learns that they are not in it: the
            target of a heatmap is then what of its Gaussian reaches into the frame.
        allow_missing_keys: pass samples without landmarks.

    Raises (when called):
        ValueError: the sample has no landmarks; the message names its case.
    """

    def __init__(
        self, keys: KeysCollection = "landmarks", *, keep_outside: bool = False, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.keep_outside = keep_outside

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        image = sample["image"]
        for key in self.keys:
            if sample.get(key) is None:
                if self.allow_missing_keys:
                    continue
                raise ValueError(
                    f"Case {sample.get('case')!r} of domain {sample.get('domain')!r} must have {key!r}; got none. "
                    "Annotate it, or take it out."
                )
            landmarks = torch.as_tensor(sample[key])
            inverse = torch.linalg.inv(spatial_affine(image.affine, landmarks.shape[-1]))
            points = apply_affine(landmarks, inverse)
            if not self.keep_outside:
                points = inside_frame(points, image.shape[1:], tolerance=_ROUNDING_PX)
            sample["points"] = points.float()
        return sample
