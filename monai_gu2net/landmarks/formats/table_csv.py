# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A table with a header, one line per image (wide) or per landmark (long).

Wide: ``image, [patient,] [split,] NAME_x, NAME_y, ...``. Long: ``image, landmark, x, y``, where ``image`` may be left
out of a file about one image. Both take ``patient``, ``split``, ``spacing_x`` and ``spacing_y`` (mm per pixel; where
these are not there, ``spacing_x_mm`` and ``spacing_y_mm``); the long one ``frame`` ("index" or "mm"). Nothing is read
from other columns, which :attr:`TableRow.unused` names. Empty fields or "nan" in a landmark's coordinates: absent.

A table of volumes has other columns of coordinates (see :mod:`~monai_gu2net.landmarks.formats.table_columns`), which
say whether they are voxels, LPS or RAS mm; or x, y and z with a column ``frame`` ("index", "LPS" or "RAS"). It takes
``spacing_z`` as well.
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
    checked_frame,
    in_names,
    named_frame,
    parse_number,
    read_text,
)
from monai_gu2net.landmarks.formats.table_columns import PointColumns, PointsFrame, point_columns
from monai_gu2net.landmarks.landmark_set import Frame, LandmarkSet

__all__ = ["TableRow", "TableRows", "read_table", "write_table"]

_AXES = ("x", "y", "z")
_OF_IMAGE = ("image", "patient", "split")


@dataclass(frozen=True)
class TableRow:
    """What a table says of one image.

    Args:
        image: as in the table; "" where it names none.
        landmarks: all landmarks of the table, in the order of the table's columns or first lines.
        patient: None where the table does not say.
        split: None where the table does not say.
        spacing: D mm per pixel; None where the table does not say.
        line: the image's first line in the file, one-based.
        unused: columns of the table that nothing is read from, in its order.
        also: the same landmarks in another frame, where the table has columns of it, too.
    """

    image: str
    landmarks: LandmarkSet
    patient: str | None
    split: str | None
    spacing: tuple[float, ...] | None
    line: int
    unused: tuple[str, ...] = ()
    also: LandmarkSet | None = None


class TableRows(list[TableRow]):
    """The rows of a table, in its order.

    Args:
        rows: one per image.
        left_out: lines that were not taken.
        points: which columns the points were read from, in words.
        also: which columns say the same in another frame, in words.
    """

    def __init__(
        self, rows: Iterable[TableRow], left_out: Iterable[LeftOut] = (), *, points: str = "", also: str = ""
    ) -> None:
        super().__init__(rows)
        self.left_out = tuple(left_out)
        self.points, self.also = points, also


