# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""DICOM images with DICOM structured reports that hold their landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.data.dicom_entries import DicomEntry, read_entries
from monai_gu2net.dicom import StructuredReport, dicom_files, read_structured_reports
from monai_gu2net.files import LeftOut, left_out_lines
from monai_gu2net.sources.folder_files import unmatched
from monai_gu2net.sources.reported_series import reported_series, series_of
from monai_gu2net.sources.source import Entry

__all__ = ["has_reports", "report_entries"]

_PLACES = ("", "images", "sr")
_SERIES = ("", "images")


def report_entries(folder: Path, *, landmarks: Sequence[str] | None = None) -> Iterator[Entry | LeftOut]:
    """DICOM images and structured reports, in the folder or its ``images/`` and ``sr/``.

    A report belongs to the image whose SOP Instance UID it references, whatever the files are called; one about several
    images gives each its own points. One with points in space belongs to the series that its evidence names, or to the
    only one in their frame of reference; a series is a folder in the folder or in ``images/``, or an enhanced object.
    Of several reports about an image, the one that was written last counts; several of one time that differ are left
    out with their image, and so is all that :func:`~monai_gu2net.dicom.read_structured_reports` leaves out. An image
    has no spacing of it: what its tags state is read with it.

    Args:
        folder: the dataset.
        landmarks: names and order of the landmarks; by default all labels in the order in which the reports, sorted by
            name, bring them up. Points of others are left out.

    Raises:
        ValueError: no image has a report of points, or some are of radiographs and some of volumes.
    """
    entries = read_entries(path for place in _PLACES for path in dicom_files(folder / place))
    images = {entry.sop_instance_uid: entry for entry in entries if entry.kind == "image"}
    left_out = [
        LeftOut("file", _named(entry, folder), f"it cannot be read ({entry.what})" if broken else f"it is {entry.what}")
        for broken in (True, False)
        for entry in entries
        if entry.kind == ("broken" if broken else "other")
    ]
    found, odd = read_structured_reports([entry.path for entry in entries if entry.kind == "report"], names=landmarks)
    left_out += odd
    flat = [report for report in found if report.landmarks.dims == 2]
    volumes, none = _entries_of_volumes([report for report in found if report.landmarks.dims == 3], images, folder)
    left_out += none
    used = {entry.image for entry in volumes}
    single = {uid: entry for uid, entry in images.items() if used.isdisjoint((entry.path, entry.path.parent))}
    reports, others, doubtful = _one_each(_about(flat, folder, left_out), folder)
    unreported = {uid: entry.path for uid, entry in single.items() if uid not in doubtful}
    paths = {uid: report.path for uid, report in reports.items() if report.path is not None}
    left_out += [
        *others,
        *unmatched(unreported, reports, what="image", lacks="report", folder=folder),
        *unmatched(paths, images, what="report", lacks="image", folder=folder),
    ]
    reason = "its reports are of one time and differ"
    left_out += [LeftOut("image", _named(images[uid], folder), reason) for uid in doubtful if uid in images]
    pairs = [(image, reports[uid].landmarks) for uid, image in single.items() if uid in reports]
    if not pairs and not volumes:
        lines = "; ".join(left_out_lines(left_out))
        raise ValueError(
            f"{folder}: images must have structured reports about them; got none{lines and f' ({lines})'}. Put them "
            "side by side."
        )
    yield from left_out
    for image, points in sorted(pairs, key=lambda pair: pair[0].path):
        yield Entry(image.path, points, dicom=image)
    yield from volumes


def _entries_of_volumes(
    reports: Sequence[StructuredReport], images: Mapping[str, DicomEntry], folder: Path
) -> tuple[list[Entry], list[LeftOut]]:
    """The series that reports have points in; nothing is looked at where no report has."""
    if not reports:
        return [], []
    inner = [path for place in _SERIES if (folder / place).is_dir() for path in sorted((folder / place).iterdir())]
    among, left_out = reported_series(
        [path for path in inner if path.is_dir() and path != folder / "sr"], folder=folder
    )
    known = {uid for series in among for uid in series.instances}
    alone = (next((uid for uid in report.evidence if uid in images), "") for report in reports)
    files = dict.fromkeys(images[uid].path for uid in alone if uid and uid not in known)
    more, none = reported_series(files, folder=folder)
    among, left_out = among + more, left_out + none
    by_path = {str(series.path): series for series in among}
    about: dict[str, list[StructuredReport]] = {}
    for report in reports:
        series = series_of(report, among)
        if isinstance(series, str):
            left_out.append(_not_taken(report, folder, series))
        else:
            about.setdefault(str(series.path), []).append(report)
    chosen, others, doubtful = _one_each(about, folder)
    lacking = {key: series.path for key, series in by_path.items() if key not in doubtful}
    left_out += [*others, *unmatched(lacking, chosen, what="series", lacks="report", folder=folder)]
    reason = "its reports are of one time and differ"
    left_out += [LeftOut("series", by_path[key].path.relative_to(folder).as_posix(), reason) for key in doubtful]
    kept = sorted(chosen)
    patients = [entry.patient for entry in read_entries(by_path[key].first for key in kept)]
    found = [
        Entry(by_path[key].path, by_path[key].landmarks_of(chosen[key]), patient=patient)
        for key, patient in zip(kept, patients, strict=True)
    ]
    return found, left_out


def has_reports(folder: Path) -> bool:
    """Whether a folder, or its ``sr/``, has a structured report."""
    paths = (path for place in ("sr", "") for path in dicom_files(folder / place))
    return any(entry.kind == "report" for path in paths for entry in read_entries([path]))


def _named(entry: DicomEntry, folder: Path) -> str:
    return entry.path.relative_to(folder).as_posix()


def _about(
    reports: Sequence[StructuredReport], folder: Path, left_out: list[LeftOut]
) -> dict[str, list[StructuredReport]]:
    """The reports about each image, by its SOP Instance UID; adds those that are about another frame."""
    about: dict[str, list[StructuredReport]] = {}
    for report in reports:
        if report.frame != 1:
            left_out.append(_not_taken(report, folder, "its points are in another frame than the image's first"))
        else:
            about.setdefault(report.sop_instance_uid, []).append(report)
    return about


def _one_each(
    about: Mapping[str, Sequence[StructuredReport]], folder: Path
) -> tuple[dict[str, StructuredReport], list[LeftOut], list[str]]:
    """The report that counts of each image, those that do not, and the images of which that cannot be told.

    One that says that nothing was found counts only where no other does.
    """
    chosen: dict[str, StructuredReport] = {}
    left_out: list[LeftOut] = []
    doubtful: list[str] = []
    for image, reports in about.items():
        first, *rest = sorted(reports, key=lambda report: (_has_points(report), report.written), reverse=True)
        level = [other for other in rest if other.written == first.written and not _same(first, other)]
        if level and _has_points(level[0]):
            doubtful.append(image)
            left_out += [_not_taken(one, folder, "another one of the same time is about its image") for one in reports]
            continue
        chosen[image] = first
        left_out += [_not_taken(one, folder, "another one about its image counts, the last written") for one in rest]
    return chosen, left_out, doubtful


def _has_points(report: StructuredReport) -> bool:
    return bool(report.landmarks.present.any())


def _same(one: StructuredReport, other: StructuredReport) -> bool:
    return one.landmarks.names == other.landmarks.names and np.array_equal(
        one.landmarks.points, other.landmarks.points, equal_nan=True
    )


def _not_taken(report: StructuredReport, folder: Path, reason: str) -> LeftOut:
    return LeftOut("report", "" if report.path is None else report.path.relative_to(folder).as_posix(), reason)
