# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The DICOM series of a folder that structured reports have points in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom import DicomError, StructuredReport, dicom_files, series_headers
from monai_gu2net.dicom.patient_space import frame_of_reference, series_affine
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.sources.folder_files import first_image

__all__ = ["ReportedSeries", "reported_series", "series_of"]


@dataclass(frozen=True, eq=False)
class ReportedSeries:
    """A series that reports may be about.

    Args:
        path: the folder of its slices, or the file of an enhanced object.
        instances: SOP Instance UIDs of its files.
        space: its Frame of Reference UID.
        affine: (4, 4) index to RAS mm.
        first: an image of it.
    """

    path: Path
    instances: frozenset[str]
    space: str
    affine: np.ndarray
    first: Path

    def landmarks_of(self, report: StructuredReport) -> LandmarkSet:
        """The landmarks of a report in voxels of this series, which it is about."""
        return report.landmarks.to_index(self.affine)


def reported_series(places: Iterable[Path], *, folder: Path) -> tuple[list[ReportedSeries], list[LeftOut]]:
    """The series of folders with one in each, and of files that are one by themselves.

    Args:
        places: folders, of which those without DICOM files are passed over, and enhanced multi-frame objects.
        folder: the dataset, which the names of what is left out are relative to.
    """
    found: list[ReportedSeries] = []
    left_out: list[LeftOut] = []
    for path in places:
        if path.is_dir() and (path.name.startswith(".") or not dicom_files(path)):
            continue
        try:
            found.append(_series(path))
        except DicomError as error:
            left_out.append(LeftOut("series", path.relative_to(folder).as_posix(), str(error).rstrip(".")))
    return found, left_out


def series_of(report: StructuredReport, among: Sequence[ReportedSeries]) -> ReportedSeries | str:
    """The series that a report has points in; or, in words, why it is none.

    It is the one that has an object of the report's evidence, which must be in the frame of reference of the points;
    where none has, and for reports without evidence, the only one in that frame of reference.
    """
    named = [series for series in among if not series.instances.isdisjoint(report.evidence)]
    space = report.frame_of_reference_uid
    fitting = named or [series for series in among if series.space == space]
    if not fitting:
        return "it has no image"
    if space and named and all(series.space != space for series in named):
        return "its points are in another frame of reference than its series"
    fitting = [series for series in fitting if series.space == space or not space]
    return fitting[0] if len(fitting) == 1 else "it may be about any of several series of its frame of reference"


def _series(path: Path) -> ReportedSeries:
    headers = series_headers(path)
    return ReportedSeries(
        path,
        frozenset(_instance(header) for header in headers),
        frame_of_reference(headers, name=path.name),
        series_affine(headers, name=path.name),
        first_image(path) if path.is_dir() else path,
    )


def _instance(header: Dataset) -> str:
    return str(header.get("SOPInstanceUID") or "")
