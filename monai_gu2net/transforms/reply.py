# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The landmarks found in an image as the JSON that a server answers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.coordinates import apply_affine, spatial_affine, world_to_lps
from monai_gu2net.uncertainty import pixels_per_unit

__all__ = ["LandmarksToReplyd"]

_PIXEL_AXES = ("x", "y", "z")


class LandmarksToReplyd(MapTransform):
    """Puts what was found into plain numbers and words, under the key that MONAI Label takes for its reply.

    The reply is ``{"landmarks": [...], "unit", "spacing_source", "domain", "model"}``. A landmark has ``name``,
    ``index``, ``x`` and ``y`` (``z`` in a volume) in pixels of the image file, ``confidence`` and, where the spacing is
    known, ``lps``: three numbers in mm, for a radiograph (x*sx, y*sy, 0), which is where Slicer shows an image without
    patient geometry. A calibrated model adds ``radius_90`` (pixels of the file), ``radius_90_mm`` where the spacing is
    known, and ``presence``. ``orientation`` is there where there is something to say of it
    (:class:`~monai_gu2net.transforms.TurnUprightd`). What is absent is null, never a number.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; reads ``{key}_landmarks``, ``{key}_confidence`` and, where
            they are there, ``{key}_radius`` and ``{key}_presence``.
        domains: by name; the sample's ``domain`` picks one.
        model: name and version of what found the landmarks, see :func:`~monai_gu2net.engines.model_identity`.
        reply_key: where the reply goes.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        domains: Mapping[str, Domain],
        model: Mapping[str, str] | str = "GU2Net",
        reply_key: str = "result",
    ) -> None:
        super().__init__(keys)
        self.domains, self.reply_key = domains, reply_key
        self.model = model if isinstance(model, str) else dict(model)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        affine = torch.as_tensor(sample["file_affine"]).cpu().double()
        for key in self.keys:
            world = torch.as_tensor(sample[f"{key}_landmarks"]).cpu().double()
            dims = world.shape[-1]
            pixels = apply_affine(world, torch.linalg.inv(spatial_affine(affine, dims)))
            known = sample["unit"] == "mm"
            columns = {"confidence": torch.as_tensor(sample[f"{key}_confidence"]).cpu()}
            if f"{key}_radius" in sample:
                radius = torch.as_tensor(sample[f"{key}_radius"]).cpu().double()
                columns["radius_90"] = radius * pixels_per_unit(affine, dims)
                columns |= {"radius_90_mm": radius} if known else {}
            if f"{key}_presence" in sample:
                columns["presence"] = torch.as_tensor(sample[f"{key}_presence"]).cpu()
            landmarks: list[dict[str, Any]] = []
            lps = world_to_lps(world)
            for index, name in enumerate(domain.landmarks):
                found: dict[str, Any] = {"name": name, "index": index}
                found |= dict(zip(_PIXEL_AXES, map(_number, pixels[index].tolist()), strict=False))
                if known:
                    found["lps"] = None if world[index].isnan().any() else lps[index].tolist() + [0.0] * (3 - dims)
                found |= {column: _number(float(values[index])) for column, values in columns.items()}
                landmarks.append(found)
            sample[self.reply_key] = {
                "landmarks": landmarks,
                "unit": sample["unit"],
                "spacing_source": sample["spacing_source"],
                "domain": domain.name,
                "model": self.model,
            }
            if sample.get("orientation"):
                sample[self.reply_key]["orientation"] = sample["orientation"]
        return sample


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None
