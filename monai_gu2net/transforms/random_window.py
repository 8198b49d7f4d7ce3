# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The part of a large image that a network is shown in training."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, SpatialCrop

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine

__all__ = ["RandWindowd"]


class RandWindowd(Randomizable, MapTransform):
    """Crops a window of the domain's input size from an image that is larger, about a landmark or anywhere.

    It belongs after all other spatial transforms, before ``LandmarksToPointsd(keep_outside=True)``. An image that is
    not larger stays as it is.

    Args:
        keys: the image, (C, *spatial) MetaTensor, at least of its domain's size; the sample's ``landmarks``, (N, D) in
            the world, are read where they are there.
        domains: by name; the sample's ``domain`` picks one.
        prob_landmark: probability that the window holds a landmark, each being as likely, at any place in it.
    """

    def __init__(
        self, keys: KeysCollection = "image", *, domains: Mapping[str, Domain], prob_landmark: float = 0.8
    ) -> None:
        MapTransform.__init__(self, keys)
        self.domains, self.prob_landmark = domains, prob_landmark

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        window = np.array(self.domains[sample["domain"]].size)
        for key in self.key_iterator(sample):
            image = sample[key]
            room = np.array(image.shape[1:]) - window
            if not (room > 0).any():
                continue
            start = self._draw(room, window, self._points(sample, image))
            sample[key] = SpatialCrop(roi_start=start, roi_end=start + window)(image)
        return sample

    def _points(self, sample: Mapping[Hashable, Any], image: Any) -> np.ndarray:
        """(M, D) the landmarks that are there, in pixels of the image."""
        landmarks = sample.get("landmarks")
        if landmarks is None:
            return np.empty((0, image.ndim - 1))
        inverse = torch.linalg.inv(spatial_affine(image.affine, landmarks.shape[-1]))
        points = apply_affine(landmarks, inverse).numpy()
        inside = ((points >= -0.5) & (points <= np.array(image.shape[1:]) - 0.5)).all(axis=-1)
        return np.asarray(points[inside])

    def _draw(self, room: np.ndarray, window: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Where the window starts along each axis."""
        lowest, highest = np.zeros_like(room), np.maximum(room, 0)
        if len(points) and self.R.random() < self.prob_landmark:
            pixel = np.rint(points[self.R.randint(len(points))]).astype(int)
            lowest, highest = np.clip(pixel - window + 1, 0, highest), np.clip(pixel, 0, highest)
        return np.array([self.R.randint(low, high + 1) for low, high in zip(lowest, highest, strict=True)])
