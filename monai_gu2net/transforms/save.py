# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Writing the landmarks found in an image."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.data.case_names import FileNames
from monai_gu2net.data.domain import Domain
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine, slicer_note, slicer_spacing
from monai_gu2net.dicom.study_object import require_writers
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.landmarks.formats.coco_json import CocoImage
from monai_gu2net.landmarks.formats.landmark_json import write_landmark_json
from monai_gu2net.landmarks.formats.table_csv import write_table
from monai_gu2net.transforms.found import Found
from monai_gu2net.transforms.result_formats import ALL_FORMATS, DICOM_FORMATS, FORMATS, check_formats
from monai_gu2net.transforms.save_dicom import save_dicom

__all__ = ["SaveLandmarksd", "coco_image"]

_log = logging.getLogger(__name__)

TABLES = ("landmarks", "measurements", "coco")  # what a run writes about all of its cases


class SaveLandmarksd(MapTransform):
    """Writes a file per case and format: ``CASE.json``, ``CASE.csv``, Slicer's ``CASE.mrk.json``, and DICOM.

    JSON and CSV give pixels of the image file, JSON millimetres beside them where the spacing is known; both have the
    radius that holds the landmark at 90 percent and its presence where the model is calibrated for them. JSON has the
    domain's measurements (``all_measurements``), with standard errors of a calibrated model, and where there is
    something to say ``orientation`` (:class:`~monai_gu2net.transforms.TurnUprightd`), ``polarity`` and ``domain_doubt``
    (:class:`~monai_gu2net.transforms.TellDomaind`), of which CSV has the latter too. Slicer's markups are in
    LPS mm, or in pixels without a unit; those of a DICOM image have the spacing at which Slicer shows it. Absent
    landmarks have no numbers. Every file is written whole or not at all.

    Of a volume JSON and CSV give voxels of the file and, where the scale is known, ``x_lps_mm``, ``y_lps_mm`` and
    ``z_lps_mm``, millimetres to the left, to the back and upwards. Slicer's markups of one whose scale is not known
    are not written, for where Slicer shows it is not known either; a warning says so.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote; reads ``{key}_landmarks``, ``{key}_confidence``
            and, where they are there, ``{key}_radius`` and ``{key}_presence``.
        output_dir: the folder; it is made.
        domains: by name; the sample's ``domain`` picks one.
        formats: among "json", "csv" and "mrk.json", and "sr" (``CASE.sr.dcm`` with the points, ``CASE.text.dcm`` to be
            read) and "gsps" (``CASE.pr.dcm``), which are written where the sample's ``image_file`` is DICOM. Where that
            of a volume is not, "sr" is a ValueError once the other files are written.
        model: ``name`` and ``version`` of what found the landmarks, or its name, for the DICOM files.
        sop_instance_uids: of the DICOM files ("sr", "text", "gsps"), where only one case is saved; by default they are
            derived from image and result.

    Attributes:
        names: what the files of each case are called; no two cases share a name.

    Raises:
        ValueError: a format is not known, or is one of pictures and a domain one of volumes.
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
        check_formats(formats, domains)
        self.output_dir, self.domains, self.formats = Path(output_dir), domains, tuple(formats)
        self.plain = [name for name in self.formats if name not in DICOM_FORMATS]
        self.dicom = [name for name in self.formats if name in DICOM_FORMATS]
        if self.dicom:
            require_writers()
        about = {"name": model} if isinstance(model, str) else model
        self.model, self.uids = {"name": "GU2Net", "version": "unknown", **about}, dict(sop_instance_uids or {})
        self.names = FileNames(reserved=TABLES)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.keys:
            self.save(Found.of_sample(sample, self.domains[sample["domain"]], str(key)))
        return sample

    def save(self, found: Found, name: str | None = None) -> None:
        """Write the files of a case, under a name without ending; by default that of ``names``."""
        stem = self.output_dir / (name or self.names((found.domain.name, found.case)))
        columns = {"radius_90": found.radius_px, "presence": found.presence}
        columns_mm = {"radius_90_mm": found.radius} if found.unit == "mm" else {}
        given, given_mm = (
            {name: values for name, values in each.items() if values is not None} for each in (columns, columns_mm)
        )
        if found.dims == 3 and found.unit == "mm":
            given = {f"{axis}_lps_mm": found.lps[:, number] for number, axis in enumerate("xyz")} | given
        measured = found.measured()
        doubt = {"domain_doubt": found.domain_doubt} if found.domain_doubt else {}
        for kind in self.plain:
            path = stem.with_name(f"{stem.name}.{kind}")
            if kind == "json":
                about: dict[str, Any] = {
                    "case": found.case,
                    "domain": found.domain.name,
                    "spacing_source": found.spacing_source,
                }
                about |= found.said
                about |= {"measurements": [each.to_dict() for each in measured]} if measured else {}
                write_landmark_json(
                    path,
                    found.landmarks,
                    confidence=found.confidence,
                    points_mm=found.points_mm if found.dims == 2 else None,
                    columns=given | given_mm,
                    about=about,
                )
            elif kind == "csv":
                write_table(path, found.landmarks, confidence=found.confidence, columns=given, words=doubt)
            else:
                _write_markups(path, found)
        save_dicom(stem, found, measured, formats=self.dicom, model=self.model, sop_instance_uids=self.uids)


def _write_markups(path: Path, found: Found) -> None:
    """A point list that lies where Slicer shows the image's file."""
    image, in_mm, confidence = found.image_file, found.unit == "mm", found.confidence
    if image is not None and found.dims == 2 and is_dicom(image):
        header = read_header(image)
        write_markups(
            path,
            found.landmarks.to_mm(slicer_affine(header)),
            confidence=confidence,
            unit="px" if slicer_spacing(header) is None else "mm",
            description=slicer_note(header, found.spacing if in_mm else None, found.spacing_source),
        )
    elif in_mm:
        write_markups(path, LandmarkSet(found.names, found.lps, "LPS"), confidence=confidence)
    elif found.dims == 3:
        _log.warning("%s left out: the scale of the volume is not known, nor where Slicer shows it", path.name)
    else:
        write_markups(path, found.landmarks, confidence=confidence, unit="px")


def coco_image(found: Found) -> CocoImage:
    """An image with its landmarks, for :func:`~monai_gu2net.landmarks.formats.write_coco`.

    Args:
        found: in an image of two axes. Its domain is the category; the case's name stands in for a missing file.
    """
    width, height = found.size
    name = Path(found.image_file or found.case).name
    return CocoImage(name, (width, height), found.landmarks, found.domain.name, found.confidence)
