# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The table of results: a row per case and landmark, and the files it is kept in."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monai_gu2net.files import csv_text, original_cell, read_text, whole_file, write_text_whole

__all__ = [
    "KEY",
    "Rows",
    "in_space",
    "parts",
    "points_of",
    "read_rows",
    "result_columns",
    "result_table",
    "write_csv",
    "write_rows",
    "write_tables",
]

Rows: TypeAlias = pd.DataFrame | Iterable[Mapping[str, Any]]
"""A table of results, or what :func:`result_table` makes one of."""

KEY = ["domain", "case", "landmark"]
"""What there is one row of."""

_NEEDED = ["case", "domain", "landmark", "error", "unit"]
_TEXT = ("case", "domain", "landmark", "unit", "spacing_source", "domain_doubt")
_UNITS = ("mm", "px")
_THIRD = ("reference_z", "predicted_z", "image_z", "spacing_z")
_PLANE, _LPS = "_mm", "_lps_mm"  # of points in millimetres: of a picture, of a volume


def result_columns(axes: str = "xy") -> dict[str, type]:
    """The schema of the table: its columns in their order, and whether they hold text or numbers.

    Args:
        axes: of the image files; "xyz" where any is a volume.

    Returns:
        Column -> ``str`` or ``float``. Text is never missing, and a number that is not known is NaN:

        - ``case``, ``domain``, ``landmark``: what was measured
        - ``reference_x``, ``reference_y``, ``predicted_x``, ``predicted_y``: points in pixels of the image file
        - ``error``: radial error in ``unit``; NaN: not annotated, inf: annotated and not found
        - ``unit``: "mm" or "px" of the image file, of ``error`` and ``radius``
        - ``spacing_source``: where the spacing comes from; empty: not stated
        - ``domain_doubt``: what speaks against the domain, in words; empty: nothing. A column only where any
          row has one
        - ``confidence``; ``radius``, which holds 90 % of the landmarks, about the prediction; ``presence``, p-value of
          the landmark being in the image
        - ``image_x``, ``image_y``: size of the image file in pixels; ``spacing_x``, ``spacing_y``: its mm per pixel
        - ``reference_x_mm``, ``reference_y_mm``, ``predicted_x_mm``, ``predicted_y_mm``: the points of a picture in mm
          along the file's axes from the centre of its first pixel, the pixels times ``spacing``; always derived, never
          read, and columns only where the spacing of any picture is known

        Of volumes all of these have a third axis, ``_z``, and instead of the last there are ``reference_x_lps_mm`` and
        so on: the points in mm in the patient's frame, to the left (x), to the back (y) and upwards (z), as DICOM and
        Slicer count.
    """
    points = [f"{kind}_{axis}" for kind in ("reference", "predicted") for axis in axes]
    optional = ["confidence", "radius", "presence", *(f"{of}_{axis}" for of in ("image", "spacing") for axis in axes)]
    columns = ["case", "domain", "landmark", *points, "error", "unit", "spacing_source", "domain_doubt", *optional]
    columns += [f"{point}{_LPS if axes == 'xyz' else _PLANE}" for point in points]
    return {column: str if column in _TEXT else float for column in columns}


