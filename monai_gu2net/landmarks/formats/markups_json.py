# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Point lists of 3D Slicer, ``.mrk.json``.

Coordinates are written in LPS mm, which the file says. A radiograph without patient geometry lies in its image plane:
Slicer shows the pixel (x, y) at (x*sx, y*sy, 0). Its spacing of a DICOM image is not always that of the results, see
:func:`monai_gu2net.dicom.slicer_spacing.slicer_spacing`.

Source: Slicer's Markups schema 1.0.3, see MARKUPS_SCHEMA.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net.files import write_json_whole
from monai_gu2net.landmarks.formats.parsing import (
    SLICER_SYSTEMS,
    ParseError,
    checked_confidence,
    in_lps,
    named_frame,
    parse_point,
    read_json_object,
)
from monai_gu2net.landmarks.landmark_set import Frame, LandmarkSet

__all__ = ["MARKUPS_EXTENSION", "MARKUPS_SCHEMA", "read_markups", "write_markups"]

MARKUPS_EXTENSION = ".mrk.json"
MARKUPS_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/"
    "Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
)
_LPS_AXES = [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]
_MM_PER_UNIT = {"mm": 1.0, "um": 1e-3}


def read_markups(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, dims: Literal[2, 3] = 3
) -> LandmarkSet:
    """Read the control points of all point lists ("Fiducial") of a file; other markups are passed over.

    Args:
        path: the file.
        names: names of the landmarks to return, in this order; by default all labels of the file. One the
            file lacks is absent; one of the file that is not among them is an error.
        dims: 3, or 2 to leave the third coordinate out (radiographs).

    Returns:
        The landmarks in the frame "LPS", those of a radiograph in "mm" (RAS and micrometres are converted; a list that
        names no coordinate system is in LPS, as Slicer takes it). A point whose positionStatus is not
        "defined" or that has no position is absent. Its ``left_out`` has the control points without a label of their
        own, or with a position or a status that is none. Slicer gives an image without known spacing 1 mm per
        pixel, so there the coordinates are pixel indices.

    Raises:
        ValueError: the content is not as the schema has it, or all of its points are left out; the message names the
            file and the point.
    """
    path, content = read_json_object(path)
    markups = content.get("markups")
    lists = (
        [m for m in markups if isinstance(m, dict) and m.get("type") == "Fiducial"] if isinstance(markups, list) else []
    )
    if not lists:
        raise ParseError(
            path, None, "'markups' must hold a markup of type 'Fiducial'", markups, "Save a point list from Slicer"
        )
    systems = [_system(markup, path) for markup in lists]
    if len(set(systems)) > 1:
        rule = "its point lists must be in one coordinate system"
        raise ParseError(path, None, rule, systems, "Save a file of each list")
    points: dict[str, list[float]] = {}
    odd: list[tuple[str, ParseError]] = []
    labels = Counter(_label(point) for markup in lists for point in markup.get("controlPoints") or [])
    for markup in lists:
        scale = _mm_per_unit(markup, path)
        for position, control_point in enumerate(markup.get("controlPoints") or []):
            label = _label(control_point)
            try:
                if not label or labels[label] > 1:
                    rule = f"control point {position} must have a label of its own"
                    raise ParseError(path, None, rule, label, "Rename it")
                points[label] = (_position(control_point, label, path) * scale).tolist()
            except ParseError as error:
                odd.append((f"control point {position}", error))
    if odd and not points:
        raise odd[-1][1]
    left_out = [error.left_out("control point", name) for name, error in odd]
    return in_lps(points, names, dims, systems[0], path, left_out)


