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
        keys: the image, (C, *spatial) MetaTensor, mirrored along its first spatial axis or, of a volume, along the one
            that leads to the right or the left by its domain's orientation; the sample's ``landmarks``, (N, D) in the
            world, are reordered where they are there.
        domains: by name; the sample's ``domain`` picks one.
        prob: probability of mirroring a sample.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        *,
        domains: Mapping[str, Domain],
        prob: float = 0.5,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.domains = domains

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        self.randomize(None)
        if not (domain.mirror and self._do_transform):
            return sample
        across = next((axis for axis, letter in enumerate(domain.orientation or "R") if letter in "RL"))
        for key in self.key_iterator(sample):
            sample[key] = Flip(spatial_axis=across)(sample[key])
        if "landmarks" in sample:
            order = torch.tensor(domain.mirror_order)
            partners = sample["landmarks"][order]
            sample["landmarks"] = partners.masked_fill((order < 0).unsqueeze(-1), torch.nan)
        return sample
