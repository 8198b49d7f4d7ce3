# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks as a Comprehensive SR, the record of what was found: a POINT per landmark, after template TID 1500."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import NOTHING_FOUND_TITLE
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.header import read_header
from monai_gu2net.dicom.limits import DicomError, Limits
from monai_gu2net.dicom.readable_report import readable_content
from monai_gu2net.dicom.report_content import report_content
from monai_gu2net.dicom.report_document import write_report
from monai_gu2net.dicom.report_points import report_points
from monai_gu2net.dicom.study_object import checked_landmarks, require_writers
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats.parsing import checked_confidence
from monai_gu2net.measurements import Measured

__all__ = ["StructuredReport", "read_structured_report", "write_structured_report"]

_SERIES_NUMBER = 9801


@dataclass(frozen=True, eq=False)
class StructuredReport:
    """What a report says of the landmarks of one image.

    Args:
        landmarks: N points in the frame "index", 2-D.
        confidence: (N,) from 0 to 1; NaN: the report says nothing of it.
        sop_instance_uid: of the image.
    """

    landmarks: LandmarkSet
    confidence: np.ndarray
    sop_instance_uid: str


def read_structured_report(
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> StructuredReport:
    """Read the points of a report, one of this package or another that has POINTs after TID 1500.

    A landmark is called by the tracking identifier of the group or measurement that its POINT belongs to, else by the
    meaning of that one's finding. Other graphics are passed over.

    Args:
        path: the file.
        names: of the landmarks to return, in this order; by default all of the report. One the report lacks is absent;
            one of the report that is not among them is an error.
        limits: what reading may cost.

    Returns:
        The landmarks of the one image that all POINTs lie in.

    Raises:
        FileNotFoundError: there is no such file.
        DicomError: the file is no such report, or its points lack a label, share one, lie in several images, or are of
            other landmarks than those named.

    Source: DICOM PS3.16, TID 1500; PS3.3, C.18.6.
    """
    path = Path(path)
    header = read_header(path, limits=limits)
    points, sop_instance_uid = report_points(header, name=path.name)
    unknown = [number for number, point in enumerate(points, start=1) if names is not None and point.label not in names]
    if unknown:
        raise DicomError(
            f"{path.name}: the report's landmarks must be among {list(names or ())}; its points {unknown[:10]} are "
            "others. Correct the names."
        )
    found = {point.label: point for point in points}
    order = tuple(found) if names is None else tuple(names)
    absent = (np.nan, np.nan)
    rows = np.array([found[name].point if name in found else absent for name in order]).reshape(-1, 2)
    confidence = np.array([found[name].confidence if name in found else np.nan for name in order])
    return StructuredReport(LandmarkSet(order, rows, "index"), confidence, sop_instance_uid)


def write_structured_report(
    path: str | os.PathLike[str],
    landmarks: LandmarkSet,
    *,
    header: Dataset,
    confidence: ArrayLike | None = None,
    radius_px: ArrayLike | None = None,
    radius_mm: ArrayLike | None = None,
    model: str,
    model_version: str,
    parameters: Sequence[str] = (),
    measurements: Sequence[Measured] = (),
    sop_instance_uid: str | None = None,
    now: datetime | None = None,
) -> Path:
    """Write the landmarks of an image as a Comprehensive SR of its study, in a series of its own.

    Each landmark that is present has a measurement group (TID 1501) whose number carries a POINT, and whose comment is
    the landmark's name. Absent ones are not written; where all are, the report has another title, no measurement
    group, and says that 0 were found.

    Args:
        path: the file; written whole or not at all.
        landmarks: N points in the frame "index", 2-D.
        header: of the image, see :func:`~monai_gu2net.dicom.read_header`. Patient and study come from it.
        confidence: (N,) numbers from 0 to 1; NaN: none.
        radius_px: (N,) radius that holds the landmark at 90 percent, in pixels; NaN: none.
        radius_mm: (N,) the same in mm, where the spacing is known.
        model: name of what found the landmarks.
        model_version: its version.
        parameters: what else the numbers depend on, such as where the spacing is known from.
        measurements: made between the landmarks; those without a value are not written.
        sop_instance_uid: of the SR. By default it is derived from the image, the model and all that is written, so that
            the same result is the same object and another result is another one.
        now: when it is made, in local time; by default now.

    Returns:
        The path.

    Raises:
        ImportError: highdicom is not installed.
        DicomError: the header does not say which image this is.
        ValueError: the landmarks are in mm or 3-D, or a name cannot be written in DICOM.

    Source: DICOM PS3.3, A.35.3 (Comprehensive SR), C.17.1 to C.17.3, and C.18.6: coordinates count from the image's top
    left corner, so that the first pixel's centre is at 0.5.
    """
    require_writers()
    path = Path(path)
    checked_landmarks(landmarks)
    count = len(landmarks.names)
    columns = [checked_confidence(column, count) for column in (confidence, radius_px, radius_mm)]
    written = repr((landmarks.names, landmarks.points.tolist(), columns, list(parameters), list(measurements)))
    uid = sop_instance_uid or derived_uid(str(header.get("SOPInstanceUID")), model, model_version, "SR 2", written)

    def content() -> Dataset:
        if not landmarks.present.any():
            return readable_content(
                landmarks,
                header=header,
                title=NOTHING_FOUND_TITLE,
                model=model,
                model_version=model_version,
                parameters=parameters,
            )
        return report_content(
            landmarks,
            header=header,
            confidence=columns[0],
            radius_px=columns[1],
            radius_mm=columns[2],
            measurements=measurements,
            model=model,
            model_version=model_version,
            parameters=parameters,
            uid=uid,
        )

    return write_report(
        path,
        content,
        header=header,
        series_number=_SERIES_NUMBER,
        description="Landmarks",
        model=model,
        model_version=model_version,
        uid=uid,
        now=now,
    )
