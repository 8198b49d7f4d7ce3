# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""This package's JSON of one image's landmarks.

``{"version": 1, "frame": "index", "unit": "px", "landmarks": [{"name": "sella", "x": 1.0, "y": 2.0}, ...]}``,
with ``z`` in 3-D and ``confidence`` where there is one, and ``radius_90`` and ``presence`` of a calibrated model; an
absent landmark has null coordinates. The frame is "index", "mm" (the plane of a radiograph) or, of a volume, "LPS" or
"RAS". Pixel points of a radiograph may have their millimetres beside them (``x_mm``, ``y_mm``), and the file may say
more about itself (image, model, spacing).
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net.files import write_json_whole
from monai_gu2net.landmarks.formats.parsing import (
    ParseError,
    checked_confidence,
    checked_frame,
    in_names,
    named_frame,
    parse_point,
    read_json_object,
)
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["read_landmark_json", "write_landmark_json"]


def read_landmark_json(path: str | os.PathLike[str], *, names: Sequence[str] | None = None) -> LandmarkSet:
    """Read landmarks in the frame that the file states ("index" where it states none).

    Args:
        path: the file.
        names: names of the landmarks to return, in this order; by default all of the file. One the file lacks
            is absent; one of the file that is not among them is an error.

    Returns:
        2-D landmarks, or 3-D ones where the file has a ``z``; without coordinates, or with null or NaN:
        absent. Its ``left_out`` has the entries without a name of their own or with a coordinate that is no number.

    Raises:
        ValueError: the content is not as described, or all entries are left out; the message names the file and the
            landmark.
    """
    path, content = read_json_object(path)
    entries, frame = content.get("landmarks"), content.get("frame", "index")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ParseError(
            path, None, "'landmarks' must be a list of objects", entries, "See the how-to on landmark files"
        )
    if content.get("version", 1) != 1:
        raise ParseError(path, None, "version must be 1", content["version"], "Correct the file")
    axes = ("x", "y", "z") if any("z" in entry for entry in entries) else ("x", "y")
    frame = checked_frame(frame, len(axes), path)
    points: dict[str, list[float]] = {}
    odd: list[tuple[str, ParseError]] = []
    count = Counter(str(entry.get("name")) for entry in entries)
    for position, entry in enumerate(entries):
        name = entry.get("name")
        try:
            if not isinstance(name, str) or not name or count[name] > 1:
                rule = f"landmarks[{position}] must have a name of its own"
                raise ParseError(path, None, rule, name, "Rename it")
            given = [entry.get(axis) for axis in axes]
            points[name] = parse_point(given, path, None, f"a coordinate of {name!r}")
        except ParseError as error:
            odd.append((f"landmarks[{position}]", error))
    if odd and not points:
        raise odd[-1][1]
    left_out = [error.left_out("landmark", place) for place, error in odd]
    return in_names(points, names, len(axes), frame, path, left_out)


def write_landmark_json(
    path: str | os.PathLike[str],
    landmark_set: LandmarkSet,
    *,
    confidence: ArrayLike | None = None,
    points_mm: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Path:
    """Write one set with its frame and unit ("px" for indices, else "mm").

    Args:
        path: the file; written whole or not at all.
        landmark_set: N landmarks.
        confidence: (N,) numbers; NaN: none.
        points_mm: (N, 2) the same points in mm, to stand beside the pixel indices of a radiograph; those of a volume,
            whose columns must say their frame, go into ``columns``.
        columns: (N,) more numbers of each landmark by name, such as a radius; NaN: null.
        about: more to say of the file, under other keys than those of the format.

    Returns:
        The path.

    Raises:
        ValueError: about has a key of the format, or something about a volume is in mm of no named frame.
    """
    reserved = {"version", "frame", "unit", "landmarks"} & set(about or {})
    if reserved:
        raise ValueError(f"about must not have the keys of the format; got {sorted(reserved)}. Rename them.")
    if points_mm is not None and landmark_set.dims == 3:
        raise ValueError(
            "points_mm must be of a radiograph; got those of a volume, in no named frame. Give them as columns whose "
            "names say it, such as 'x_lps_mm'."
        )
    landmarks: list[dict[str, Any]] = []
    values = checked_confidence(confidence, len(landmark_set.names))
    more = {column: checked_confidence(numbers, len(values)) for column, numbers in (columns or {}).items()}
    for name, point, value in zip(landmark_set.names, landmark_set.points.tolist(), values, strict=True):
        entry: dict[str, Any] = {"name": name}
        entry |= {axis: None if math.isnan(p) else p for axis, p in zip("xyz", point, strict=False)}
        if points_mm is not None:
            row = np.asarray(points_mm, dtype=float)[len(landmarks)].tolist()
            entry |= {f"{axis}_mm": None if math.isnan(p) else p for axis, p in zip("xyz", row, strict=False)}
        entry |= {} if confidence is None else {"confidence": value}
        entry |= {column: numbers[len(landmarks)] for column, numbers in more.items()}
        landmarks.append(entry)
    frame = named_frame(landmark_set, path)
    content = {
        "version": 1,
        **(about or {}),
        "frame": frame,
        "unit": "px" if frame == "index" else "mm",
        "landmarks": landmarks,
    }
    return write_json_whole(path, content)
