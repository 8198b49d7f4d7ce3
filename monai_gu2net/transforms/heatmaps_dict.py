# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms between landmarks and heatmaps."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ensure_tuple_rep
from torch import Tensor

from monai_gu2net.landmarks.coordinates import apply_affine
from monai_gu2net.transforms.heatmaps import Refinement, decode_heatmaps, gaussian_heatmaps
from monai_gu2net.uncertainty import heatmap_spread, spread_in_world

__all__ = ["POLARITY_META", "HeatmapsToLandmarksd", "LandmarksToHeatmapsd"]

POLARITY_META = "gu2net_polarity"
"""Key of the metadata of heatmaps that says that the image was inverted, see :class:`HeatmapsToLandmarksd`."""

_log = logging.getLogger(__name__)


class LandmarksToHeatmapsd(MapTransform):
    """Draw the heatmaps of landmarks given in pixels of the image.

    Training with :class:`~monai_gu2net.losses.HeatmapLoss` does not need it; it is for pipelines that want
    the maps.

    Args:
        keys: landmarks (N, D) in pixels, NaN = absent.
        image_key: the image (C, *spatial) whose size the heatmaps get; not read if ``spatial_size`` is given.
        spatial_size: size of the heatmaps.
        sigma: standard deviation of the Gaussians in pixels.
        heatmap_keys: where the heatmaps go, float32 (N, *spatial); one key for each of ``keys``.
        allow_missing_keys: pass over keys that the sample does not have.

    Raises:
        ValueError: the landmarks have not as many coordinates as the image has axes.

    Example:
        >>> sample = {"points": torch.tensor([[2.0, 3.0]]), "image": torch.zeros(1, 5, 6)}
        >>> LandmarksToHeatmapsd(keys="points", sigma=1.0)(sample)["heatmaps"].shape
        torch.Size([1, 5, 6])
    """

    def __init__(
        self,
        keys: KeysCollection = "points",
        *,
        image_key: str = "image",
        spatial_size: Sequence[int] | None = None,
        sigma: float = 3.0,
        heatmap_keys: KeysCollection = "heatmaps",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key
        self.spatial_size = spatial_size
        self.sigma = sigma
        self.heatmap_keys = ensure_tuple_rep(heatmap_keys, len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with the heatmaps added."""
        sample = dict(data)
        for key, heatmap_key in self.key_iterator(sample, self.heatmap_keys):
            size = self.spatial_size if self.spatial_size is not None else sample[self.image_key].shape[1:]
            points = torch.as_tensor(sample[key])
            sample[heatmap_key] = gaussian_heatmaps(points, size, sigma=self.sigma).float()
        return sample


class HeatmapsToLandmarksd(MapTransform):
    """Find the landmarks in the heatmaps of one sample, in pixels and in the world of the image.

    For a key "pred" it writes ``pred_points`` (N, D) in network pixels, ``pred_landmarks`` (N, D) in the unit
    of the image's affine (mm; pixels of the image file where the spacing is unknown), ``pred_confidence`` (N,), and
    ``pred_spread`` (N,), how widely the heatmap lies about the landmark, in the unit of the affine; see
    :func:`~monai_gu2net.uncertainty.heatmap_spread`. A landmark that is absent is a NaN row and has the spread NaN.
    Where the heatmaps are those of the inverted image, as their metadata say, it is said as ``polarity`` and in a
    warning with the file's name.

    Args:
        keys: heatmaps (N, *spatial) on the grid of the image.
        image_key: MetaTensor whose affine maps network pixels to the world.
        sigmoid: the heatmaps are logits; False for probabilities.
        refine: "quadratic" for sub-pixel positions, "none" for the pixel of the maximum.
        min_confidence: a landmark of lower confidence is called absent.
        allow_missing_keys: pass over keys that the sample does not have.

    Raises:
        TypeError: the image has no affine.
        ValueError: the heatmaps are not (N, X, Y) or (N, X, Y, Z), or have NaN in them, which is no absent landmark.

    Example:
        >>> image = MetaTensor(torch.zeros(1, 5, 6), affine=torch.diag(torch.tensor([0.5, 0.1, 1.0, 1.0])))
        >>> heatmaps = gaussian_heatmaps(torch.tensor([[2.0, 3.0]]), (5, 6), sigma=1.0)
        >>> found = HeatmapsToLandmarksd(keys="pred", sigmoid=False)({"pred": heatmaps, "image": image})
        >>> [round(value, 3) for value in found["pred_landmarks"].flatten().tolist()]
        [1.0, 0.3]
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        image_key: str = "image",
        sigmoid: bool = True,
        refine: Refinement = "quadratic",
        min_confidence: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key
        self.sigmoid = sigmoid
        self.refine = refine
        self.min_confidence = min_confidence

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with points, landmarks, confidence and spread added."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            polarity = sample[key].meta.get(POLARITY_META) if isinstance(sample[key], MetaTensor) else None
            if polarity:
                sample["polarity"] = polarity
                _log.warning("%s: %s", Path(str(sample.get(f"{self.image_key}_file", "the image"))).name, polarity)
            heatmaps = torch.as_tensor(sample[key]).unsqueeze(0)
            # map by map, for those of a volume are large
            damaged = sum(bool(heatmap.isnan().any()) for heatmap in heatmaps[0])
            if damaged:
                raise ValueError(
                    f"Heatmaps must be numbers; got NaN in {damaged} of {heatmaps.shape[1]}. Use another checkpoint: "
                    "this one's numbers are too large."
                )
            points, confidence = decode_heatmaps(
                heatmaps, sigmoid=self.sigmoid, refine=self.refine, min_confidence=self.min_confidence
            )
            sample[f"{key}_points"] = points[0]
            sample[f"{key}_landmarks"] = _to_world(points[0], sample[self.image_key], self.image_key)
            sample[f"{key}_confidence"] = confidence[0]
            logits = heatmaps if self.sigmoid else heatmaps.logit()
            spread = heatmap_spread(logits, points)[0]
            sample[f"{key}_spread"] = spread_in_world(spread, sample[self.image_key].peek_pending_affine())
        return sample


def _to_world(points: Tensor, image: Any, image_key: str) -> Tensor:
    if not isinstance(image, MetaTensor):
        raise TypeError(
            f"{image_key!r} must be a MetaTensor, whose affine places the landmarks; got "
            f"{type(image).__name__}. Load it with a MONAI reader, or wrap it: MetaTensor(image, affine=...)."
        )
    return apply_affine(points, image.peek_pending_affine()).float()
