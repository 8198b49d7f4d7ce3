# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write a landmark file of any of the formats."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from numpy.typing import ArrayLike

from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks.formats.coco_json import read_coco
from monai_gu2net.landmarks.formats.fiducial_csv import FIDUCIALS_EXTENSION, read_fiducial_csv
from monai_gu2net.landmarks.formats.fraction_txt import read_fraction_txt
from monai_gu2net.landmarks.formats.isbi_txt import read_isbi_txt
from monai_gu2net.landmarks.formats.landmark_json import read_landmark_json, write_landmark_json
from monai_gu2net.landmarks.formats.markups_json import MARKUPS_EXTENSION, read_markups, write_markups
from monai_gu2net.landmarks.formats.parsing import (
    LandmarkTable,
    ParseError,
    in_names,
    read_json_object,
    read_text,
)
from monai_gu2net.landmarks.formats.payer_csv import read_payer_csv
from monai_gu2net.landmarks.formats.table_columns import PointsFrame
from monai_gu2net.landmarks.formats.table_csv import read_table, write_table
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["FORMATS", "Format", "read_landmarks", "write_landmarks"]

Format = Literal["isbi", "fraction", "payer", "table", "markups", "fcsv", "json", "coco"]
FORMATS: tuple[Format, ...] = get_args(Format)


def read_landmarks(
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    format: Format | None = None,
    image: str | None = None,
    image_size: Sequence[int] | None = None,
    dims: Literal[2, 3] = 3,
    points: PointsFrame | None = None,
) -> LandmarkSet:
    """Read the landmarks of one image.

    Args:
        path: a ``.txt``, ``.csv``, ``.mrk.json``, ``.fcsv`` or ``.json`` file.
        names: the landmarks' names. Files without names (isbi, fraction, payer) take them in the order of the
            file; the others return these landmarks in this order: one the file lacks is absent, one of the
            file that is not among them is an error. By default the file's names, or ``landmark_01``, ...
        format: one of :data:`FORMATS`; by default recognised by the extension and the content.
        image: which image of a file about several ones (payer: its id; coco: its file name).
        image_size: (width, height) in pixels; needed by the format fraction only.
        dims: 2 leaves the third coordinate of ``.mrk.json`` and ``.fcsv`` points out.
        points: what the coordinates of a table are, where it does not say, see :func:`read_table`.

    Returns:
        The landmarks, in the frame of the file: LPS for ``.mrk.json`` and ``.fcsv`` (with ``dims=2`` mm), what the file
        states for ``.json`` and tables, pixel indices otherwise. Its ``left_out`` has the entries of the file that were
        not taken.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the format is unknown, the content breaks its rules, or the image is not among those of
            the file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> landmarks = LandmarkSet(("sella",), [[3.0, 4.0]], "index")
        >>> with TemporaryDirectory() as folder:
        ...     read_landmarks(write_landmarks(f"{folder}/case.json", landmarks)).points.tolist()
        [[3.0, 4.0]]
    """
    if format is None:
        format = _recognized(path)
    if format == "isbi":
        return read_isbi_txt(path, names=names)
    if format == "fraction":
        if image_size is None:
            raise ValueError(f"{path}: image_size must be given for fractions; got None. Pass (width, height).")
        return read_fraction_txt(path, image_size=image_size, names=names)
    if format == "payer":
        return _one_of(read_payer_csv(path, names=names), image, path)
    if format == "table":
        rows = read_table(path, names=names, points=points)
        return _one_of(LandmarkTable({row.image: row.landmarks for row in rows}, rows.left_out), image, path)
    if format == "coco":
        chosen = _one_of(read_coco(path), image, path)  # other images may have other landmarks
        by_name = dict(zip(chosen.names, chosen.points.tolist(), strict=True))
        return in_names(by_name, names, 2, "index", Path(path), chosen.left_out)
    if format == "markups":
        return read_markups(path, names=names, dims=dims)
    if format == "fcsv":
        return read_fiducial_csv(path, names=names, dims=dims)
    if format == "json":
        return read_landmark_json(path, names=names)
    raise ValueError(f"format must be among {list(FORMATS)}; got {format!r}. Leave it out to have it recognized.")


