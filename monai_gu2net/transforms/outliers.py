# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Values far beyond all others, as those of a lead marker or of dead pixels in a file of 16 bits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

__all__ = ["CLIP_PASSES", "FARTHEST", "ClipOutliersd"]

FARTHEST = 6.0
"""Standard deviations from the mean within which values stay as they are."""

CLIP_PASSES = 10
"""How often mean and deviation are taken anew: each pass brings 1 % of wild values to 0.6 of where they were."""


class ClipOutliersd(MapTransform):
    """Brings values of a radiograph that are farther than 6 deviations from its mean to that distance.

    A few wild pixels take the contrast from all others when an image is normalised by mean and deviation. Both are
    taken anew after clipping, up to ten times. In ordinary radiographs, whose values end at 4 deviations, nothing
    changes. Nor do volumes, whose values have a meaning. MONAI's ``ClipIntensityPercentiles`` clips a share of the
    pixels of every image, wild or not.

    Args:
        keys: the image, (C, *spatial), each of whose channels is clipped by itself.
        allow_missing_keys: pass over keys that the sample does not have.
    """

    def __init__(self, keys: KeysCollection = "image", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            if image.ndim != 3:
                continue
            for _ in range(CLIP_PASSES):
                mean = image.mean(dim=(1, 2), keepdim=True)
                far = FARTHEST * image.std(dim=(1, 2), keepdim=True, correction=0)
                if not ((image - mean).abs() > far).any():
                    break
                image = image.clamp(mean - far, mean + far)
            sample[key] = image
        return sample
