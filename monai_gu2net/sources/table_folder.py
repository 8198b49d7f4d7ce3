# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of images with a table of their landmarks, ``landmarks.csv``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from monai_gu2net.data.datalist import SPLITS
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks.formats import PointsFrame, read_table
from monai_gu2net.sources.folder_files import dicom_images, is_series, plain_images
from monai_gu2net.sources.source import Entry

__all__ = ["TABLE_NAME", "table_entries"]

TABLE_NAME = "landmarks.csv"


def table_entries(
    folder: Path, *, landmarks: Sequence[str] | None = None, points: PointsFrame | None = None
) -> Iterator[Entry | LeftOut | str]:
    """``landmarks.csv``, wide or long, and the images it names, which lie beside it or in ``images/``.

    It names an image by its file, a series of DICOM slices by its folder, or a DICOM image by its SOP Instance UID. Its
    columns ``patient``, ``split`` and ``spacing_x`` with ``spacing_y`` (of volumes ``spacing_z`` as well; also as
    ``spacing_x_mm`` and so on) are taken over.

    Args:
        folder: the dataset.
        landmarks: names and order of the landmarks; by default those of the table. One the table lacks is absent, one
            of the table that is not among them is an error.
        points: what the points of volumes are, "voxel", "LPS" or "RAS", see
            :func:`~monai_gu2net.landmarks.formats.read_table`.

    Raises:
        ValueError: the table is broken or has an unknown split, or no image is there.
    """
    path = folder / TABLE_NAME
    rows = read_table(path, names=landmarks, points=points)
    if rows and rows[0].landmarks.dims == 3:
        also = f", which are checked against {rows.also}" if rows.also else ""
        yield f"points read from {rows.points}{also}"
    named = {row.image: _image_file(folder, row.image) for row in rows}
    headers = dicom_images(folder, folder / "images", named=[file for file in named.values() if file is not None])
    by_uid = {header.sop_instance_uid: file for file, header in headers.items() if header.sop_instance_uid}
    files = {image: file or by_uid.get(image) for image, file in named.items()}
    count = Counter(files[row.image] for row in rows)
    yield from rows.left_out
    found: list[Entry] = []
    twice: list[LeftOut] = []
    for row in rows:
        file = files[row.image]
        if file is None:
            shown = row.image or "no image named"
            yield LeftOut("line", f"{TABLE_NAME} line {row.line} ({shown})", "its image is not there")
        elif count[file] > 1:
            reason = "its image stands in another line too"
            twice.append(LeftOut("line", f"{TABLE_NAME} line {row.line} ({row.image})", reason))
        else:
            if row.split not in (None, *SPLITS):
                raise ValueError(
                    f"{path}, line {row.line}: split must be one of {SPLITS}; got {row.split!r}. Correct it."
                )
            header = headers.get(file)
            entry = Entry(file, row.landmarks, row.patient, row.split, row.spacing, listed=row.image, dicom=header)
            found.append(replace(entry, also=row.also))
    yield from twice
    holding = {parent for file in count if file is not None for parent in file.parents}
    for stray in plain_images(folder) + plain_images(folder / "images"):
        if stray not in count and stray not in holding:
            yield LeftOut("image", stray.relative_to(folder).as_posix(), f"it has no line in {TABLE_NAME}")
    for column in rows[0].unused if rows else ():  # with what it may have been meant to be
        near = get_close_matches(column, ("patient", "split", "spacing_x", "spacing_y", "spacing_z"), n=1)
        reason = f"unknown; did you mean {near[0]!r}?" if near else "unknown"
        yield LeftOut("column", column or "without a name", reason)
    if not found:
        raise ValueError(
            f"{path}: images must lie in {folder} or its 'images', each in one line only; got none of "
            f"{[row.image for row in rows[:3]]}. Put them there, or correct their names."
        )
    yield from found


def _image_file(folder: Path, name: str) -> Path | None:
    """The image of that name, a file or the folder of a series, beside the table or in images/."""
    places = (folder / name, folder / "images" / name)
    return next((path for path in places if name and (path.is_file() or is_series(path))), None)
