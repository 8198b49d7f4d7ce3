# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Point lists that 3D Slicer wrote until it took to ``.mrk.json``: ``.fcsv``.

Lines of comments say the coordinate system (LPS or RAS, in files from before version 4.11 as 1 or 0) and the columns; a
line per point follows. Coordinates are mm. Lists of Slicer 3, which know no coordinate system, are in RAS.

Source: Slicer's vtkMRMLMarkupsFiducialStorageNode, tried with slicer-core 5.13.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from monai_gu2net.landmarks.formats.parsing import SLICER_SYSTEMS, ParseError, in_lps, parse_point, read_text
from monai_gu2net.landmarks.landmark_set import Frame, LandmarkSet

__all__ = ["FIDUCIALS_EXTENSION", "read_fiducial_csv"]

FIDUCIALS_EXTENSION = ".fcsv"
_COLUMNS = ("id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label", "desc", "associatedNodeID")
_STATUS = len(_COLUMNS)  # a column that the line of columns does not name
_DEFINED = "2"


def read_fiducial_csv(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, dims: Literal[2, 3] = 3
) -> LandmarkSet:
    """Read the points of a list.

    Args:
        path: the file.
        names: names of the landmarks to return, in this order; by default all labels of the file. One the
            file lacks is absent; one of the file that is not among them is an error.
        dims: 3, or 2 to leave the third coordinate out (radiographs).

    Returns:
        The landmarks in the frame "LPS", those of a radiograph in "mm". A point that has no position, or whose status
        is not "defined", is absent. Its ``left_out`` has the lines with another number of fields, without a label of
        their own, or with a coordinate that is no number.

    Raises:
        ValueError: the file says no coordinate system, or all of its points are left out; the message names the file.
    """
    path, text = read_text(path)
    lines = list(enumerate(re.split("\r?\n", text), start=1))  # Unicode has other ends of lines
    said = dict(_said(line) for _, line in lines if line.startswith("#"))
    frame = _frame(said, path)
    columns = tuple(name.strip() for name in said.get("columns", ",".join(_COLUMNS)).split(","))
    if not {"label", "x", "y", "z"} <= set(columns):
        raise ParseError(path, None, "its columns must have label, x, y and z", list(columns), "Save it from Slicer")
    rows = [(number, next(csv.reader([line]))) for number, line in lines if line.strip() and not line.startswith("#")]
    at = columns.index("label")
    labels = Counter(fields[at] for _, fields in rows if len(fields) > at)
    points: dict[str, list[float]] = {}
    odd: list[ParseError] = []
    for number, fields in rows:
        try:
            if len(fields) < len(columns):
                rule = f"a point must have the {len(columns)} fields of its columns"
                raise ParseError(path, number, rule, len(fields), "Correct the line")
            label = fields[at]
            if not label or labels[label] > 1:
                raise ParseError(path, number, "a point must have a label of its own", label, "Rename it")
            given = [fields[columns.index(axis)] for axis in "xyz"]
            point = parse_point(given, path, number, f"a coordinate of {label!r}")
            points[label] = point if fields[_STATUS : _STATUS + 1] in ([], [_DEFINED]) else [math.nan] * 3
        except ParseError as error:
            odd.append(error)
    if not points:
        raise odd[-1] if odd else ParseError(path, None, "it must have points", 0, "Save a point list from Slicer")
    return in_lps(points, names, dims, frame, path, [error.left_out("line") for error in odd])


def _said(line: str) -> tuple[str, str]:
    """What a line of comment says, and of what."""
    what, _, value = line.lstrip("# ").partition("=")
    return what.strip(), value.strip()


def _frame(said: dict[str, str], path: Path) -> Frame:
    """The frame that the comments name."""
    if "Fiducial List file" in " ".join(said) and "CoordinateSystem" not in said:
        return "RAS"
    system = said.get("CoordinateSystem")
    if system not in SLICER_SYSTEMS:
        rule = "CoordinateSystem must be LPS or RAS (1 or 0 in older files)"
        raise ParseError(path, None, rule, system, "Add it as '# CoordinateSystem = LPS', if the points are in that")
    return SLICER_SYSTEMS[system]
