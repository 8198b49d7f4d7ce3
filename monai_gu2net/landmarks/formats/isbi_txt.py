# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Text of the ISBI 2015 head radiographs: a line ``x,y`` per landmark, then lines that are not landmarks."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from monai_gu2net.landmarks.formats.parsing import ParseError, numbered_names, parse_point, read_text
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["read_isbi_txt"]


def read_isbi_txt(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> LandmarkSet:
    """Read the ``x,y`` lines of one annotation.

    The challenge's files carry the classes of a diagnosis, one number a line, after the 19 landmarks; they
    are ignored.

    Args:
        path: the file.
        names: names of the N landmarks in the order of the lines; by default as many ``landmark_01``, ... as
            there are lines with a comma at the start of the file.

    Returns:
        The landmarks in pixel indices, as the file has them.

    Raises:
        ValueError: there are fewer or more lines with a comma than names, or a line is not two numbers.

    Source: Wang et al., Medical Image Analysis 31 (2016), the files of the ISBI 2015 challenge.
    """
    path, text = read_text(path)
    lines = text.splitlines()
    if names is None:
        count = next((row for row, line in enumerate(lines) if "," not in line), len(lines))
        names = numbered_names(count)
    if len(lines) < len(names) or not names:
        raise ParseError(
            path, None, f"there must be {len(names) or 'some'} lines 'x,y'", len(lines), "Complete the annotation"
        )
    more = next((row for row, line in enumerate(lines[len(names) :], len(names) + 1) if "," in line), None)
    if more is not None:
        raise ParseError(
            path, more, f"there must be {len(names)} lines 'x,y'", lines[more - 1], "Check which landmark it is"
        )
    points = []
    for row, (line, name) in enumerate(zip(lines, names, strict=False), start=1):
        fields = line.split(",")
        if len(fields) != 2:
            raise ParseError(path, row, f"the line of {name!r} must be 'x,y'", line, "Correct the line")
        points.append(parse_point(fields, path, row, f"a coordinate of {name!r}"))
    return LandmarkSet(tuple(names), np.array(points), "index")
