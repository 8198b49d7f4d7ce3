# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A table with a header, one line per image (wide) or per landmark (long).

Wide: ``image, [patient,] [split,] NAME_x, NAME_y, [NAME_z,] ...``. Long: ``image, landmark, x, y, [z]``,
where ``image`` may be left out of a file about one image. Both take ``patient``, ``split``, ``spacing_x`` and
``spacing_y`` (mm per pixel); the long one ``frame`` ("index" or "mm"). Other columns are ignored. Empty
fields or "nan" in a landmark's coordinates: absent.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from monai_gu2net.files import csv_text, original_cell, write_text_whole
from monai_gu2net.landmarks.formats.parsing import (
    checked_confidence,
    in_names,
    parse_error,
    parse_number,
    read_text,
)
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["TableRow", "read_table", "write_table"]

_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class TableRow:
    """What a table says of one image.

    Args:
        image: as in the table; "" where it names none.
        landmarks: all landmarks of the table, in the order of the table's columns or first lines.
        patient: None where the table does not say.
        split: None where the table does not say.
        spacing: (sx, sy) mm per pixel; None where the table does not say.
        line: the image's first line in the file, one-based.
    """

    image: str
    landmarks: LandmarkSet
    patient: str | None
    split: str | None
    spacing: tuple[float, ...] | None
    line: int


