# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Writing the landmarks found in an image."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks import LandmarkSet, write_landmarks
from monai_gu2net.landmarks.formats.landmark_json import write_landmark_json
from monai_gu2net.landmarks.formats.table_csv import write_table
from monai_gu2net.transforms.affine import apply_affine, pixels_per_unit, spatial_affine

__all__ = ["FORMATS", "SaveLandmarksd", "file_name"]

FORMATS = ("json", "csv", "mrk.json")


class SaveLandmarksd(MapTransform):
    """Writes a file per case and format: ``CASE.json``, ``CASE.csv`` and Slicer's ``CASE.mrk.json``.

    JSON and CSV give pixels of the image file, JSON millimetres beside them where the spacing is known; both have the
    radius that holds the landmark at 90 percent and its presence where the model is calibrated for them. Slicer's
    markups are in mm, or in pixels without a unit. Absent landmarks have no numbers. Every file is written whole or not
    at all.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; reads ``{key}_landmarks``, ``{key}_confidence``
            and, where they are there, ``{key}_radius`` and ``{key}_presence``.
        output_dir: the folder; it is made.
        domains: by name; the sample's ``domain`` picks one.
        formats: among "json", "csv" and "mrk.json".

    Raises:
        ValueError: a format is not known.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        output_dir: str | os.PathLike[str],
        domains: Mapping[str, Domain],
        formats: Sequence[str] = FORMATS,
    ) -> None:
        super().__init__(keys)
        unknown = [name for name in formats if name not in FORMATS]
        if unknown:
            raise ValueError(f"formats must be among {list(FORMATS)}; got {unknown}. Correct them.")
        self.output_dir, self.domains, self.formats = Path(output_dir), domains, tuple(formats)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        affine = torch.as_tensor(sample["file_affine"]).cpu().double()
        for key in self.key_iterator({**sample, **dict.fromkeys(self.keys)}):
            world = torch.as_tensor(sample[f"{key}_landmarks"]).cpu().double()
            to_file = torch.linalg.inv(spatial_affine(affine, world.shape[-1]))
            pixels = LandmarkSet(domain.landmarks, apply_affine(world, to_file).numpy(), "index")
            known = sample["unit"] == "mm"
            confidence = np.asarray(torch.as_tensor(sample[f"{key}_confidence"]).cpu(), dtype=float)
            columns = _calibrated(sample, key, pixels_per_unit(affine, world.shape[-1]))
            columns_mm = {"radius_90_mm": sample[f"{key}_radius"]} if known and "radius_90" in columns else {}
            stem = self.output_dir / file_name(str(sample["case"]))
            for name in self.formats:
                path = stem.with_name(f"{stem.name}.{name}")
                if name == "json":
                    about = {field: sample[field] for field in ("case", "domain", "spacing_source")}
                    write_landmark_json(
                        path,
                        pixels,
                        confidence=confidence,
                        points_mm=world if known else None,
                        columns=columns | columns_mm,
                        about=about,
                    )
                elif name == "csv":
                    write_table(path, pixels, confidence=confidence, columns=columns)
                elif known:
                    markups = LandmarkSet(domain.landmarks, world.numpy(), "mm")
                    write_landmarks(path, markups, confidence=confidence)
                else:
                    write_landmarks(path, pixels, confidence=confidence, unit="px")
        return sample


def _calibrated(sample: Mapping[Hashable, Any], key: str, scale: float) -> dict[str, Any]:
    """Radius in pixels of the file and presence, as far as the sample has them."""
    columns = {}
    if f"{key}_radius" in sample:
        columns["radius_90"] = torch.as_tensor(sample[f"{key}_radius"]).cpu().double() * scale
    if f"{key}_presence" in sample:
        columns["presence"] = torch.as_tensor(sample[f"{key}_presence"]).cpu().double()
    return columns


def file_name(case: str) -> str:
    """A case's name with everything but letters, digits, '.', '_' and '-' replaced, and no leading dot."""
    return re.sub(r"[^\w.-]|^\.+", "_", case, flags=re.ASCII) or "_"
