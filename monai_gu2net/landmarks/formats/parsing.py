# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the landmark formats share: errors with file and line, numbers, names, writing whole files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net import files
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks.landmark_set import FRAMES, Frame, LandmarkSet

__all__ = [
    "SLICER_SYSTEMS",
    "LandmarkTable",
    "ParseError",
    "checked_confidence",
    "checked_frame",
    "in_lps",
    "in_names",
    "named_frame",
    "numbered_names",
    "parse_number",
    "parse_point",
    "read_json_object",
    "read_text",
]

# the numbers are of files from before the words; Slicer 5 still reads them so
SLICER_SYSTEMS: dict[object, Frame] = {"LPS": "LPS", "RAS": "RAS", "1": "LPS", "0": "RAS"}


class ParseError(ValueError):
    """A rule that a file, or an entry of it, breaks.

    Args:
        path: the file.
        line: one-based; None: the file has no lines to name.
        rule: what must hold.
        value: what was there instead.
        advice: what to do.
    """

    def __init__(self, path: Path, line: int | None, rule: str, value: object, advice: str) -> None:
        place = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {rule}; got {value!r}. {advice}.")
        self.path, self.line, self.rule = path, line, rule

    def left_out(self, what: str, name: str = "") -> LeftOut:
        """The entry as one that is left out; by default called by its line."""
        return LeftOut(what, f"{self.path.name} {name or f'line {self.line}'}", self.rule)


class LandmarkTable(dict[str, LandmarkSet]):
    """The landmarks of images by name, in the order of their file.

    Args:
        sets: by the image's name.
        left_out: entries of the file that were not taken.
    """

    def __init__(self, sets: Mapping[str, LandmarkSet], left_out: Iterable[LeftOut] = ()) -> None:
        super().__init__(sets)
        self.left_out = tuple(left_out)


def read_text(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """The path and the content of a text file, see :func:`monai_gu2net.files.read_text`.

    Raises:
        FileNotFoundError: there is no such file.
        ParseError: it is no text.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"A landmark file must exist; got {str(path)!r}. Check the folder and the name.")
    try:
        return path, files.read_text(path)
    except ValueError as error:
        raise ParseError(path, None, "the file must be UTF-8 text", str(error.__cause__), "Save it as UTF-8") from error


def read_json_object(path: str | os.PathLike[str]) -> tuple[Path, dict[str, Any]]:
    """The path and the content of a JSON file that holds an object."""
    path, text = read_text(path)
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ParseError(path, line, "the file must be JSON", str(error), "Correct it or write it anew") from error
    if not isinstance(content, dict):
        raise ParseError(path, None, "the file must hold a JSON object", type(content).__name__, "Correct it")
    return path, content


def parse_number(text: object, path: Path, line: int | None, what: str) -> float:
    """A finite number, or NaN for an empty field or "nan"."""
    if text is None or (isinstance(text, str) and not text.strip()):
        return math.nan
    try:
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise TypeError
        number = float(text)
        if math.isinf(number):
            raise ValueError
    except (TypeError, ValueError):
        raise ParseError(path, line, f"{what} must be a finite number", text, "Correct it") from None
    return number


def parse_point(values: Sequence[object], path: Path, line: int | None, what: str) -> list[float]:
    """Finite numbers, or all NaN where all are missing.

    Raises:
        ParseError: one is no number, or is missing where others are there.
    """
    numbers = [parse_number(value, path, line, what) for value in values]
    missing = sum(map(math.isnan, numbers))
    if missing not in (0, len(numbers)):
        rule = f"a point must have all of its coordinates or none ({what})"
        raise ParseError(path, line, rule, list(values), "Complete it, or leave it empty")
    return numbers


def named_frame(landmark_set: LandmarkSet, path: str | os.PathLike[str]) -> Frame:
    """The frame of a set as its file names it.

    Raises:
        ValueError: the set is of a volume, in mm of no named frame.
    """
    if landmark_set.dims == 3 and landmark_set.frame == "mm":
        raise ValueError(
            f"Landmarks of a volume for {os.fspath(path)!r} must be in a named frame, 'LPS' or 'RAS'; got 'mm'. "
            "Convert them with to_lps(), or make the set with the frame that its points are in."
        )
    return landmark_set.frame


def checked_frame(frame: object, dims: int, path: Path, line: int | None = None) -> Frame:
    """The frame that a file names for points of D coordinates.

    Raises:
        ParseError: it is none, or does not say what the points of a volume are.
    """
    known = [name for name in FRAMES if name != ("mm" if dims == 3 else "RAS")]
    for name in known:
        if frame == name:
            return name
    rule = f"frame of {dims}-D points must be among {known}"
    raise ParseError(path, line, rule, frame, "Name the one that they are in" if dims == 3 else "Correct it")


def numbered_names(count: int) -> tuple[str, ...]:
    """landmark_01, landmark_02, ... for files that carry no names."""
    return tuple(f"landmark_{number:02d}" for number in range(1, count + 1))


def in_names(
    points: Mapping[str, Sequence[float]],
    names: Sequence[str] | None,
    dims: int,
    frame: Frame,
    path: Path,
    left_out: Iterable[LeftOut] = (),
) -> LandmarkSet:
    """A set of the named points of a file, in the order asked for.

    A name that the file lacks is absent; one that was not asked for is an error, lest a misspelt one gets
    lost.
    """
    unknown = [name for name in points if names is not None and name not in names]
    if unknown:
        raise ParseError(path, None, f"landmarks must be among {list(names or ())}", unknown, "Correct the names")
    rows = np.array(list(points.values()), dtype=np.float64).reshape(-1, dims)
    try:
        found = LandmarkSet(tuple(points), rows, frame, tuple(left_out))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return found if names is None else found.select(names, allow_missing=True)


def in_lps(
    points: Mapping[str, Sequence[float]],
    names: Sequence[str] | None,
    dims: int,
    frame: Frame,
    path: Path,
    left_out: Iterable[LeftOut] = (),
) -> LandmarkSet:
    """A set of the named points of a file of Slicer, as :func:`in_names`.

    Args:
        points: three coordinates by name, in mm.
        names: see :func:`in_names`.
        dims: 3, or 2 for a radiograph, in whose plane the first two coordinates are those of LPS.
        frame: of the points, "LPS" or "RAS".
        path: the file.
        left_out: see :func:`in_names`.
    """
    if dims not in (2, 3):
        raise ValueError(f"dims must be 2 or 3; got {dims!r}. Use 2 for radiographs.")
    found = in_names(points, names, 3, frame, path, left_out).to_lps()
    return found if dims == 3 else replace(found, points=found.points[:, :2], frame="mm")


def checked_confidence(confidence: ArrayLike | None, count: int) -> list[float | None]:
    """One confidence per landmark; None where there is none or it is NaN."""
    if confidence is None:
        return [None] * count
    values = np.asarray(confidence, dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(
            f"confidence must have shape ({count},), one number per landmark; got {values.shape}. "
            "Give NaN where there is none."
        )
    return [float(value) if math.isfinite(value) else None for value in values]
