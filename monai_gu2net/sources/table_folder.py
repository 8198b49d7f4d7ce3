# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images with a table of their landmarks, ``landmarks.csv``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from monai_gu2net.data.case_names import listed_names
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks.formats import TableRow, TableRows, read_table
from monai_gu2net.sources.source_case import (
    Case,
    Dataset,
    SpacingOption,
    chosen_spacing,
    dicom_images,
    domain_name,
    existing_folder,
    fitting_size,
    make_case,
    plain_images,
    readable_sizes,
    share_spacing,
)
from monai_gu2net.sources.split import split_drawn

__all__ = ["TABLE_NAME", "read_table_folder"]

TABLE_NAME = "landmarks.csv"
_SPLITS = ("training", "validation", "test")


def read_table_folder(
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
    """Read ``landmarks.csv``, wide or long, and the images it names, which lie beside it or in ``images/``.

    It names an image by its file, or a DICOM image by its SOP Instance UID. A column ``split`` ("training",
    "validation" or "test") decides the split. Without it whole patients are drawn: those of the column ``patient``;
    else DICOM images of one patient stay together, under a label without meaning, and every other image is one.

    Args:
        folder: the dataset.
        domain: name of the domain; by default the folder's.
        landmarks: names and order of the landmarks; by default those of the table. One the table lacks is
            absent, one of the table that is not among them is an error.
        size: the network's input size (width, height); by default 512 on the longer side, in the images'
            usual proportions.
        spacing: "default": the columns ``spacing_x`` and ``spacing_y``, unknown where there are none;
            "unknown"; or (sx, sy) mm per pixel.
        test: a count (int) or a fraction (float) of the patients; by default 0.2.
        test_cases: names of the cases (image names without extension) of the test part, instead.
        validation: a count (int) or a fraction (float) of the patients (with test_cases: of the others); by
            default 0.1.
        seed: of the draw.

    Returns:
        Its domain, its cases by "training", "validation" and "test", and what was left out: broken lines, lines
        without image, images without line or broken, and columns that nothing is read from.

    Raises:
        ValueError: the table is broken, some lines lack a split or it comes with other wishes, or no image is
            there.
    """
    folder = existing_folder(Path(folder))
    path = folder / TABLE_NAME
    rows = read_table(path, names=landmarks)
    named = {row.image: _image_file(folder, row.image) for row in rows}
    entries = dicom_images(folder, folder / "images", named=[file for file in named.values() if file is not None])
    by_uid = {entry.sop_instance_uid: file for file, entry in entries.items() if entry.sop_instance_uid}
    files = {image: file or by_uid.get(image) for image, file in named.items()}
    pixels_of, broken = readable_sizes([file for file in files.values() if file is not None], entries, folder)
    left_out = (*_left_out(folder, rows, files), *broken)
    name = domain or domain_name(folder)
    cases: list[Case] = []
    split_of: dict[str, str | None] = {}
    sizes: list[tuple[int, int]] = []
    count = Counter(files[row.image] for row in rows)
    found = [
        (row, file) for row in rows if (file := files[row.image]) is not None and file in pixels_of and count[file] == 1
    ]
    case_of = listed_names([row.image for row, _ in found], [file for _, file in found])
    for (row, file), case in zip(found, case_of, strict=True):
        entry = entries.get(file)
        pixels = pixels_of[file]
        sizes += [pixels] if pixels else []
        made = make_case(
            file,
            row.landmarks,
            domain=name,
            case=case,
            patient=row.patient or (entry.patient if entry else None),
            size=pixels,
            spacing=chosen_spacing(spacing, row.spacing),
        )
        cases.append(made)
        split_of[made["case"]] = _checked_split(row, path)
    if not cases:
        raise ValueError(
            f"{path}: images must lie in {folder} or its 'images', each in one line only; got none of "
            f"{[row.image for row in rows[:3]]}. Put them there, or correct their names."
        )
    table_domain = Domain(
        name=name,
        landmarks=rows[0].landmarks.names,
        size=fitting_size(sizes) if size is None else tuple(size),
        spacing=share_spacing(cases),
    )
    if not any(split_of.values()):
        splits = split_drawn(cases, test=test, test_cases=test_cases, validation=validation, seed=seed)
        return Dataset(table_domain, splits, left_out)
    unset = [case for case, part in split_of.items() if part is None]
    wishes = {"test": test, "test_cases": test_cases, "validation": validation}
    if unset or any(wish is not None for wish in wishes.values()):
        raise ValueError(
            f"{path}: the column 'split' must be filled in for all cases and decide alone; got none "
            f"for {unset[:5]}, and the wishes {wishes}. Fill it in, or remove it."
        )
    splits = {part: [c for c in cases if split_of[c["case"]] == part] for part in _SPLITS}
    return Dataset(table_domain, splits, left_out)


def _image_file(folder: Path, name: str) -> Path | None:
    """The image of that name beside the table or in images/."""
    return next((path for path in (folder / name, folder / "images" / name) if name and path.is_file()), None)


def _left_out(folder: Path, rows: TableRows, files: Mapping[str, Path | None]) -> tuple[LeftOut, ...]:
    """The broken lines, those without image, the images without line, and the columns without use."""
    lines = [
        LeftOut("line", f"{TABLE_NAME} line {row.line} ({row.image or 'no image named'})", "its image is not there")
        for row in rows
        if files[row.image] is None
    ]
    count = Counter(files[row.image] for row in rows)
    lines += [
        LeftOut("line", f"{TABLE_NAME} line {row.line} ({row.image})", "its image stands in another line too")
        for row in rows
        if files[row.image] is not None and count[files[row.image]] > 1
    ]
    listed = set(files.values())
    strays = [path for path in plain_images(folder) + plain_images(folder / "images") if path not in listed]
    reason = f"it has no line in {TABLE_NAME}"
    images = [LeftOut("image", path.relative_to(folder).as_posix(), reason) for path in strays]
    return (*rows.left_out, *lines, *images, *(_unused(column) for column in (rows[0].unused if rows else ())))


def _unused(column: str) -> LeftOut:
    """A column that nothing is read from, with what it may have been meant to be."""
    near = get_close_matches(column, ("patient", "split", "spacing_x", "spacing_y"), n=1)
    return LeftOut("column", column or "without a name", f"unknown; did you mean {near[0]!r}?" if near else "unknown")


def _checked_split(row: TableRow, path: Path) -> str | None:
    """The split of a line; None where it has none."""
    if row.split is not None and row.split not in _SPLITS:
        raise ValueError(f"{path}, line {row.line}: split must be one of {_SPLITS}; got {row.split!r}. Correct it.")
    return row.split