def read_table(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> list[TableRow]:
    """Read a wide or a long table; the header tells which it is.

    Args:
        path: the file.
        names: names of the landmarks to return, in this order; by default all, in the order of the table. One
            the table lacks is absent everywhere; one of the table that is not among them is an error.

    Returns:
        One row per image, in the order of the table. Without a ``frame`` column the points are pixel indices.

    Raises:
        ValueError: a column or a field is missing or wrong, or an image or a landmark stands there twice; the
            message names the line.
    """
    path, text = read_text(path)
    reader = csv.reader(io.StringIO(text))
    header = [original_cell(field.strip()) for field in next(reader, [])]
    repeated = sorted({column for column in header if column and header.count(column) > 1})
    if repeated:
        raise parse_error(path, 1, "columns must be all different", repeated, "Rename or remove them")
    lines = _lines(reader, header, path)
    rows = _long_rows(lines, header, path) if "landmark" in header else _wide_rows(lines, header, path)
    result = []
    for line, fields, frame, points in rows:
        dims = len(next(iter(points.values())))
        result.append(
            TableRow(
                image=fields.get("image", ""),
                landmarks=in_names(points, names, dims, frame, path),
                patient=fields.get("patient") or None,
                split=fields.get("split") or None,
                spacing=_spacing(fields, path, line),
                line=line,
            )
        )
    return result


def write_table(
    path: str | os.PathLike[str],
    landmark_set: LandmarkSet,
    *,
    image: str | None = None,
    confidence: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
) -> Path:
    """Write one set as a long table: ``[image,] landmark, x, y, [z,] frame, [confidence]`` and columns of your own.

    Args:
        path: the file; written whole or not at all.
        landmark_set: N landmarks; an absent one has empty coordinates.
        image: fills the column ``image``; None leaves the column out.
        confidence: (N,) numbers; NaN: none.
        columns: (N,) more numbers by name of the column; NaN: an empty field.

    Returns:
        The path.
    """
    numbers = {**({} if confidence is None else {"confidence": confidence}), **(columns or {})}
    header = [] if image is None else ["image"]
    header += ["landmark", *_AXES[: landmark_set.dims], "frame", *numbers]
    lines: list[list[Any]] = [header]
    checked = [checked_confidence(column, len(landmark_set.names)) for column in numbers.values()]
    for position, (name, point) in enumerate(zip(landmark_set.names, landmark_set.points.tolist(), strict=True)):
        row: list[Any] = [] if image is None else [image]
        lines.append([*row, name, *point, landmark_set.frame, *(column[position] for column in checked)])
    return write_text_whole(path, csv_text(lines))


Line = tuple[int, dict[str, str]]
Entry = tuple[int, dict[str, str], Literal["index", "mm"], dict[str, list[float]]]


def _lines(reader: Iterator[list[str]], header: list[str], path: Path) -> list[Line]:
    """Line number and fields by column of every line that is not empty."""
    lines: list[Line] = []
    for fields in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            raise parse_error(
                path,
                line,
                f"the line must have {len(header)} fields, as the header",
                len(fields),
                "Correct the line",
            )
        lines.append(
            (line, {column: original_cell(field.strip()) for column, field in zip(header, fields, strict=True)})
        )
    return lines


def _wide_rows(lines: list[Line], header: list[str], path: Path) -> Iterator[Entry]:
    """One entry per line; a landmark is every NAME with columns NAME_x and NAME_y."""
    suffixes = {column: column.rsplit("_", 1) for column in header if column[-2:] in ("_x", "_y", "_z")}
    names = list(dict.fromkeys(name for name, _ in suffixes.values() if name != "spacing"))
    axes = _AXES if any(axis == "z" for name, axis in suffixes.values() if name != "spacing") else _AXES[:2]
    missing = [f"{name}_{axis}" for name in names for axis in axes if f"{name}_{axis}" not in header]
    if "image" not in header or not names or missing:
        raise parse_error(
            path,
            1,
            "the header must be 'image,NAME_x,NAME_y,...', or 'image,landmark,x,y'",
            f"{','.join(header)[:200]}" + (f" without {missing}" if missing else ""),
            "Add the missing columns",
        )
    seen: dict[str, int] = {}
    for line, fields in lines:
        first = seen.setdefault(fields["image"], line)
        if first != line or not fields["image"]:
            raise parse_error(
                path, line, "an image must be named and stand in one line only", fields["image"], "Remove it"
            )
        yield (
            line,
            fields,
            "index",
            {name: _point([fields[f"{name}_{axis}"] for axis in axes], name, path, line) for name in names},
        )


def _long_rows(lines: list[Line], header: list[str], path: Path) -> Iterator[Entry]:
    """One entry per image; a landmark that an image has no line for is absent."""
    axes = _AXES if "z" in header else _AXES[:2]
    missing = [axis for axis in axes if axis not in header]
    if missing:
        raise parse_error(path, 1, "the header must have landmark, x and y", ",".join(header), f"Add {missing}")
    names = list(dict.fromkeys(fields["landmark"] for _, fields in lines))
    images: dict[str, Entry] = {}
    seen: set[tuple[str, str]] = set()
    for line, fields in lines:
        image, name, frame = fields.get("image", ""), fields["landmark"], fields.get("frame") or "index"
        if frame not in ("index", "mm"):
            raise parse_error(path, line, "frame must be 'index' or 'mm'", frame, "Correct it")
        if not name or (image, name) in seen:
            raise parse_error(
                path,
                line,
                f"a landmark of image {image!r} must have one line with its name",
                name,
                "Correct the line",
            )
        seen.add((image, name))
        absent = {other: [math.nan] * len(axes) for other in names}
        entry = images.setdefault(image, (line, fields, "mm" if frame == "mm" else "index", absent))
        for column in ("patient", "split", "frame", "spacing_x", "spacing_y"):
            if fields.get(column) != entry[1].get(column):
                raise parse_error(
                    path,
                    line,
                    f"{column} of image {image!r} must be {entry[1].get(column)!r} in all its lines",
                    fields.get(column),
                    "Correct it",
                )
        entry[3][name] = _point([fields[axis] for axis in axes], name, path, line)
    yield from images.values()


def _point(fields: list[str], name: str, path: Path, line: int) -> list[float]:
    """The coordinates; all NaN where one is missing."""
    numbers = [parse_number(field, path, line, f"a coordinate of {name!r}") for field in fields]
    return [math.nan] * len(numbers) if math.isnan(sum(numbers)) else numbers


def _spacing(fields: dict[str, str], path: Path, line: int) -> tuple[float, ...] | None:
    """spacing_x and spacing_y, where the line has them."""
    texts = [fields.get(f"spacing_{axis}", "") for axis in _AXES[:2]]
    if not any(texts):
        return None
    spacing = tuple(parse_number(text, path, line, "spacing") for text in texts)
    if not all(value > 0 for value in spacing):
        raise parse_error(path, line, "spacing_x and spacing_y must be positive", texts, "Leave both empty if unknown")
    return spacing
