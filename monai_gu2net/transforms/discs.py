# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks as a label image, for tools that know masks alone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_gu2net.data.volume import NIFTI, VOLUMES
from monai_gu2net.transforms.found import points_in_file, spacing_in_file

__all__ = ["LandmarksToDiscsd"]

_LPS_TO_RAS = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0], dtype=torch.float64))


class LandmarksToDiscsd(MapTransform):
    """Draws a disc (a ball in a volume) about each landmark found, on the grid of the image file.

    A pixel has the value index + 1 of the nearest landmark whose disc it lies in (the first one where two are as near),
    else 0; a landmark that is absent has no disc. The mask takes the place of the heatmaps, in the shape that MONAI
    Label's writer takes: (W, H) for a picture or DICOM, without an affine; (1, W, H, D), with D 1 for a radiograph, and
    the affine (RAS, mm) in the formats that have one.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; reads ``{key}_landmarks`` and the sample's ``file_affine``,
            ``file_size`` and ``image_file``, and ``result_extension`` where another format is wanted than that of the
            file. ``{key}`` becomes the mask, uint8, or int16 for more than 255 landmarks.
        radius_px: of the discs, in pixels of the file; at the least the pixel that the landmark lies in.
        radius_mm: of the discs where the spacing is known; by default ``radius_px`` there too.

    Raises:
        ValueError: a radius is not positive.
    """

    def __init__(
        self, keys: KeysCollection = "pred", *, radius_px: float = 3.0, radius_mm: float | None = None
    ) -> None:
        super().__init__(keys)
        for name, radius in (("radius_px", radius_px), ("radius_mm", radius_mm)):
            if radius is not None and not 0 < radius < float("inf"):
                raise ValueError(f"{name} must be positive; got {radius}. Give the radius of the discs.")
        self.radius_px, self.radius_mm = radius_px, radius_mm

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        affine = torch.as_tensor(sample["file_affine"]).cpu().double()
        size = [int(length) for length in torch.as_tensor(sample["file_size"]).cpu()]
        in_mm = self.radius_mm if sample["unit"] == "mm" else None
        for key in self.keys:
            points = points_in_file(sample[f"{key}_landmarks"], affine)
            radius = self.radius_px if in_mm is None else in_mm / spacing_in_file(affine)[: len(size)]
            mask = draw_discs(points, size, radius)
            sample[key] = _as_written(mask, affine, Path(str(sample["image_file"])), sample.get("result_extension"))
        return sample


def draw_discs(points: np.ndarray, size: Sequence[int], radius: np.ndarray | float) -> np.ndarray:
    """A label image of discs.

    Args:
        points: (N, D) in pixels; NaN: absent.
        size: D lengths in pixels.
        radius: in pixels, of all axes or (D,) of each.

    Returns:
        (*size) uint8, int16 where there are more than 255 landmarks: 0, or the nearest landmark's index + 1.
    """
    mask = np.zeros(tuple(size), dtype=np.uint8 if len(points) <= 255 else np.int16)
    nearest = np.full(tuple(size), np.inf)
    radii = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(size),))
    for label, point in enumerate(points, start=1):
        if np.isnan(point).any():
            continue
        first = np.maximum(np.ceil(point - np.maximum(radii, 0.5)).astype(int), 0)
        last = np.minimum(np.floor(point + np.maximum(radii, 0.5)).astype(int) + 1, size)
        if (first >= last).any():
            continue
        window = tuple(slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True))
        offsets = np.meshgrid(*(np.arange(s.start, s.stop) for s in window), indexing="ij")
        steps = [offset - centre for offset, centre in zip(offsets, point.tolist(), strict=True)]
        away = np.sqrt(sum((step / r) ** 2 for step, r in zip(steps, radii.tolist(), strict=True)))
        at_it = np.max([np.abs(step) for step in steps], axis=0) <= 0.5
        drawn = ((away <= 1) | at_it) & (away < nearest[window])
        mask[window][drawn] = label
        nearest[window][drawn] = away[drawn]
    return mask


def _as_written(mask: np.ndarray, affine: torch.Tensor, image: Path, extension: str | None) -> torch.Tensor:
    """The mask in the shape for a file with the image's ending, or another."""
    name = (extension or image.name).lower()
    if mask.ndim == 2 and not name.endswith(VOLUMES):
        return torch.from_numpy(mask)
    if image.name.lower().endswith(NIFTI):
        import nibabel

        ras = torch.from_numpy(np.asarray(nibabel.load(image).affine, dtype=np.float64))  # type: ignore[attr-defined]
    else:
        ras = _LPS_TO_RAS @ affine if mask.ndim == 2 else affine
    whole = mask[:, :, None] if mask.ndim == 2 else mask
    return MetaTensor(torch.from_numpy(whole)[None], affine=ras)