def write_landmarks(
    path: str | os.PathLike[str],
    landmark_set: LandmarkSet,
    *,
    confidence: ArrayLike | None = None,
    unit: Literal["mm", "px"] | None = None,
) -> os.PathLike[str]:
    """Write the landmarks of one image; the extension chooses the format.

    Args:
        path: ``.mrk.json`` (Slicer), ``.json`` or ``.csv`` (long table); written whole or not at all.
        landmark_set: N landmarks.
        confidence: (N,) numbers; NaN: none.
        unit: "mm" or "px"; by default that of the set's frame. "px" for a set in the frame "mm" says that its
            affine is the identity because the spacing is not known: ``.json`` and ``.csv`` then state the
            frame "index", and no file states mm. ``.mrk.json`` takes indices with unit="px" only. A file of a volume
            in mm says whether that is LPS or RAS; ``.mrk.json`` is always in LPS.

    Returns:
        The path.

    Raises:
        ValueError: another extension, a unit that does not fit, or landmarks of a volume in mm of no named frame.
    """
    fitting = {"index": (None, "px"), "mm": (None, "mm", "px")}.get(landmark_set.frame, (None, "mm"))
    if unit not in fitting:
        raise ValueError(
            f"unit must be 'px' for pixel indices, 'mm' for LPS and RAS, either for another world; got {unit!r} for "
            f"frame {landmark_set.frame!r}. Convert the set with to_mm(affine) or to_index(affine)."
        )
    name = os.fspath(path).lower()
    if name.endswith(MARKUPS_EXTENSION):
        return write_markups(path, landmark_set, confidence=confidence, unit=unit or "mm")
    if unit == "px":
        landmark_set = LandmarkSet(landmark_set.names, landmark_set.points, "index")
    if name.endswith(".json"):
        return write_landmark_json(path, landmark_set, confidence=confidence)
    if name.endswith(".csv"):
        return write_table(path, landmark_set, confidence=confidence)
    raise ValueError(
        f"A landmark file to be written must end in .json, .csv or .mrk.json; got {os.fspath(path)!r}. Rename it."
    )


def _recognized(path: str | os.PathLike[str]) -> Format:
    """The format, by extension and, where that leaves a choice, by content."""
    name = os.fspath(path).lower()
    if name.endswith(".json"):
        content = read_json_object(path)[1]
        if name.endswith(MARKUPS_EXTENSION) or "markups" in content:
            return "markups"
        return "coco" if {"images", "categories", "annotations"} <= content.keys() else "json"
    if name.endswith(FIDUCIALS_EXTENSION):
        return "fcsv"
    if name.endswith(".txt"):
        return "isbi" if "," in _first_line(path) else "fraction"
    if name.endswith(".csv"):
        fields = next(csv.reader([_first_line(path)]), [])
        numeric = len(fields) > 1 and all(_is_number(field) for field in fields[1:])
        return "payer" if numeric else "table"
    raise ParseError(
        read_text(path)[0],
        None,
        "a landmark file must end in .txt, .csv, .fcsv, .json or .mrk.json",
        os.path.basename(name),
        f"Rename it, or pass format, one of {list(FORMATS)}",
    )


def _first_line(path: str | os.PathLike[str]) -> str:
    return next(iter(read_text(path)[1].splitlines()), "")


def _is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _one_of(table: LandmarkTable, image: str | None, path: str | os.PathLike[str]) -> LandmarkSet:
    """The image asked for, or the only one there is."""
    if image is None and len(table) == 1:
        return replace(next(iter(table.values())), left_out=table.left_out)
    if image is None or image not in table:
        listed = list(table)[:10] + (["..."] if len(table) > 10 else [])
        raise ValueError(
            f"{path}: image must be one of the file's {len(table)} images {listed}; got {image!r}. Name one."
            + "".join(f" ({line})" for line in left_out_lines(table.left_out))
        )
    return replace(table[image], left_out=table.left_out)
