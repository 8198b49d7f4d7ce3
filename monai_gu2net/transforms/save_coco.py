# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Collecting the landmarks found in many images for one file of COCO keypoints."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine
from monai_gu2net.landmarks.formats.coco_json import CocoImage

__all__ = ["CollectCocod"]


class CollectCocod(MapTransform):
    """Keeps each case's landmarks, in pixels of its file, for :func:`~monai_gu2net.landmarks.formats.write_coco`.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; reads ``{key}_landmarks`` and ``{key}_confidence``, and the
            sample's ``file_size``, ``file_affine`` and ``image_file``; the case's name stands in for a missing file.
        domains: by name; the sample's ``domain`` picks one, which is the category.

    Attributes:
        images: what was collected, in the order of the cases. A volume is passed over.
    """

    def __init__(self, keys: KeysCollection = "pred", *, domains: Mapping[str, Domain]) -> None:
        super().__init__(keys)
        self.domains = domains
        self.images: list[CocoImage] = []

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        for key in self.keys:
            world = torch.as_tensor(sample[f"{key}_landmarks"]).cpu().double()
            if world.shape[-1] != 2:
                continue
            to_file = torch.linalg.inv(spatial_affine(torch.as_tensor(sample["file_affine"]).cpu().double(), 2))
            width, height = (int(size) for size in torch.as_tensor(sample["file_size"]).cpu())
            self.images.append(
                CocoImage(
                    Path(str(sample.get("image_file", sample["case"]))).name,
                    (width, height),
                    LandmarkSet(domain.landmarks, apply_affine(world, to_file).numpy(), "index"),
                    domain.name,
                    np.asarray(torch.as_tensor(sample[f"{key}_confidence"]).cpu(), dtype=float),
                )
            )
        return sample
