# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Payer's table of the hand radiographs: no header, a line ``id,x1,y1,...,xN,yN`` per image."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence

import numpy as np

from monai_gu2net.landmarks.formats.parsing import numbered_names, parse_error, parse_number, read_text
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["read_payer_csv"]


def read_payer_csv(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> dict[str, LandmarkSet]:
    """Read the landmarks of every image of the table.

    Args:
        path: the file.
        names: names of the N landmarks in the order of the columns; by default ``landmark_01``, ...

    Returns:
        The landmarks in pixel indices by image id, in the order of the lines; empty fields or nan: absent.

    Raises:
        ValueError: a line has another number of fields, a field is not a number, or an id stands there twice.

    Source: Payer et al., Medical Image Analysis 54 (2019), annotation of the Digital Hand Atlas.
    """
    path, text = read_text(path)
    table: dict[str, LandmarkSet] = {}
    for row, fields in enumerate(csv.reader(text.splitlines()), start=1):
        if not any(field.strip() for field in fields):
            continue
        if names is None:
            names = numbered_names((len(fields) - 1) // 2)
        if len(fields) != 1 + 2 * len(names) or not names:
            raise parse_error(
                path,
                row,
                f"the line must have {1 + 2 * len(names)} fields 'id,x1,y1,...'",
                len(fields),
                "Correct it",
            )
        key = fields[0].strip()
        if not key or key in table:
            raise parse_error(path, row, "the id must be there and stand in one line only", key, "Correct the line")
        numbers = [parse_number(field, path, row, "a coordinate") for field in fields[1:]]
        points = np.array(numbers).reshape(-1, 2)
        points[np.isnan(points).any(axis=1)] = np.nan
        table[key] = LandmarkSet(tuple(names), points, "index")
    return table
