# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks as a Comprehensive (3D) SR, the record of what was found: a POINT per landmark, after template TID 1500."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import NOTHING_FOUND_TITLE
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.patient_space import frame_of_reference, series_affine
from monai_gu2net.dicom.readable_report import readable_content
from monai_gu2net.dicom.report_content import report_content
from monai_gu2net.dicom.report_document import write_report
from monai_gu2net.dicom.report_names import landmark_names
from monai_gu2net.dicom.report_points import ReportPoints, report_points
from monai_gu2net.dicom.study_object import Derivation, StudyObject, checked_landmarks
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats.parsing import checked_confidence
from monai_gu2net.measurements import Measured

__all__ = ["StructuredReport", "read_structured_report", "read_structured_reports", "write_structured_report"]


@dataclass(frozen=True, eq=False)
class StructuredReport:
    """What a report says of the landmarks of one image, or of one volume.

    Args:
        landmarks: N points in the frame "index", 2-D; or, of a volume, in the frame "LPS".
        confidence: (N,) from 0 to 1; NaN: the report says nothing of it.
        sop_instance_uid: of the image; "" of a volume that points were found in.
        frame: of the image, from 1; 0 of a volume.
        path: of the report; None: it is of no file.
        written: date and time of its content, as text that sorts by time; "": it does not say.
        left_out: what else the report holds, as far as the reader was asked for one report.
        frame_of_reference_uid: of the volume's space, which its series must have; "" of an image.
        evidence: SOP Instance UIDs of what the report says it is based on, of a volume usually all slices.
    """

    landmarks: LandmarkSet
    confidence: np.ndarray
    sop_instance_uid: str
    frame: int = 1
    path: Path | None = None
    written: str = ""
    left_out: tuple[LeftOut, ...] = ()
    frame_of_reference_uid: str = ""
    evidence: tuple[str, ...] = ()

    def in_series(self, slices: Sequence[Dataset]) -> LandmarkSet:
        """The landmarks in voxels of the series that they are of.

        Args:
            slices: its headers, see :func:`~monai_gu2net.dicom.series_headers`.

        Returns:
            N 3-D points in the frame "index": column, row and slice.

        Raises:
            DicomError: the points are those of an image, or in another space than the series.
        """
        name = "The report" if self.path is None else self.path.name
        space = frame_of_reference(slices, name=name)
        if self.landmarks.dims != 3 or self.frame_of_reference_uid not in ("", space):
            rule = "the points must be in space, and in the frame of reference of the series"
            got = "those of an image" if self.landmarks.dims != 3 else "those of another frame of reference"
            raise DicomError(f"{name}: {rule}; got {got}. Give the series that the report is about.")
        return self.landmarks.to_index(series_affine(slices, name=name))


