# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Writing the landmarks found in an image."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.domain import Domain
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine, slicer_note, slicer_spacing
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.landmarks.formats.landmark_json import write_landmark_json
from monai_gu2net.landmarks.formats.table_csv import write_table
from monai_gu2net.measurements import measure
from monai_gu2net.transforms.affine import apply_affine, pixels_per_unit, spatial_affine, world_to_lps
from monai_gu2net.transforms.file_names import FileNames
from monai_gu2net.transforms.result_formats import ALL_FORMATS, DICOM_FORMATS, FORMATS
from monai_gu2net.transforms.save_dicom import DicomResults

__all__ = ["SaveLandmarksd"]

TABLES = ("landmarks", "measurements", "coco")  # what a run writes about all of its cases


class SaveLandmarksd(MapTransform):
    """Writes a file per case and format: ``CASE.json``, ``CASE.csv``, Slicer's ``CASE.mrk.json``, and DICOM.

    JSON and CSV give pixels of the image file, JSON millimetres beside them where the spacing is known; both have the
    radius that holds the landmark at 90 percent and its presence where the model is calibrated for them. JSON has the
    domain's measurements (``all_measurements``), with standard errors of a calibrated model, and ``orientation`` where
    there is something to say of it (:class:`~monai_gu2net.transforms.TurnUprightd`). Slicer's markups are in
    LPS mm, or in pixels without a unit; those of a DICOM image have the spacing at which Slicer shows it. Absent
    landmarks have no numbers. Every file is written whole or not at all.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; reads ``{key}_landmarks``, ``{key}_confidence``
            and, where they are there, ``{key}_radius`` and ``{key}_presence``.
        output_dir: the folder; it is made.
        domains: by name; the sample's ``domain`` picks one.
        formats: among "json", "csv" and "mrk.json", and "sr" (``CASE.sr.dcm`` with the points, ``CASE.text.dcm`` to be
            read) and "gsps" (``CASE.pr.dcm``), which are written where the sample's ``image_file`` is DICOM.
        model: ``name`` and ``version`` of what found the landmarks, or its name, for the DICOM files.
        sop_instance_uids: of the DICOM files ("sr", "text", "gsps"), where only one case is saved; by default they are
            derived from image and result.

    Attributes:
        names: what the files of each case are called; no two cases share a name.

    Raises:
        ValueError: a format is not known.
        ImportError: a DICOM format is asked for, and the packages that write it are not installed.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        output_dir: str | os.PathLike[str],
        domains: Mapping[str, Domain],
        formats: Sequence[str] = FORMATS,
        model: Mapping[str, str] | str = "GU2Net",
        sop_instance_uids: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(keys)
        unknown = [name for name in formats if name not in ALL_FORMATS]
        if unknown:
            raise ValueError(f"formats must be among {list(ALL_FORMATS)}; got {unknown}. Correct them.")
        self.output_dir, self.domains, self.formats = Path(output_dir), domains, tuple(formats)
        self.plain = [name for name in self.formats if name not in DICOM_FORMATS]
        dicom = [name for name in self.formats if name in DICOM_FORMATS]
        self.dicom = DicomResults(dicom, model=model, sop_instance_uids=sop_instance_uids)
        self.names = FileNames(reserved=TABLES)

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
            measured = measure(
                domain.all_measurements,
                LandmarkSet(domain.landmarks, world.numpy(), "mm") if known else pixels,
                unit="mm" if known else "px",
                radius=np.asarray(torch.as_tensor(sample[f"{key}_radius"]).cpu())
                if f"{key}_radius" in sample
                else None,
            )
            stem = self.output_dir / self.names((domain.name, str(sample["case"])))
            for name in self.plain:
                path = stem.with_name(f"{stem.name}.{name}")
                if name == "json":
                    about = {field: sample[field] for field in ("case", "domain", "spacing_source")}
                    about |= {"orientation": sample["orientation"]} if sample.get("orientation") else {}
                    about |= {"measurements": [each.to_dict() for each in measured]} if measured else {}
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
                else:
                    _write_markups(path, sample, pixels, world, confidence)
            self.dicom.save(
                stem,
                sample,
                pixels,
                confidence=confidence,
                radius=sample.get(f"{key}_radius"),
                radius_px=columns.get("radius_90"),
                measurements=measured,
            )
        return sample


def _write_markups(
    path: Path, sample: Mapping[Hashable, Any], pixels: LandmarkSet, world: torch.Tensor, confidence: np.ndarray
) -> None:
    """A point list that lies where Slicer shows the image's file."""
    image, known = sample.get("image_file"), sample["unit"] == "mm"
    if image is not None and pixels.dims == 2 and is_dicom(image):
        header = read_header(image)
        matrix = torch.as_tensor(sample["file_affine"]).cpu().double()[:-1, :2]
        own = torch.linalg.vector_norm(matrix, dim=0).tolist() if known else None
        write_markups(
            path,
            pixels.to_mm(slicer_affine(header)),
            confidence=confidence,
            unit="px" if slicer_spacing(header) is None else "mm",
            description=slicer_note(header, own, str(sample["spacing_source"])),
        )
    elif known:
        write_markups(path, LandmarkSet(pixels.names, world_to_lps(world).numpy(), "mm"), confidence=confidence)
    else:
        write_markups(path, pixels, confidence=confidence, unit="px")


def _calibrated(sample: Mapping[Hashable, Any], key: str, scale: float) -> dict[str, Any]:
    """Radius in pixels of the file and presence, as far as the sample has them."""
    columns = {}
    if f"{key}_radius" in sample:
        columns["radius_90"] = torch.as_tensor(sample[f"{key}_radius"]).cpu().double() * scale
    if f"{key}_presence" in sample:
        columns["presence"] = torch.as_tensor(sample[f"{key}_presence"]).cpu().double()
    return columns