def result_table(rows: Rows) -> pd.DataFrame:
    """The table of some rows, checked: all columns there, every number a float, nothing there is NaN.

    Args:
        rows: a table, or a mapping for each case and landmark, with ``case``, ``domain``, ``landmark``, ``error``
            (None is NaN) and ``unit``, and optionally the other columns of :func:`result_columns`. Other ones are
            left out.

    Returns:
        A new table with the columns of :func:`result_columns`, ``domain_doubt`` where there is one, ``_z`` where any
        row has it, ``_mm`` and ``_lps_mm`` where the spacing of any picture, or of any volume, is known, numbered from
        0.

    Raises:
        ValueError: a row lacks a column, a number is none, its error or unit is impossible, or a landmark of a
            case stands there twice; the message names the case and the landmark.

    Example:
        >>> row = {"case": "7", "domain": "head", "landmark": "sella", "error": None, "unit": "mm"}
        >>> row |= {"predicted_x": 30, "spacing_x": 0.5}
        >>> result_table([row])[["case", "error", "predicted_x_mm"]].to_dict("records")
        [{'case': '7', 'error': nan, 'predicted_x_mm': 15.0}]
    """
    given: dict[str, Sequence[Any]]
    if isinstance(rows, pd.DataFrame):
        _check_columns("The header", rows.columns)
        given = {column: rows[column].tolist() for column in rows.columns}
    else:
        rows = list(rows)
        for position, row in enumerate(rows):
            _check_columns(f"Result row {position}", row)
        given = {column: [row.get(column) for row in rows] for column in {key for row in rows for key in row}}
    volumes = "reference_z" in given or "predicted_z" in given
    columns = result_columns("xyz") | result_columns() if volumes else result_columns()
    table = pd.DataFrame(index=range(len(rows)), columns=list(columns), dtype=object)
    for column in _TEXT:
        values = given.get(column, [""] * len(rows))
        table[column] = pd.Series(["" if pd.isna(value) else str(value) for value in values], dtype=object)
    for position in np.flatnonzero(table.duplicated(KEY)).tolist():
        raise ValueError(f"{_where(table, position)} must have one result row; got two. Remove one of them.")
    for position in np.flatnonzero(~table["unit"].isin(_UNITS)).tolist():
        unit = table["unit"][position]
        raise ValueError(f"{_where(table, position)}: unit must be 'mm' or 'px'; got {unit!r}. Correct it.")
    for column in columns:
        if column not in _TEXT and (column.endswith(_LPS) or not column.endswith(_PLANE)):
            table[column] = _numbers(given.get(column, [None] * len(rows)), column, table)
    flat = ~_of_volume(table)
    for column in result_columns():
        if column.endswith(_PLANE):
            point = column.removesuffix(_PLANE)
            table[column] = (table[point] * table[f"spacing_{point[-1]}"]).where(flat)
    for position in np.flatnonzero(table["error"] < 0).tolist():
        raise ValueError(
            f"{_where(table, position)}: error must be a distance; got {table['error'][position]}. "
            "Pass what radial_error returns."
        )
    scaled = table[[f"spacing_{axis}" for axis in ("xyz" if volumes else "xy")]].notna().any(axis=1)
    unknown = () if (scaled & flat).any() else tuple(column for column in result_columns() if column.endswith(_PLANE))
    lps = [column for column in columns if column.endswith(_LPS)]
    unknown += () if (scaled & ~flat).any() or table[lps].notna().any(axis=None) else tuple(lps)
    unknown += () if (table["domain_doubt"] != "").any() else ("domain_doubt",)
    return table.drop(columns=list(unknown))


def parts(table: pd.DataFrame) -> Iterator[tuple[str, str, str | None, pd.DataFrame]]:
    """Domain, unit, landmark and rows: of each domain and unit first all landmarks (None), then each, in their order.

    Args:
        table: with the columns ``domain``, ``unit`` and ``landmark``.
    """
    for (domain, unit), group in table.groupby(["domain", "unit"], sort=False):
        yield domain, unit, None, group
        for landmark, rows in group.groupby("landmark", sort=False):
            yield domain, unit, landmark, rows


def in_space(table: pd.DataFrame) -> bool:
    """Whether any row is of a volume."""
    return bool(_of_volume(table).any())


def points_of(case: pd.DataFrame, kind: str) -> NDArray[np.float64]:
    """The points of the rows of one case in their unit, the one that distances and angles are measured in.

    Args:
        case: rows of one case, as :func:`result_table` gives them.
        kind: "reference" or "predicted".

    Returns:
        (N, D). Of a picture in mm those of its image plane. Of a volume LPS mm; where the rows do not have them, mm
        along the file's axes, which are taken to be at right angles: distances and angles are the same.
    """
    axes = "xyz" if in_space(case) else "xy"
    pixels = case[[f"{kind}_{axis}" for axis in axes]].to_numpy(copy=True)
    if case["unit"].iloc[0] != "mm":
        return pixels
    spacing = case[[f"spacing_{axis}" for axis in axes]].to_numpy()
    lps = case.reindex(columns=[f"{kind}_{axis}{_LPS}" for axis in axes]).to_numpy(dtype=np.float64)
    has_lps = np.isfinite(lps).all(axis=1) | ~np.isfinite(pixels).all(axis=1)
    return lps.copy() if len(axes) == 3 and has_lps.all() else pixels * spacing


