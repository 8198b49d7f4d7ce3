# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Payer's table of the hand radiographs: no header, a line ``id,x1,y1,...,xN,yN`` per image."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.landmarks.formats.parsing import (
    LandmarkTable,
    ParseError,
    numbered_names,
    parse_number,
    read_text,
)
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["read_payer_csv"]


def read_payer_csv(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> LandmarkTable:
    """Read the landmarks of every image of the table.

    Args:
        path: the file.
        names: names of the N landmarks in the order of the columns; by default ``landmark_01``, ..., as many as most
            lines have.

    Returns:
        The landmarks in pixel indices by image id, in the order of the lines; empty fields or nan: absent. Left out are
        lines with another number of fields, a field that is no number, or an id that is missing or stands there twice.

    Raises:
        ValueError: no line is as described; the message names one.

    Source: Payer et al., Medical Image Analysis 54 (2019), annotation of the Digital Hand Atlas.
    """
    path, text = read_text(path)
    lines = [
        (row, fields)
        for row, fields in enumerate(csv.reader(text.splitlines()), start=1)
        if any(field.strip() for field in fields)
    ]
    if names is None:
        usual = Counter(len(fields) for _, fields in lines).most_common(1)
        names = numbered_names((usual[0][0] - 1) // 2 if usual else 0)
    ids = Counter(fields[0].strip() for _, fields in lines)
    table: dict[str, LandmarkSet] = {}
    odd: list[ParseError] = []
    for row, fields in lines:
        try:
            table[fields[0].strip()] = _landmarks(fields, names, ids, path, row)
        except ParseError as error:
            odd.append(error)
    if odd and not table:
        raise odd[-1]
    return LandmarkTable(table, [error.left_out("line") for error in odd])


def _landmarks(fields: Sequence[str], names: Sequence[str], ids: Counter[str], path: Path, row: int) -> LandmarkSet:
    """The landmarks of a line."""
    if len(fields) != 1 + 2 * len(names) or not names:
        rule = f"the line must have {1 + 2 * len(names)} fields 'id,x1,y1,...'"
        raise ParseError(path, row, rule, len(fields), "Correct it")
    key = fields[0].strip()
    if not key or ids[key] > 1:
        raise ParseError(path, row, "the id must be there and stand in one line only", key, "Correct the line")
    numbers = [parse_number(field, path, row, "a coordinate") for field in fields[1:]]
    points = np.array(numbers).reshape(-1, 2)
    points[np.isnan(points).any(axis=1)] = np.nan
    return LandmarkSet(tuple(names), points, "index")
