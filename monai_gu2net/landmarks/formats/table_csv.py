# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A table with a header, one line per image (wide) or per landmark (long).

Wide: ``image, [patient,] [split,] NAME_x, NAME_y, [NAME_z,] ...``. Long: ``image, landmark, x, y, [z]``,
where ``image`` may be left out of a file about one image. Both take ``patient``, ``split``, ``spacing_x`` and
``spacing_y`` (mm per pixel); the long one ``frame`` ("index" or "mm"). Nothing is read from other columns, which
:attr:`TableRow.unused` names. Empty fields or "nan" in a landmark's coordinates: absent.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from monai_gu2net.files import LeftOut, csv_text, original_cell, write_text_whole
from monai_gu2net.landmarks.formats.parsing import (
    ParseError,
    checked_confidence,
    in_names,
    parse_number,
    read_text,
)
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["TableRow", "TableRows", "read_table", "write_table"]

_AXES = ("x", "y", "z")
_OF_IMAGE = ("image", "patient", "split", "spacing_x", "spacing_y")


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
        unused: columns of the table that nothing is read from, in its order.
    """

    image: str
    landmarks: LandmarkSet
    patient: str | None
    split: str | None
    spacing: tuple[float, ...] | None
    line: int
    unused: tuple[str, ...] = ()


class TableRows(list[TableRow]):
    """The rows of a table, in its order.

    Args:
        rows: one per image.
        left_out: lines that were not taken.
    """

    def __init__(self, rows: Iterable[TableRow], left_out: Iterable[LeftOut] = ()) -> None:
        super().__init__(rows)
        self.left_out = tuple(left_out)


def read_table(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> TableRows:
    """Read a wide or a long table; the header says which it is.

    Args:
        path: the file.
        names: names of the landmarks to return, in this order; by default all, in the order of the table. One
            the table lacks is absent everywhere; one of the table that is not among them is an error.

    Returns:
        One row per image, in the order of the table. Without a ``frame`` column the points are pixel indices. Its
        ``left_out`` has the lines with too many or too few fields or a field that is no number or frame; all lines of
        one image (wide), or of one landmark of it (long); and those of an image whose lines name different patients,
        splits, frames or spacings. Of a long table, the other landmarks of the image are kept.

    Raises:
        ValueError: a column is missing or wrong, or every line is left out; the message names the line.
    """
    path, text = read_text(path)
    reader = csv.reader(io.StringIO(text))
    header = [original_cell(field.strip()) for field in next(reader, [])]
    if len(header) == 1 and (separator := next((each for each in ";\t|" if each in header[0]), None)):
        rule = "columns must be separated by commas"
        raise ParseError(path, 1, rule, separator, "Save it as CSV with commas, and a point in decimal numbers")
    repeated = sorted({column for column in header if column and header.count(column) > 1})
    if repeated:
        raise ParseError(path, 1, "columns must be all different", repeated, "Rename or remove them")
    unused = tuple(column for column in header if column not in _used(header))
    odd: list[ParseError] = []
    lines = _lines(reader, header, path, odd)
    lost: list[LeftOut] = []
    read = _long_rows if "landmark" in header else _wide_rows
    rows = read(lines, header, path, odd, lost)
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
                unused=unused,
            )
        )
    odd.sort(key=lambda error: error.line or 0)
    if odd and not result:
        raise odd[-1]
    return TableRows(result, [*(error.left_out("line") for error in odd), *lost])


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


def _lines(reader: Iterator[list[str]], header: list[str], path: Path, odd: list[ParseError]) -> list[Line]:
    """Line number and fields by column of every line that is not empty."""
    lines: list[Line] = []
    for fields in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            rule = f"the line must have {len(header)} fields, as the header"
            odd.append(ParseError(path, line, rule, len(fields), "Correct the line"))
            continue
        lines.append(
            (line, {column: original_cell(field.strip()) for column, field in zip(header, fields, strict=True)})
        )
    return lines


def _used(header: Sequence[str]) -> set[str]:
    """The columns that something is read from."""
    if "landmark" in header:
        return {*_OF_IMAGE, "landmark", "frame", *_AXES}
    return {*_OF_IMAGE, *(column for column in header if column[-2:] in ("_x", "_y", "_z"))}


def _wide_rows(
    lines: list[Line], header: list[str], path: Path, odd: list[ParseError], lost: list[LeftOut]
) -> list[Entry]:
    """One entry per line; a landmark is every NAME with columns NAME_x and NAME_y."""
    suffixes = {column: column.rsplit("_", 1) for column in header if column[-2:] in ("_x", "_y", "_z")}
    names = list(dict.fromkeys(name for name, _ in suffixes.values() if name != "spacing"))
    axes = _AXES if any(axis == "z" for name, axis in suffixes.values() if name != "spacing") else _AXES[:2]
    missing = [f"{name}_{axis}" for name in names for axis in axes if f"{name}_{axis}" not in header]
    if "image" not in header or not names or missing:
        raise ParseError(
            path,
            1,
            "the header must be 'image,NAME_x,NAME_y,...', or 'image,landmark,x,y'",
            f"{','.join(header)[:200]}" + (f" without {missing}" if missing else ""),
            "Add the missing columns",
        )
    count = Counter(fields["image"] for _, fields in lines)
    entries: list[Entry] = []
    for line, fields in lines:
        try:
            if not fields["image"] or count[fields["image"]] > 1:
                rule = "an image must be named and stand in one line only"
                raise ParseError(path, line, rule, fields["image"], "Remove it")
            _spacing(fields, path, line)
            points = {
                name: _point([fields[f"{name}_{axis}"] for axis in axes], name, path, line, lost) for name in names
            }
        except ParseError as error:
            odd.append(error)
            continue
        entries.append((line, fields, "index", points))
    return entries


def _long_rows(
    lines: list[Line], header: list[str], path: Path, odd: list[ParseError], lost: list[LeftOut]
) -> list[Entry]:
    """One entry per image; a landmark that an image has no line for is absent."""
    axes = _AXES if "z" in header else _AXES[:2]
    missing = [axis for axis in axes if axis not in header]
    if missing:
        raise ParseError(path, 1, "the header must have landmark, x and y", ",".join(header), f"Add {missing}")
    names = list(dict.fromkeys(fields["landmark"] for _, fields in lines if fields["landmark"]))
    count = Counter((fields.get("image", ""), fields["landmark"]) for _, fields in lines)
    images: dict[str, list[tuple[int, dict[str, str], list[float]]]] = {}
    for line, fields in lines:
        image, name, frame = fields.get("image", ""), fields["landmark"], fields.get("frame") or "index"
        try:
            if frame not in ("index", "mm"):
                raise ParseError(path, line, "frame must be 'index' or 'mm'", frame, "Correct it")
            if not name or count[image, name] > 1:
                rule = f"a landmark of image {image!r} must have one line with its name"
                raise ParseError(path, line, rule, name, "Correct the line")
            _spacing(fields, path, line)
            point = _point([fields[axis] for axis in axes], name, path, line, lost)
        except ParseError as error:
            odd.append(error)
            continue
        images.setdefault(image, []).append((line, fields, point))
    entries: list[Entry] = []
    for image, group in images.items():
        differ = [odds for line, fields, _ in group if (odds := _difference(fields, group[0][1], image, path, line))]
        if differ:
            rule = f"the lines of image {image!r} must agree"
            named = {one.line for one in differ}
            odd += differ
            odd += [ParseError(path, line, rule, image, "Correct them") for line, _, _ in group if line not in named]
            continue
        points = {name: [math.nan] * len(axes) for name in names}
        points |= {fields["landmark"]: point for _, fields, point in group}
        line, fields, _ = group[0]
        entries.append((line, fields, "mm" if fields.get("frame") == "mm" else "index", points))
    return entries


def _difference(fields: dict[str, str], first: dict[str, str], image: str, path: Path, line: int) -> ParseError | None:
    """The first column in which a line differs from the first line of its image."""
    for column in ("patient", "split", "frame", "spacing_x", "spacing_y"):
        if fields.get(column) != first.get(column):
            rule = f"{column} of image {image!r} must be {first.get(column)!r} in all its lines"
            return ParseError(path, line, rule, fields.get(column), "Correct it")
    return None


def _point(fields: list[str], name: str, path: Path, line: int, lost: list[LeftOut]) -> list[float]:
    """The coordinates; all NaN where one is missing, which is said where another one is there."""
    numbers = [parse_number(field, path, line, f"a coordinate of {name!r}") for field in fields]
    if not any(map(math.isnan, numbers)):
        return numbers
    if not all(map(math.isnan, numbers)):
        lost.append(LeftOut("landmark", f"{path.name} line {line}: {name}", "it lacks a coordinate"))
    return [math.nan] * len(numbers)


def _spacing(fields: dict[str, str], path: Path, line: int) -> tuple[float, ...] | None:
    """spacing_x and spacing_y, where the line has them."""
    texts = [fields.get(f"spacing_{axis}", "") for axis in _AXES[:2]]
    if not any(texts):
        return None
    spacing = tuple(parse_number(text, path, line, "spacing") for text in texts)
    if not all(value > 0 for value in spacing):
        raise ParseError(path, line, "spacing_x and spacing_y must be positive", texts, "Leave both empty if unknown")
    return spacing
