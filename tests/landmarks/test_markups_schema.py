# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A point list keeps the rules of Slicer's markups schema 1.0.3, written down here in our own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_gu2net.landmarks import LandmarkSet, write_landmarks

OF_FILE = {"@schema", "markups"}
OF_MARKUP = {
    "type", "name", "description", "coordinateSystem", "coordinateUnits", "locked", "fixedNumberOfControlPoints",
    "labelFormat", "lastUsedControlPointNumber", "controlPoints", "measurements", "display",
}  # fmt: skip
OF_POINT = {
    "id", "label", "description", "associatedNodeID", "position", "orientation", "selected", "locked", "visibility",
    "positionStatus",
}  # fmt: skip
TEXTS = ("id", "label", "description", "associatedNodeID")


def numbers(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(type(value) in (int, float) for value in values)


def check(content: dict[str, Any]) -> None:
    """Raise an AssertionError where a rule of the schema is broken."""
    assert set(content) == OF_FILE
    assert content["@schema"].startswith(
        "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
    )
    assert content["@schema"].endswith("markups-schema-v1.0.3.json#")
    for markup in content["markups"]:
        assert markup["type"] in ("Fiducial", "Line", "Angle", "Curve", "ClosedCurve", "Plane", "ROI")
        assert set(markup) <= OF_MARKUP
        assert markup["coordinateSystem"] in ("LPS", "RAS")
        assert markup["coordinateUnits"] in ("mm", "um", ["mm", "UCUM", "millimeter"])
        assert type(markup["locked"]) is bool
        assert len({point["id"] for point in markup["controlPoints"]}) == len(markup["controlPoints"])
        for point in markup["controlPoints"]:
            assert set(point) <= OF_POINT
            assert all(isinstance(point[field], str) for field in TEXTS)
            assert all(type(point[field]) is bool for field in ("selected", "locked", "visibility"))
            assert point["positionStatus"] in ("undefined", "preview", "defined", "missing")
            assert numbers(point["orientation"], 9)
            np.testing.assert_allclose(np.linalg.det(np.reshape(point["orientation"], (3, 3))), 1.0)
            assert ("position" in point) == (point["positionStatus"] == "defined")
            assert numbers(point.get("position", [0, 0, 0]), 3)


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
def test_a_list_of_a_volume_keeps_them(tmp_path: Path, frame: str) -> None:
    points = [[1.5, -2.0, 3.0], [np.nan] * 3, [1e-7, 1e5, -0.0]]
    landmarks = LandmarkSet(("a", "Übergang", "c d"), points, frame)  # type: ignore[arg-type]
    path = write_landmarks(tmp_path / "a.mrk.json", landmarks, confidence=[0.5, np.nan, 1.0])
    check(json.loads(Path(path).read_text(encoding="utf-8")))


def test_the_check_sees_what_is_wrong(tmp_path: Path) -> None:
    path = write_landmarks(tmp_path / "a.mrk.json", LandmarkSet(("a",), [[1.0, 2.0, 3.0]], "LPS"))
    for field, value in (
        ("positionStatus", "lost"),
        ("position", [1, 2]),
        ("orientation", [0.0] * 9),
        ("colour", "red"),
    ):
        content = json.loads(Path(path).read_text())
        content["markups"][0]["controlPoints"][0][field] = value
        with pytest.raises(AssertionError):
            check(content)