def write_rows(path: str | os.PathLike[str], rows: Rows) -> Path:
    """Write a table of results, whole or not at all.

    Args:
        path: the file; its folder is made. Parquet if its name ends so, else CSV, see :func:`write_csv`.
        rows: see :func:`result_table`.

    Returns:
        The path.

    Raises:
        ValueError: see :func:`result_table`.
    """
    path, table = Path(path), result_table(rows)
    if path.suffix != ".parquet":
        return write_csv(path, table)
    # of "string", so that a column without rows is one of text, too
    typed = table.astype({column: "string" for column in _TEXT if column in table})
    with whole_file(path) as part:
        typed.to_parquet(part, engine="pyarrow", index=False)
    return path


def write_tables(folder: Path, tables: Mapping[str, Rows]) -> None:
    """Write tables of results into a folder, each as ``NAME.csv`` and, with the same content, as ``NAME.parquet``."""
    for name, rows in tables.items():
        for ending in ("csv", "parquet"):
            write_rows(folder / f"{name}.{ending}", rows)


def read_rows(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read what :func:`write_rows` wrote.

    Args:
        path: the file; Parquet if its name ends so, else CSV.

    Returns:
        The table, as :func:`result_table` gives it.

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: a column is missing or a field is wrong; the message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"A result table must be a file; got {str(path)!r}. Check the folder and the name.")
    try:
        if path.suffix == ".parquet":
            return result_table(pd.read_parquet(path, engine="pyarrow"))
        reader = csv.DictReader(io.StringIO(read_text(path, newline=""), newline=""), strict=True)
        rows = list(reader)
        _check_columns("The header", reader.fieldnames or ())
        return result_table(
            {column: original_cell(cell) if isinstance(cell, str) else cell for column, cell in row.items()}
            for row in rows
        )
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def write_csv(path: str | os.PathLike[str], table: pd.DataFrame) -> Path:
    """Write any table as CSV, whole or not at all.

    Args:
        path: the file; its folder is made.
        table: a number that is NaN is an empty field, inf is "inf"; all others are written with all their digits;
            text as in :func:`~monai_gu2net.files.csv_text`, of a list with spaces between.

    Returns:
        The path.
    """
    lines = ([" ".join(cell) if isinstance(cell, list) else cell for cell in line] for line in table.to_numpy(object))
    return write_text_whole(path, csv_text([table.columns, *lines]))


def _of_volume(table: pd.DataFrame) -> pd.Series:
    """Which rows have a third coordinate; those of a volume in which nothing is found have that of its size."""
    return table[[column for column in _THIRD if column in table]].notna().any(axis=1)


def _check_columns(what: str, columns: Iterable[str]) -> None:
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise ValueError(f"{what} must have the columns {_NEEDED}; got none for {missing}. Add them.")


def _numbers(values: Sequence[Any], column: str, table: pd.DataFrame) -> NDArray[np.float64]:
    """The numbers; NaN where there is none."""
    numbers = np.full(len(values), np.nan)
    for position, value in enumerate(values):
        if value is None or value is pd.NA or value == "":
            continue
        try:
            numbers[position] = float(value)
        except (TypeError, ValueError):
            where = _where(table, position)
            raise ValueError(f"{where}: {column} must be a number; got {value!r}. Correct it.") from None
    return numbers


def _where(table: pd.DataFrame, position: int) -> str:
    """What the errors call the row at a position."""
    domain, case, landmark = table.loc[position, KEY]
    return f"Landmark {landmark!r} of case {case!r} of domain {domain!r}"
