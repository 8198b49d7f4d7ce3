# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a case's landmarks from a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.data.spacing_source import case_spacing
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine
from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks import image_plane_affine, read_landmarks
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION
from monai_gu2net.transforms.resolve_spacing import file_spacing

__all__ = ["LoadLandmarksd"]

_log = logging.getLogger(__name__)


class LoadLandmarksd(MapTransform):
    """Replaces a landmark file by its points, as a datalist would have held them; it belongs before PhysicalSpaced.

    A datalist holds the points themselves, so the bundles do not need this transform; it is for pipelines of your own.

    Args:
        keys: a landmark file of any format that :func:`~monai_gu2net.landmarks.read_landmarks` tells by itself, without
            further options. Afterwards a list of N points in pixels of the image file, None for absent ones.
        domains: by name; the sample's ``domain`` says which landmarks, in which order, and the spacing that turns
            millimetres into pixels, where neither the case nor, loaded before, the image's file tells it. Where no
            spacing is known, a file in mm is taken as one mm per pixel, as Slicer loads such images. A point list of
            Slicer (``.mrk.json``) about a DICOM image is read as Slicer shows that image, whatever its spacing is.
        image_key: the image, which may have been loaded before.
        allow_missing_keys: pass samples without the key.

    Entries of the file that are not taken are logged as warnings.

    Raises:
        FileNotFoundError, ValueError: the file is not there, broken, or has a landmark that the domain lacks.
    """

    def __init__(
        self,
        keys: KeysCollection = "landmarks",
        *,
        domains: Mapping[str, Domain],
        allow_missing_keys: bool = False,
        image_key: str = "image",
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.domains, self.image_key = domains, image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        dims = len(domain.size)
        file = file_spacing(sample.get(self.image_key), sample.get("file_spacing_source"))
        spacing, _ = case_spacing({"spacing": sample.get("spacing")}, domain, file=file)
        affine = np.diag([*(spacing or (1.0,) * dims), 1.0]) if dims == 3 else image_plane_affine(spacing or (1.0, 1.0))
        image = _image_file(sample, self.image_key)
        for key in self.key_iterator(sample):
            of_slicer = dims == 2 and str(sample[key]).lower().endswith(MARKUPS_EXTENSION)
            plane = affine
            if of_slicer and image is not None and is_dicom(image):
                plane = slicer_affine(read_header(image))
            found = read_landmarks(Path(sample[key]), names=domain.landmarks, dims=2 if dims == 2 else 3)
            for line in left_out_lines(found.left_out):
                _log.warning("%s: %s", Path(sample[key]).name, line)
            points = found.to_index(plane).points if found.frame == "mm" else found.points
            sample[key] = [None if np.isnan(point).any() else point.tolist() for point in points]
        return sample


def _image_file(sample: Mapping[Hashable, Any], key: str) -> Path | None:
    """The image's file: what the key still holds, or what was noted when it was loaded."""
    name = sample.get("image_file", sample.get(key))
    return Path(name) if isinstance(name, str | os.PathLike) else None
