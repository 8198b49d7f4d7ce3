# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Text of the GU2Net authors' chest radiographs: a count, then ``x y`` as fractions of width and height."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from monai_gu2net.landmarks.formats.parsing import ParseError, numbered_names, parse_point, read_text
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["read_fraction_txt"]


def read_fraction_txt(
    path: str | os.PathLike[str],
    *,
    image_size: Sequence[int],
    names: Sequence[str] | None = None,
) -> LandmarkSet:
    """Read landmarks that are given as fractions of the image.

    A fraction of the width counts from the image's left edge, which lies half a pixel before the first
    pixel's centre: index = fraction * width - 0.5. So a point stays on the same anatomy however the image is
    resized. The files speak for it: their fractions go from 0 to 1, both ends included, and 1 * width lies
    outside an image whose pixel centres are whole numbers. The authors' code takes fraction * 512, rounded,
    as an index of its image resized to 512: half a pixel off there, in training and test alike, so its radial
    errors compare with those of this reader.

    Args:
        path: the file.
        image_size: (width, height) of the image that the points are wanted for.
        names: names of the N landmarks in the order of the lines; by default ``landmark_01``, ...

    Returns:
        The landmarks in pixel indices of an image of that size; ``nan nan``: absent.

    Raises:
        ValueError: the count is not a number, not that of the names or not that of the lines, or a line is not two
            fractions between 0 and 1.

    Source: https://github.com/MIRACLE-Center/YOLO_Universal_Anatomical_Landmark_Detection, datasets/chest.py.
    """
    if len(image_size) != 2 or min(image_size) < 1:
        raise ValueError(
            f"image_size must be (width, height) in pixels; got {tuple(image_size)}. Read it from the image."
        )
    path, text = read_text(path)
    lines = text.splitlines()
    first = lines[0].strip() if lines else ""
    if not first.isdigit():
        raise ParseError(path, 1, "the first line must be the count of landmarks", first, "Correct the line")
    count = int(first)
    names = numbered_names(count) if names is None else tuple(names)
    if count != len(names):
        raise ParseError(path, 1, f"the count must be {len(names)}, one per name", count, "Check the annotation")
    if len(lines) - 1 < count:
        raise ParseError(path, None, f"{count} lines 'x y' must follow the count", len(lines) - 1, "Complete the file")
    more = next((row for row, line in enumerate(lines[count + 1 :], count + 2) if line.strip()), None)
    if more is not None:
        raise ParseError(path, more, f"{count} lines must follow the count", lines[more - 1], "Correct the count")
    fractions = np.array(
        [_fractions(line, name, path, row) for row, (line, name) in enumerate(zip(lines[1:], names, strict=False), 2)]
    ).reshape(-1, 2)
    return LandmarkSet(names, fractions * np.asarray(image_size, dtype=np.float64) - 0.5, "index")


def _fractions(line: str, name: str, path: Path, row: int) -> list[float]:
    """The two fractions of a line; two NaN for an absent landmark."""
    numbers = parse_point(line.split(), path, row, f"a fraction of {name!r}")
    if len(numbers) != 2:
        raise ParseError(path, row, f"the line of {name!r} must be 'x y'", line, "Correct the line")
    if any(number < 0 or number > 1 for number in numbers):
        raise ParseError(
            path, row, f"the fractions of {name!r} must lie between 0 and 1", line, "Divide pixels by the size"
        )
    return numbers