def write_markups(
    path: str | os.PathLike[str],
    landmark_set: LandmarkSet,
    *,
    confidence: ArrayLike | None = None,
    unit: Literal["mm", "px"] = "mm",
    description: str = "",
) -> Path:
    """Write one set as a point list of Slicer.

    Args:
        path: the file; written whole or not at all.
        landmark_set: N landmarks, 2-D ones with z = 0, those of a volume in "LPS" or "RAS"; an absent one is
            "undefined" and has no position.
        confidence: (N,) numbers, written into the points' descriptions; NaN: none.
        unit: "mm"; or "px" for points of an image without known spacing, which lie right on the image as
            Slicer loads it (1 mm per pixel), and whose file then states no unit.
        description: of the list, in words; programs pass it over.

    Returns:
        The path.

    Raises:
        ValueError: unit is "mm", and the points are pixel indices, or those of a volume in no named frame.
    """
    if landmark_set.frame == "index" and unit == "mm":
        raise ValueError(
            f"Landmarks for {str(path)!r} must be in mm; got pixel indices. Convert them with to_lps(affine), "
            "or pass unit='px' where the spacing is not known."
        )
    if unit == "px" and landmark_set.dims == 3 and landmark_set.frame != "mm":
        raise ValueError(
            f"Landmarks of a volume for {str(path)!r} must be in LPS or RAS mm, for it is up to its file where Slicer "
            f"shows its voxels; got unit='px' for {landmark_set.frame!r}. Convert them, or write another format."
        )
    if unit == "mm":
        named_frame(landmark_set, path)
        landmark_set = landmark_set.to_lps()
    control_points: list[dict[str, Any]] = []
    values = checked_confidence(confidence, len(landmark_set.names))
    for number, (name, point, value) in enumerate(
        zip(landmark_set.names, landmark_set.points.tolist(), values, strict=True), start=1
    ):
        absent = math.isnan(point[0])
        control_points.append(
            {
                "id": str(number),
                "label": name,
                "description": "" if value is None else f"confidence {value:.4g}",
                "associatedNodeID": "",
                **({} if absent else {"position": [*point, 0.0][:3]}),
                "orientation": _LPS_AXES,
                "selected": True,
                "locked": False,
                "visibility": True,
                "positionStatus": "undefined" if absent else "defined",
            }
        )
    markup = {
        "type": "Fiducial",
        "coordinateSystem": "LPS",
        **({"coordinateUnits": "mm"} if unit == "mm" else {}),
        **({"description": description} if description else {}),
        "locked": False,
        "labelFormat": "%N-%d",
        "controlPoints": control_points,
    }
    content = {"@schema": MARKUPS_SCHEMA, "markups": [markup]}
    return write_json_whole(path, content)


def _system(markup: dict[str, Any], path: Path) -> Frame:
    """The frame of a markup's coordinates."""
    system = markup.get("coordinateSystem", "LPS")
    if not isinstance(system, str) or system not in SLICER_SYSTEMS:
        raise ParseError(path, None, "coordinateSystem must be 'LPS' or 'RAS'", system, "Save it anew from Slicer")
    return SLICER_SYSTEMS[system]


def _mm_per_unit(markup: dict[str, Any], path: Path) -> float:
    unit = markup.get("coordinateUnits", "mm")
    unit = unit[0] if isinstance(unit, list) and unit else unit
    if not isinstance(unit, str) or unit not in _MM_PER_UNIT:
        raise ParseError(path, None, f"coordinateUnits must be among {list(_MM_PER_UNIT)}", unit, "Convert the points")
    return _MM_PER_UNIT[unit]


def _label(control_point: Any) -> str:
    label = control_point.get("label") if isinstance(control_point, dict) else None
    return label if isinstance(label, str) else ""


def _position(control_point: dict[str, Any], label: str, path: Path) -> np.ndarray:
    """(3,) position; NaN where it is not defined."""
    status, position = control_point.get("positionStatus", "defined"), control_point.get("position")
    if status not in ("defined", "undefined", "preview", "missing"):
        raise ParseError(path, None, f"positionStatus of {label!r} must be as in the schema", status, "Correct it")
    if status != "defined" or position is None:
        return np.full(3, np.nan)
    if not isinstance(position, list) or len(position) != 3:
        raise ParseError(path, None, f"position of {label!r} must be three numbers", position, "Correct it")
    point = np.array(parse_point(position, path, None, f"a coordinate of {label!r}"))
    if np.isnan(point).any():  # as Python and ITK write what they could not compute
        raise ParseError(path, None, f"position of {label!r} must be three numbers", position, "Correct it")
    return point
