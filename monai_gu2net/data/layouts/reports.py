# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""DICOM images with DICOM structured reports that hold their landmarks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from monai_gu2net.data.case_names import case_names
from monai_gu2net.data.dicom_entries import DicomEntry, dicom_files, read_entries
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.layouts.case import (
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
from monai_gu2net.data.layouts.split import split_drawn
from monai_gu2net.dicom.structured_report import StructuredReport, read_structured_report
from monai_gu2net.files import LeftOut

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

    A report belongs to the image whose SOP Instance UID it references, whatever the files are called. Images of one
    patient stay together, under a label without meaning.

    Args:
        folder: the dataset.
        domain: name of the domain; by default the folder's.
        landmarks: names and order of the landmarks; by default all labels in the order in which the reports,
            sorted by name, bring them up. A label that is not among them is an error.
        size: the network's input size (width, height); by default 512 on the longer side, in the images'
            usual proportions.
        spacing: "default" and "unknown": that of each file's tags, read with the image; or (sx, sy) mm per pixel.
        test: a count (int) or a fraction (float) of the patients; by default 0.2.
        test_cases: names of the cases (image names without ending) of the test part, instead.
        validation: a count (int) or a fraction (float) of the patients (with test_cases: of the others); by
            default 0.1.
        seed: of the draw.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: images
        without report, reports without image and files that cannot be read.

    Raises:
        ValueError: a report is of another kind, two are about one image, or no image has one.
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
    files = [entry.path for entry in entries if entry.kind == "report"]
    reports = _by_image(files, landmarks, folder)
    left_out += [
        *unmatched({u: i.path for u, i in images.items()}, reports, what="image", lacks="report", folder=folder),
        *unmatched({u: path for u, (path, _) in reports.items()}, images, what="report", lacks="image", folder=folder),
    ]
    pairs = [(image, reports[uid][1].landmarks) for uid, image in images.items() if uid in reports]
    pairs.sort(key=lambda pair: pair[0].path)
    if not pairs:
        raise ValueError(f"{folder}: images must have structured reports about them; got none. Put them side by side.")
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


def _by_image(
    files: Sequence[Path], landmarks: Sequence[str] | None, folder: Path
) -> dict[str, tuple[Path, StructuredReport]]:
    """File and content of each report by the image's SOP Instance UID."""
    found: dict[str, tuple[Path, StructuredReport]] = {}
    for path in files:
        report = read_structured_report(path, names=landmarks)
        other = found.setdefault(report.sop_instance_uid, (path, report))[0]
        if other != path:
            raise ValueError(
                f"{folder}: an image must have one report; got {other.name!r} and {path.name!r} about the same. "
                "Remove one."
            )
    return found