def read_structured_report(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> StructuredReport:
    """Read the points of a report about one image, see :func:`read_structured_reports`.

    Args:
        path: the file.
        names: of the landmarks to return, in this order; by default all of the report. One the report lacks is absent;
            one of the report that is not among them is an error.

    Returns:
        The landmarks of the one image that all points lie in; ``left_out`` has what else is in the report.

    Raises:
        FileNotFoundError: there is no such file.
        DicomError: the file is no report, it has no point with a name, its points lie in several images, or they are of
            other landmarks than those named.
    """
    path = Path(path)
    report = report_points(path)
    found, left_out = _by_image([report])
    if len(found) > 1:
        raise DicomError(
            f"{path.name}: all points must lie in one image; they lie in {len(found)}. Use read_structured_reports."
        )
    if not found:
        why = f" ({left_out[0].reason})" if left_out else ""
        raise DicomError(f"{path.name}: the report must have points with names; it has none{why}. Give another one.")
    points = found[0].landmarks
    unknown = [number for number, name in enumerate(points.names, start=1) if names is not None and name not in names]
    if unknown:
        raise DicomError(
            f"{path.name}: the report's landmarks must be among {list(names or ())}; its points {unknown[:10]} are "
            "others. Correct the names."
        )
    return replace(found[0] if names is None else _selected(found[0], names), left_out=tuple(left_out))


def read_structured_reports(
    paths: Iterable[str | os.PathLike[str]], *, names: Sequence[str] | None = None
) -> tuple[list[StructuredReport], tuple[LeftOut, ...]]:
    """Read the points of reports: of this package, or of another program that writes points after TID 1500.

    Points are SCOORDs and SCOORD3Ds of type POINT, and the tips of the arrows that OHIF saves as a POLYLINE; a point
    that stands in its group twice counts once. What they are called is decided over all the reports together, so that a
    landmark has the same name in each, see :func:`~monai_gu2net.dicom.report_names.landmark_names`.

    Args:
        paths: the files.
        names: of the landmarks to return, in this order; by default all of each report. One that a report lacks is
            absent; others are left out.

    Returns:
        (reports, left_out): for each file and each image, or space, that it has points in, the landmarks of it. Left
        out are files that are no report of points, lengths, angles and other groups that are no point, and points
        without a name, with a name that another point of the image has, or with one that was not asked for. Whatever is
        odd refuses only itself.

    Raises:
        FileNotFoundError: one of the files is not there.

    Source: DICOM PS3.16, TID 1500; PS3.3, C.18.6.
    """
    parsed: list[ReportPoints] = []
    left_out: list[LeftOut] = []
    for path in map(Path, paths):
        try:
            parsed.append(report_points(path))
        except DicomError as error:
            left_out.append(LeftOut("report", path.name, f"it cannot be read ({str(error).removeprefix(path.name)})"))
    found, more = _by_image(parsed)
    left_out += more
    if names is None:
        return found, tuple(left_out)
    left_out += [
        LeftOut("landmark", f"{report.path.name if report.path else ''} point {number}", "it was not asked for")
        for report in found
        for number, name in enumerate(report.landmarks.names, start=1)
        if name not in names
    ]
    return [_selected(report, names) for report in found], tuple(left_out)


def _by_image(parsed: Sequence[ReportPoints]) -> tuple[list[StructuredReport], list[LeftOut]]:
    """The landmarks of each report and image, in their order."""
    found: list[StructuredReport] = []
    left_out: list[LeftOut] = []
    points = [point for report in parsed for point in report.points]
    keys = [(number, p.image, p.frame) for number, report in enumerate(parsed) for p in report.points]
    names = dict(zip(map(id, points), landmark_names([point.labels for point in points], keys), strict=True))
    for report in parsed:
        left_out += report.left_out
        if report.nothing_in is not None:
            flat = report.nothing_in != ""
            nothing = LandmarkSet((), np.empty((0, 2 if flat else 3)), "index" if flat else "LPS")
            found.append(_about(report, nothing, np.empty(0), report.nothing_in, int(flat)))
        elif not report.points and not report.left_out:
            left_out.append(LeftOut("report", report.path.name, "it has no points"))
        for image in dict.fromkeys((point.image, point.frame) for point in report.points):
            here = [point for point in report.points if (point.image, point.frame) == image]
            count = Counter(names[id(point)] for point in here)
            for point in here:
                if not names[id(point)]:
                    left_out.append(LeftOut("point", point.place, "it has no name"))
                elif count[names[id(point)]] > 1:
                    left_out.append(LeftOut("point", point.place, "another point of the image has its name"))
            kept = [point for point in here if names[id(point)] and count[names[id(point)]] == 1]
            if kept:
                rows = np.array([point.point for point in kept])
                named = tuple(names[id(point)] for point in kept)
                landmarks = LandmarkSet(named, rows, "LPS" if rows.shape[1] == 3 else "index")
                confidence = np.array([point.confidence for point in kept])
                found.append(_about(report, landmarks, confidence, *image))
    return found, left_out


def _about(
    report: ReportPoints, landmarks: LandmarkSet, confidence: np.ndarray, place: str, frame: int
) -> StructuredReport:
    """What a report says of one image, or of one space, whose frame is 0."""
    return StructuredReport(
        landmarks,
        confidence,
        sop_instance_uid=place if frame else "",
        frame=frame,
        path=report.path,
        written=report.written,
        frame_of_reference_uid="" if frame else place,
        evidence=report.evidence,
    )


def _selected(report: StructuredReport, names: Sequence[str]) -> StructuredReport:
    """The report with these landmarks, in this order; absent where it lacks them."""
    given = dict(zip(report.landmarks.names, report.confidence.tolist(), strict=True))
    confidence = np.array([given.get(name, np.nan) for name in names])
    landmarks = report.landmarks.select(names, allow_missing=True)
    return replace(report, landmarks=landmarks, confidence=confidence)


def write_structured_report(
    path: str | os.PathLike[str],
    landmarks: LandmarkSet,
    *,
    derivation: Derivation,
    confidence: ArrayLike | None = None,
    radius_px: ArrayLike | None = None,
    radius_mm: ArrayLike | None = None,
    parameters: Sequence[str] = (),
    measurements: Sequence[Measured] = (),
) -> Path:
    """Write the landmarks of an image as a Comprehensive SR of its study, of a volume as a Comprehensive 3D SR.

    Each landmark that is present has a measurement group (TID 1501) whose number carries a POINT, and whose comment is
    the landmark's name. Absent ones are not written; where all are, the report has another title, no measurement
    group, and says that 0 were found. The report is in a series of its own; its evidence is every file of the image.

    The points of a volume are in the patient's space, of the slices' frame of reference: mm in LPS. They are of single
    precision, as all of DICOM's graphics are: within 8 m of the origin none is moved by more than 0.0005 mm.

    Args:
        path: the file; written whole or not at all.
        landmarks: N points in the frame "index"; 3-D where the derivation has slices, else 2-D.
        derivation: which image that is, and what found the landmarks in it.
        confidence: (N,) numbers from 0 to 1; NaN: none.
        radius_px: (N,) radius that holds the landmark at 90 percent, in pixels; NaN: none.
        radius_mm: (N,) the same in mm, where the spacing is known.
        parameters: what else the numbers depend on, such as where the spacing is known from.
        measurements: made between the landmarks; those without a value are not written.

    Returns:
        The path.

    Raises:
        ImportError: highdicom is not installed.
        DicomError: the header does not say which image this is, or the slices not where they lie.
        ValueError: the landmarks are no indices of the image, or a name cannot be written in DICOM.

    Source: DICOM PS3.3, A.35.3 (Comprehensive SR), A.35.13 (Comprehensive 3D SR), C.17.1 to C.17.3, C.18.9, and C.18.6:
    coordinates in an image count from its top left corner, so that the first pixel's centre is at 0.5.
    """
    checked_landmarks(landmarks, dims=derivation.dims)
    count = len(landmarks.names)
    columns = [checked_confidence(column, count) for column in (confidence, radius_px, radius_mm)]
    written = repr((landmarks.names, landmarks.points.tolist(), columns, list(parameters), list(measurements)))
    report = StudyObject(path, derivation, (9801, "Landmarks"), ("SR 2", written))

    if not landmarks.present.any():
        return write_report(report, lambda: readable_content(report, NOTHING_FOUND_TITLE, landmarks, parameters))
    in_space = derivation.dims == 3
    return write_report(
        report, lambda: report_content(report, landmarks, columns, measurements, parameters), in_space=in_space
    )
