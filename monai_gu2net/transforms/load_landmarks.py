# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a case's landmarks from a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.data.spacing_source import case_spacing
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine
from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks import image_plane_affine, read_landmarks
from monai_gu2net.landmarks.formats import FIDUCIALS_EXTENSION, MARKUPS_EXTENSION, PointsFrame
from monai_gu2net.transforms.resolve_spacing import file_spacing, world_affine

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
            is none, a file in mm is taken as one mm per pixel, as Slicer loads such images. Landmarks in mm of a volume
            lie in the world of its file, by origin and directions of its affine, whether their own file counts in LPS
            or in RAS. A point list of Slicer (``.mrk.json``, ``.fcsv``) lies where Slicer shows the image: a DICOM
            radiograph by the tags that Slicer reads, a volume by the affine of its file, whatever else is said of its
            spacing. The sample's ``image`` may have been loaded before; a volume must be, for landmarks in mm.
        points: what the coordinates of a table of volumes are, where the table does not say: "voxel", "LPS" or "RAS".
        allow_missing_keys: pass samples without the key.

    Entries of the file that are not taken are logged as warnings.

    Raises:
        FileNotFoundError, ValueError: the file is not there, broken, or has a landmark that the domain lacks or points
            of another number of axes; or it is in mm about a volume that is not loaded.
    """

    def __init__(
        self,
        keys: KeysCollection = "landmarks",
        *,
        domains: Mapping[str, Domain],
        points: PointsFrame | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.domains, self.points = domains, points

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        domain = self.domains[sample["domain"]]
        dims: Literal[2, 3] = 2 if domain.dims == 2 else 3
        for key in self.key_iterator(sample):
            path = Path(sample[key])
            found = read_landmarks(path, names=domain.landmarks, dims=dims, points=self.points)
            if found.dims != dims:
                raise ValueError(
                    f"{path.name} must have points of {dims} coordinates, as domain {domain.name!r} has; got "
                    f"{found.dims}. Give the landmarks of this image, in a format for {dims} axes."
                )
            for line in left_out_lines(found.left_out):
                _log.warning("%s: %s", path.name, line)
            if found.frame != "index":
                found = found.to_index(self._affine(sample, domain, path))
            sample[key] = [None if np.isnan(point).any() else point.tolist() for point in found.points]
        return sample

    def _affine(self, sample: Mapping[Hashable, Any], domain: Domain, path: Path) -> np.ndarray:
        """From pixels of the image file to the world that a landmark file in mm speaks of."""
        of_slicer = path.name.lower().endswith((MARKUPS_EXTENSION, FIDUCIALS_EXTENSION))
        image = sample.get("image")
        file = file_spacing(image, sample.get("file_spacing_source"))
        spacing, source = case_spacing({"spacing": sample.get("spacing")}, domain, file=file)
        if domain.dims == 2:
            of_file = sample.get("image_file", image)
            if of_slicer and isinstance(of_file, str | os.PathLike) and is_dicom(Path(of_file)):
                return slicer_affine(read_header(Path(of_file)))
            return image_plane_affine(spacing or (1.0, 1.0))
        if not isinstance(image, MetaTensor):
            raise ValueError(
                f"The image 'image' must be loaded before landmarks in mm, whose origin and directions are "
                f"those of its affine; got {type(image).__name__} with {path.name!r}. Load it first, as a MetaTensor."
            )
        of_file = of_slicer or spacing is None or (file is not None and source == file[1])
        return world_affine(image, spacing or (1.0, 1.0, 1.0), of_file=of_file).numpy()
