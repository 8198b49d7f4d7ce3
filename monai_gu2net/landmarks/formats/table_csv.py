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
from typing import Any

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
    odd: list[ParseError] = []
    lost: list[LeftOut] = []
    lines = _lines(reader, header, path, odd)
    is_long = "landmark" in header
    columns = _columns_of_long(header, lines, path) if is_long else _columns_of_wide(header, path)
    used = {*_OF_IMAGE, *(("landmark", "frame") if is_long else ())}.union(*columns.values())
    unused = tuple(column for column in header if column not in used)
    count = Counter((fields.get("image", ""), fields.get("landmark", "")) for _, fields in lines)
    images: dict[str, list[tuple[int, dict[str, str], dict[str, list[float]]]]] = {}
    for line, fields in lines:
        image, name = fields.get("image", ""), fields.get("landmark", "")
        try:
            if is_long:
                if fields.get("frame") not in (None, "", "index", "mm"):
                    raise ParseError(path, line, "frame must be 'index' or 'mm'", fields["frame"], "Correct it")
                if not name or count[image, name] > 1:
                    rule = f"a landmark of image {image!r} must have one line with its name"
                    raise ParseError(path, line, rule, name, "Correct the line")
            elif not image or count[image, name] > 1:
                rule = "an image must be named and stand in one line only"
                raise ParseError(path, line, rule, image, "Remove it")
            _spacing(fields, path, line)
            own = [name] if is_long else columns
            points = {each: _point([fields[axis] for axis in columns[each]], each, path, line, lost) for each in own}
        except ParseError as error:
            odd.append(error)
            continue
        images.setdefault(image, []).append((line, fields, points))
    rows = []
    dims = max(map(len, columns.values()), default=2)
    for image, group in images.items():
        line, first, _ = group[0]
        differ = [odds for line, fields, _ in group if (odds := _difference(fields, first, image, path, line))]
        if differ:
            rule = f"the lines of image {image!r} must agree"
            named = {one.line for one in differ}
            odd += differ
            odd += [ParseError(path, line, rule, image, "Correct them") for line, _, _ in group if line not in named]
            continue
        found = {name: [math.nan] * dims for name in columns}
        for _, _, points in group:
            found |= points
        rows.append(
            TableRow(
                image=image,
                landmarks=in_names(found, names, dims, (is_long and first.get("frame")) or "index", path),
                patient=first.get("patient") or None,
                split=first.get("split") or None,
                spacing=_spacing(first, path, line),
                line=line,
                unused=unused,
            )
        )
    odd.sort(key=lambda error: error.line or 0)
    if odd and not rows:
        raise odd[-1]
    return TableRows(rows, [*(error.left_out("line") for error in odd), *lost])


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


def _columns_of_wide(header: list[str], path: Path) -> dict[str, list[str]]:
    """The columns of each landmark's coordinates; a landmark is every NAME with columns NAME_x and NAME_y."""
    suffixed = [column.rsplit("_", 1) for column in header if column[-2:] in ("_x", "_y", "_z")]
    names = dict.fromkeys(name for name, _ in suffixed if name != "spacing")
    axes = _AXES if any(axis == "z" for name, axis in suffixed if name != "spacing") else _AXES[:2]
    columns = {name: [f"{name}_{axis}" for axis in axes] for name in names}
    missing = [column for own in columns.values() for column in own if column not in header]
    if "image" not in header or not names or missing:
        raise ParseError(
            path,
            1,
            "the header must be 'image,NAME_x,NAME_y,...', or 'image,landmark,x,y'",
            f"{','.join(header)[:200]}" + (f" without {missing}" if missing else ""),
            "Add the missing columns",
        )
    return columns


def _columns_of_long(header: list[str], lines: list[Line], path: Path) -> dict[str, list[str]]:
    """The columns of each landmark's coordinates; one that an image has no line for is absent there."""
    axes = _AXES if "z" in header else _AXES[:2]
    missing = [axis for axis in axes if axis not in header]
    if missing:
        raise ParseError(path, 1, "the header must have landmark, x and y", ",".join(header), f"Add {missing}")
    return {fields["landmark"]: list(axes) for _, fields in lines if fields["landmark"]}


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