def read_table(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, points: PointsFrame | None = None
) -> TableRows:
    """Read a wide or a long table; the header says which it is.

    Args:
        path: the file.
        names: names of the landmarks to return, in this order; by default all, in the order of the table. One
            the table lacks is absent everywhere; one of the table that is not among them is an error.
        points: what the points of volumes are, "voxel", "LPS" or "RAS", which chooses among the columns, and says of x,
            y and z what they hold. By default the columns or ``frame`` must say it; where there are columns of several
            frames, voxels go before LPS, that before RAS, and the next one is read as ``also``.

    Returns:
        One row per image, in the order of the table. Without a ``frame`` column x and y are pixel indices. Its
        ``left_out`` has the lines with too many or too few fields or a field that is no number or frame; all lines of
        one image (wide), or of one landmark of it (long); and those of an image whose lines name different patients,
        splits, frames or spacings. Of a long table, the other landmarks of the image are kept.

    Raises:
        ValueError: a column is missing or wrong, nothing says what the coordinates of volumes are, or every line is
            left out; the message names the line.
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
    if not is_long and "image" not in header:
        rule = "the header must be 'image,NAME_x,NAME_y,...', or 'image,landmark,x,y'"
        raise ParseError(path, 1, rule, ",".join(header)[:200], "Add the missing columns")
    chosen, also = point_columns(header, wide=not is_long, points=points, path=path)
    says_frame = is_long or chosen.dims == 3
    spacings = _spacing_columns(header, chosen.dims)
    used = {*_OF_IMAGE, *spacings, *(["landmark"] if is_long else []), *(["frame"] if says_frame else [])}
    used = used.union(*chosen.columns.values(), *(also.columns.values() if also else []))
    unused = tuple(column for column in header if column not in used)
    per_image = ("patient", "split", *(["frame"] if says_frame else []), *spacings)
    count = Counter((fields.get("image", ""), fields.get("landmark", "")) for _, fields in lines)
    images: dict[str, list[_Line]] = {}
    for line, fields in lines:
        image, name = fields.get("image", ""), fields.get("landmark", "")
        try:
            if is_long and (not name or count[image, name] > 1):
                rule = f"a landmark of image {image!r} must have one line with its name"
                raise ParseError(path, line, rule, name, "Correct the line")
            if not is_long and (not image or count[image, name] > 1):
                rule = "an image must be named and stand in one line only"
                raise ParseError(path, line, rule, image, "Remove it")
            frame = _frame(fields.get("frame", "") if says_frame else "", chosen, path, line)
            _spacing(fields, spacings, path, line)
            given = _points(fields, chosen, name, path, line, lost)
            more = _points(fields, also, name, path, line, []) if also else {}
        except ParseError as error:
            odd.append(error)
            continue
        images.setdefault(image, []).append(_Line(line, fields, frame, given, more))
    all_names = dict.fromkeys(fields["landmark"] for _, fields in lines if fields["landmark"]) if is_long else None
    rows = []
    for image, group in images.items():
        first = group[0]
        differ = [odds for one in group if (odds := _difference(one, first, per_image, image, path))]
        if differ:
            rule = f"the lines of image {image!r} must agree"
            named = {error.line for error in differ}
            odd += differ
            odd += [ParseError(path, one.line, rule, image, "Correct them") for one in group if one.line not in named]
            continue
        absent = {name: [math.nan] * chosen.dims for name in all_names or chosen.columns}
        found, others = dict(absent), dict(absent)
        for one in group:
            found |= one.points
            others |= one.also
        rows.append(
            TableRow(
                image=image,
                landmarks=in_names(found, names, chosen.dims, first.frame, path),
                patient=first.fields.get("patient") or None,
                split=first.fields.get("split") or None,
                spacing=_spacing(first.fields, spacings, path, first.line),
                line=first.line,
                unused=unused,
                also=in_names(others, names, also.dims, also.frame or "index", path) if also else None,
            )
        )
    odd.sort(key=lambda error: error.line or 0)
    if odd and not rows:
        raise odd[-1]
    left_out = [*(error.left_out("line") for error in odd), *lost]
    return TableRows(rows, left_out, points=chosen.words, also=also.words if also else "")


def write_table(
    path: str | os.PathLike[str],
    landmark_set: LandmarkSet,
    *,
    image: str | None = None,
    confidence: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
    words: Mapping[str, str] | None = None,
) -> Path:
    """Write one set as a long table: ``[image,] landmark, x, y, [z,] frame, [confidence]`` and columns of your own.

    Args:
        path: the file; written whole or not at all.
        landmark_set: N landmarks; an absent one has empty coordinates.
        image: fills the column ``image``; None leaves the column out.
        confidence: (N,) numbers; NaN: none.
        columns: (N,) more numbers by name of the column; NaN: an empty field.
        words: about the image, by name of a column that says the same in every line.

    Returns:
        The path.

    Raises:
        ValueError: the landmarks are of a volume, in mm of no named frame.
    """
    frame = named_frame(landmark_set, path)
    numbers = {**({} if confidence is None else {"confidence": confidence}), **(columns or {})}
    header = [] if image is None else ["image"]
    header += ["landmark", *_AXES[: landmark_set.dims], "frame", *numbers, *(words or {})]
    lines: list[list[Any]] = [header]
    checked = [checked_confidence(column, len(landmark_set.names)) for column in numbers.values()]
    for position, (name, point) in enumerate(zip(landmark_set.names, landmark_set.points.tolist(), strict=True)):
        row: list[Any] = [] if image is None else [image]
        lines.append([*row, name, *point, frame, *(column[position] for column in checked), *(words or {}).values()])
    return write_text_whole(path, csv_text(lines))


@dataclass(frozen=True)
class _Line:
    """A line that was read: its number, fields by column, the frame of its points, and these by landmark."""

    line: int
    fields: Mapping[str, str]
    frame: Frame
    points: Mapping[str, list[float]]
    also: Mapping[str, list[float]]


def _lines(
    reader: Iterator[list[str]], header: list[str], path: Path, odd: list[ParseError]
) -> list[tuple[int, dict[str, str]]]:
    """Line number and fields by column of every line that is not empty."""
    lines: list[tuple[int, dict[str, str]]] = []
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


def _frame(stated: str, chosen: PointColumns, path: Path, line: int) -> Frame:
    """The frame of a line's points, which columns or caller may have said already."""
    if not stated and (chosen.frame or chosen.dims == 2):
        return chosen.frame or "index"
    frame = checked_frame(stated, chosen.dims, path, line)
    if chosen.frame not in (None, frame):
        raise ParseError(
            path, line, f"frame must be {chosen.frame!r}, as its columns or points say", frame, "Correct it"
        )
    return frame


