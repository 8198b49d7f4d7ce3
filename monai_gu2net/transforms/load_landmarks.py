# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a case's landmarks from a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.data.spacing_source import case_spacing
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine
from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks import image_plane_affine, read_landmarks, world_to_lps
from monai_gu2net.landmarks.formats import MARKUPS_EXTENSION
from monai_gu2net.transforms.resolve_spacing import file_spacing

__all__ = ["LoadLandmarksd"]

_log = logging.getLogger(__name__)


class LoadLandmarksd(MapTransform):
    """Replaces a landmark file by its points, as a datalist would have held them; it belongs before PhysicalSpaced.

    A datalist holds the points themselves, so the bundles do not need this transform; it is for pipelines of your own.

    Args:
        keys: a landmark file of any format that :func:`~monai_gu2net.landmarks.read_landmarks` recognises by itself,
            without further options. Afterwards a list of N points in pixels of the image file, None for absent ones.
        domains: by name; the sample's ``domain`` says which landmarks, in which order, and the spacing that turns
            millimetres into pixels, where neither the case nor, loaded before, the image's file states it. Where there
            is none, a file in mm is taken as one mm per pixel, as Slicer loads such images. A point list of Slicer
            (``.mrk.json``) lies where Slicer shows the image: a DICOM radiograph by the tags that Slicer reads, a
            volume by the affine of its file, with origin and directions. The sample's ``image`` may have been loaded
            before; a volume must be, for landmarks in mm.
        allow_missing_keys: pass samples without the key.

    Entries of the file that are not taken are logged as warnings.

    Raises:
        FileNotFoundError, ValueError: the file is not there, broken, or has a landmark that the domain lacks; or it is
            in mm about a volume that is not loaded.
    """

    def __init__(
        self,
        keys: KeysCollection = "landmarks",
        *,
        domains: Mapping[str, Domain],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.domains = domains

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        dims: Literal[2, 3] = 2 if len(domain.size) == 2 else 3
        for key in self.key_iterator(sample):
            path = Path(sample[key])
            found = read_landmarks(path, names=domain.landmarks, dims=dims)
            for line in left_out_lines(found.left_out):
                _log.warning("%s: %s", path.name, line)
            if found.frame == "mm":
                of_slicer = path.name.lower().endswith(MARKUPS_EXTENSION)
                if of_slicer:
                    found = replace(found, points=world_to_lps(found.points))  # turns LPS into the world as well
                found = found.to_index(self._affine(sample, domain, path, of_slicer=of_slicer))
            sample[key] = [None if np.isnan(point).any() else point.tolist() for point in found.points]
        return sample

    def _affine(self, sample: Mapping[Hashable, Any], domain: Domain, path: Path, *, of_slicer: bool) -> np.ndarray:
        """From pixels of the image file to the world that a landmark file in mm speaks of."""
        image = sample.get("image")
        file = file_spacing(image, sample.get("file_spacing_source"))
        spacing, source = case_spacing({"spacing": sample.get("spacing")}, domain, file=file)
        if len(domain.size) == 2:
            of_file = sample.get("image_file", image)
            if of_slicer and isinstance(of_file, str | os.PathLike) and is_dicom(Path(of_file)):
                return slicer_affine(read_header(Path(of_file)))
            return image_plane_affine(spacing or (1.0, 1.0))
        if isinstance(image, MetaTensor) and (of_slicer or spacing is None or (file and source == file[1])):
            return to_affine_nd(3, image.affine.double()).numpy()
        if of_slicer or spacing is None:
            raise ValueError(
                f"The image 'image' must be loaded before landmarks in mm, whose origin and directions are "
                f"those of its affine; got {type(image).__name__} with {path.name!r}. Load it first, as a MetaTensor."
            )
        return np.diag([*spacing, 1.0])
