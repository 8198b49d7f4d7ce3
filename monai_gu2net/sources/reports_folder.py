# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""DICOM images with DICOM structured reports that hold their landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.data.dicom_entries import DicomEntry, read_entries
from monai_gu2net.dicom import StructuredReport, dicom_files, read_structured_reports
from monai_gu2net.files import LeftOut, left_out_lines
from monai_gu2net.sources.folder_files import unmatched
from monai_gu2net.sources.source import Entry

__all__ = ["has_reports", "report_entries"]

_PLACES = ("", "images", "sr")


def report_entries(folder: Path, *, landmarks: Sequence[str] | None = None) -> Iterator[Entry | LeftOut]:
    """DICOM images and structured reports, in the folder or its ``images/`` and ``sr/``.

    A report belongs to the image whose SOP Instance UID it references, whatever the files are called; one about several
    images gives each its own points. Of several reports about an image, the one that was written last counts; several
    of one time that differ are left out with their image, and so is all that
    :func:`~monai_gu2net.dicom.read_structured_reports` leaves out. An image has no spacing of it: what its tags state
    is read with it.

    Args:
        folder: the dataset.
        landmarks: names and order of the landmarks; by default all labels in the order in which the reports, sorted by
            name, bring them up. Points of others are left out.

    Raises:
        ValueError: no image has a report of points.
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
    reports, others, doubtful = _one_each(found, folder)
    unreported = {uid: entry.path for uid, entry in images.items() if uid not in doubtful}
    paths = {uid: report.path for uid, report in reports.items() if report.path is not None}
    left_out += [
        *odd,
        *others,
        *unmatched(unreported, reports, what="image", lacks="report", folder=folder),
        *unmatched(paths, images, what="report", lacks="image", folder=folder),
    ]
    reason = "its reports are of one time and differ"
    left_out += [LeftOut("image", _named(images[uid], folder), reason) for uid in doubtful if uid in images]
    pairs = [(image, reports[uid].landmarks) for uid, image in images.items() if uid in reports]
    if not pairs:
        lines = "; ".join(left_out_lines(left_out))
        raise ValueError(
            f"{folder}: images must have structured reports about them; got none{lines and f' ({lines})'}. Put them "
            "side by side."
        )
    yield from left_out
    for image, points in sorted(pairs, key=lambda pair: pair[0].path):
        yield Entry(image.path, points, dicom=image)


def has_reports(folder: Path) -> bool:
    """Whether a folder, or its ``sr/``, has a structured report."""
    paths = (path for place in ("sr", "") for path in dicom_files(folder / place))
    return any(entry.kind == "report" for path in paths for entry in read_entries([path]))


def _named(entry: DicomEntry, folder: Path) -> str:
    return entry.path.relative_to(folder).as_posix()


def _one_each(
    found: Sequence[StructuredReport], folder: Path
) -> tuple[dict[str, StructuredReport], list[LeftOut], list[str]]:
    """The report that counts of each image, those that do not, and the images of which that cannot be told.

    One that says that nothing was found counts only where no other does.
    """
    chosen: dict[str, StructuredReport] = {}
    left_out: list[LeftOut] = []
    doubtful: list[str] = []
    about: dict[str, list[StructuredReport]] = {}
    for report in found:
        if report.frame != 1:
            left_out.append(_not_taken(report, folder, "its points are in another frame than the image's first"))
        else:
            about.setdefault(report.sop_instance_uid, []).append(report)
    for uid, reports in about.items():
        first, *rest = sorted(reports, key=lambda report: (_has_points(report), report.written), reverse=True)
        level = [other for other in rest if other.written == first.written and not _same(first, other)]
        if level and _has_points(level[0]):
            doubtful.append(uid)
            left_out += [_not_taken(one, folder, "another one of the same time is about its image") for one in reports]
            continue
        chosen[uid] = first
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
