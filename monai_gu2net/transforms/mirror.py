# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Mirroring an image, where the domain says which landmarks change places."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import Flip, MapTransform, RandomizableTransform

from monai_gu2net.data.domain import Domain

__all__ = ["RandMirrorLandmarksd"]


class RandMirrorLandmarksd(RandomizableTransform, MapTransform):
    """Mirrors the image left to right and swaps left and right landmarks.

    A mirrored image shows a left landmark where a right one was, so indices must be permuted with it. Only
    domains that declare ``mirror`` pairs are ever mirrored.

    Args:
        keys: the image, (C, *spatial) MetaTensor, mirrored along its first spatial axis.
        domains: by name; the sample's ``domain`` picks one.
        landmarks_key: (N, D) in the world.
        domain_key: the name of the sample's domain.
        prob: probability of mirroring a sample.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        domains: Mapping[str, Domain],
        landmarks_key: str = "landmarks",
        domain_key: str = "domain",
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.domains, self.landmarks_key, self.domain_key = domains, landmarks_key, domain_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample[self.domain_key]]
        self.randomize(None)
        if not (domain.mirror and self._do_transform):
            return sample
        for key in self.key_iterator(sample):
            sample[key] = Flip(spatial_axis=0)(sample[key])
        if self.landmarks_key in sample:
            order = torch.tensor(domain.mirror_order)
            sample[self.landmarks_key] = sample[self.landmarks_key][order]
        return sample
