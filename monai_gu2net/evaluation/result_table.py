# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Result rows: one per case and landmark, and the CSV file they are kept in."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monai_gu2net.files import csv_text, original_cell, read_text, write_text_whole

__all__ = ["checked_rows", "read_rows", "write_rows"]

_NEEDED = ("case", "domain", "landmark", "error", "unit")
_UNITS = ("mm", "px")


def checked_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Result rows in one form: all columns there, every number a float, nothing there is NaN.

    Args:
        rows: one mapping per case and landmark: ``case``, ``domain``, ``landmark``; ``error``, the radial
            error in ``unit`` ("mm", or "px" of the image file), NaN or None where not annotated, inf where
            annotated and not found; optionally ``reference_x``, ``reference_y``, ``predicted_x``,
            ``predicted_y`` (and ``_z``) in pixels of the image file, ``spacing_source``, ``confidence``,
            ``radius`` (around the prediction, in ``unit``), ``presence`` (p-value of the landmark being in the
            image), ``image_x`` and ``image_y`` (size of the image file in pixels), ``spacing_x`` and
            ``spacing_y`` (and ``_z``; mm per pixel of the file, NaN where unknown). Other keys are left out.

    Returns:
        New rows with the columns case, domain, landmark, reference_*, predicted_*, error, unit,
        spacing_source, confidence, radius, presence, image_x, image_y, spacing_*, in this order; ``_z`` where any
        row has it.

    Raises:
        ValueError: a row lacks a column, a number is none, its error or unit is impossible, or a landmark of a
            case stands there twice; the message names the case and the landmark.

    Example:
        >>> row = {"case": "7", "domain": "head", "landmark": "sella", "error": None, "unit": "mm"}
        >>> checked_rows([row])[0]["error"]
        nan
    """
    rows = list(rows)
    axes = "xyz" if any("reference_z" in row or "predicted_z" in row for row in rows) else "xy"
    coordinates = [f"{kind}_{axis}" for kind in ("reference", "predicted") for axis in axes]
    numbers = ["confidence", "radius", "presence", "image_x", "image_y", *(f"spacing_{axis}" for axis in axes)]
    seen: set[tuple[str, str, str]] = set()
    checked = []
    for position, row in enumerate(rows):
        missing = [column for column in _NEEDED if column not in row]
        if missing:
            raise ValueError(
                f"Result row {position} must have the columns {list(_NEEDED)}; got none for {missing}. Add them."
            )
        case, domain, landmark = key = (str(row["case"]), str(row["domain"]), str(row["landmark"]))
        where = f"Landmark {landmark!r} of case {case!r} of domain {domain!r}"
        if key in seen:
            raise ValueError(f"{where} must have one result row; got two. Remove one of them.")
        seen.add(key)
        if row["unit"] not in _UNITS:
            raise ValueError(f"{where}: unit must be 'mm' or 'px'; got {row['unit']!r}. Correct it.")
        values = {column: _number(row.get(column), column, where) for column in ("error", *coordinates, *numbers)}
        error = values["error"]
        if error < 0:
            raise ValueError(f"{where}: error must be a distance; got {error}. Pass what radial_error returns.")
        checked.append(
            {
                "case": case,
                "domain": domain,
                "landmark": landmark,
                **{column: values[column] for column in coordinates},
                "error": error,
                "unit": row["unit"],
                "spacing_source": str(row.get("spacing_source") or ""),
                **{column: values[column] for column in numbers},
            }
        )
    return checked


def write_rows(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]]) -> Path:
    """Write result rows as CSV, whole or not at all.

    Args:
        path: the file; its folder is made.
        rows: see :func:`checked_rows`. A number that is NaN or None is an empty field, inf is "inf"; all
            others are written with all their digits; text as in :func:`~monai_gu2net.files.csv_text`.

    Returns:
        The path.

    Raises:
        ValueError: see :func:`checked_rows`.
    """
    checked = checked_rows(rows)
    # Without rows there is still a header, so that the file can be read back.
    columns = list(checked[0]) if checked else list(checked_rows([dict.fromkeys(_NEEDED, "mm") | {"error": 0}])[0])
    lines = [columns, *([row[column] for column in columns] for row in checked)]
    return write_text_whole(path, csv_text(lines))


def read_rows(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read what :func:`write_rows` wrote.

    Args:
        path: the CSV file.

    Returns:
        The rows, as :func:`checked_rows` gives them.

    Raises:
        ValueError: a column is missing or a field is wrong; the message names the file.
    """
    path = Path(path)
    try:
        reader = csv.DictReader(io.StringIO(read_text(path, newline=""), newline=""), strict=True)
        rows = list(reader)
        missing = [column for column in _NEEDED if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"The header must have the columns {list(_NEEDED)}; got none for {missing}. Add them.")
        return checked_rows(
            {column: original_cell(cell) if isinstance(cell, str) else cell for column, cell in row.items()}
            for row in rows
        )
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _number(value: Any, column: str, where: str) -> float:
    """The number; NaN where there is none."""
    if value is None or value == "":
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{where}: {column} must be a number; got {value!r}. Correct it.") from None
