# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""DICOM images with DICOM structured reports that hold their landmarks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.data.case_names import case_names
from monai_gu2net.data.dicom_entries import DicomEntry, dicom_files, read_entries
from monai_gu2net.data.domain import Domain
from monai_gu2net.dicom import StructuredReport, read_structured_reports
from monai_gu2net.files import LeftOut, left_out_lines
from monai_gu2net.sources.source_case import (
    Dataset,
    SpacingOption,
    chosen_spacing,
    domain_name,
    existing_folder,
    fitting_size,
    make_case,
    share_spacing,
    unmatched,
)
from monai_gu2net.sources.split import split_drawn

__all__ = ["has_reports", "read_reports_folder"]

_PLACES = ("", "images", "sr")


def read_reports_folder(
    folder: str | os.PathLike[str],
    *,
    domain: str | None = None,
    landmarks: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    spacing: SpacingOption = "default",
    test: int | float | None = None,
    test_cases: Sequence[str] | None = None,
    validation: int | float | None = None,
    seed: int = 0,
) -> Dataset:
    """Read DICOM images and structured reports, in the folder or its ``images/`` and ``sr/``.

    A report belongs to the image whose SOP Instance UID it references, whatever the files are called; one about several
    images gives each its own points. Images of one patient stay together, under a label without meaning.

    Args:
        folder: the dataset.
        domain: name of the domain; by default the folder's.
        landmarks: names and order of the landmarks; by default all labels in the order in which the reports,
            sorted by name, bring them up. Points of others are left out.
        size: the network's input size (width, height); by default 512 on the longer side, in the images'
            usual proportions.
        spacing: "default" and "unknown": that of each file's tags, read with the image; or (sx, sy) mm per pixel.
        test: a count (int) or a fraction (float) of the patients; by default 0.2.
        test_cases: names of the cases (image names without ending) of the test part, instead.
        validation: a count (int) or a fraction (float) of the patients (with test_cases: of the others); by
            default 0.1.
        seed: of the draw.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: images without report,
        reports without image, files that cannot be read, and all that
        :func:`~monai_gu2net.dicom.read_structured_reports` leaves out. Of several reports about an image, the one that
        was written last counts; several of one time that differ are left out with their image.

    Raises:
        ValueError: no image has a report of points.
    """
    folder = existing_folder(Path(folder))
    entries = read_entries(path for place in _PLACES for path in _files(folder / place))
    images = {entry.sop_instance_uid: entry for entry in entries if entry.kind == "image"}
    left_out = [
        LeftOut(
            "file",
            entry.path.relative_to(folder).as_posix(),
            entry.what if entry.kind == "other" else f"it cannot be read ({entry.what})",
        )
        for entry in entries
        if entry.kind in ("broken", "other")
    ]
    left_out += [
        LeftOut("file", entry.path.relative_to(folder).as_posix(), f"it is {entry.what}")
        for entry in entries
        if entry.kind == "other"
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
    left_out += [
        LeftOut("image", images[uid].path.relative_to(folder).as_posix(), "its reports are of one time and differ")
        for uid in doubtful
        if uid in images
    ]
    pairs = [(image, reports[uid].landmarks) for uid, image in images.items() if uid in reports]
    pairs.sort(key=lambda pair: pair[0].path)
    if not pairs:
        lines = "; ".join(left_out_lines(left_out))
        raise ValueError(
            f"{folder}: images must have structured reports about them; got none{lines and f' ({lines})'}. Put them "
            "side by side."
        )
    names = tuple(dict.fromkeys(name for _, found in pairs for name in found.names))
    name = domain or domain_name(folder)
    cases = [
        make_case(
            image.path,
            found.select(names, allow_missing=True),
            domain=name,
            case=case,
            patient=image.patient,
            size=image.size,
            spacing=chosen_spacing(spacing, None),
        )
        for case, (image, found) in zip(case_names([image.path for image, _ in pairs]), pairs, strict=True)
    ]
    reports_domain = Domain(
        name=name,
        landmarks=names,
        size=fitting_size([image.size for image, _ in pairs if image.size]) if size is None else tuple(size),
        spacing=share_spacing(cases),
    )
    splits = split_drawn(cases, test=test, test_cases=test_cases, validation=validation, seed=seed)
    return Dataset(reports_domain, splits, tuple(left_out))


def has_reports(folder: Path) -> bool:
    """Whether a folder, or its ``sr/``, has a structured report."""
    return any(_first_report(folder / place) for place in ("sr", ""))


def _first_report(place: Path) -> DicomEntry | None:
    return next((entry for path in _files(place) for entry in read_entries([path]) if entry.kind == "report"), None)


def _files(place: Path) -> Iterator[Path]:
    yield from dicom_files(place) if place.is_dir() else ()


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