def _difference(one: _Line, first: _Line, columns: Sequence[str], image: str, path: Path) -> ParseError | None:
    """The first column in which a line differs from the first line of its image."""
    for column in columns:
        if one.fields.get(column) != first.fields.get(column):
            rule = f"{column} of image {image!r} must be {first.fields.get(column)!r} in all its lines"
            return ParseError(path, one.line, rule, one.fields.get(column), "Correct it")
    return None


def _points(
    fields: Mapping[str, str], chosen: PointColumns, name: str, path: Path, line: int, lost: list[LeftOut]
) -> dict[str, list[float]]:
    """The points of a line: of its landmark, or of all."""
    own = {name or each: columns for each, columns in chosen.columns.items()}
    return {each: _point([fields[axis] for axis in own[each]], each, path, line, lost) for each in own}


def _point(fields: list[str], name: str, path: Path, line: int, lost: list[LeftOut]) -> list[float]:
    """The coordinates; all NaN where one is missing, which is said where another one is there."""
    numbers = [parse_number(field, path, line, f"a coordinate of {name!r}") for field in fields]
    if not any(map(math.isnan, numbers)):
        return numbers
    if not all(map(math.isnan, numbers)):
        lost.append(LeftOut("landmark", f"{path.name} line {line}: {name}", "it lacks a coordinate"))
    return [math.nan] * len(numbers)


def _spacing_columns(header: Sequence[str], dims: int) -> tuple[str, ...]:
    """Of all axes; those that name their unit only where all are there, and none of the others."""
    plain, with_unit = (tuple(f"spacing_{axis}{unit}" for axis in _AXES[:dims]) for unit in ("", "_mm"))
    return plain if {*plain}.intersection(header) or not {*with_unit}.issubset(header) else with_unit


def _spacing(fields: Mapping[str, str], columns: Sequence[str], path: Path, line: int) -> tuple[float, ...] | None:
    """In the columns of the axes, where the line has it."""
    texts = [fields.get(column, "") for column in columns]
    if not any(texts):
        return None
    spacing = tuple(parse_number(text, path, line, "spacing") for text in texts)
    if not all(value > 0 for value in spacing):
        rule = f"{', '.join(columns[:-1])} and {columns[-1]} must be positive"
        raise ParseError(path, line, rule, texts, "Leave all empty if unknown")
    return spacing
