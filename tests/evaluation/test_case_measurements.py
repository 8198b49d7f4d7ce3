# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from monai_gu2net.evaluation import measure_rows, write_measurements
from monai_gu2net.measurements import Measurement

NAN = math.nan
WIDTH = Measurement("width", "distance", ("a", "b"))
MEASUREMENTS = {"knee": (WIDTH, Measurement("corner", "angle", ("a", "b", "c")))}


def rows(case: str = "1", *, unit: str = "mm", reference: bool = True, **changes: Any) -> list[dict[str, Any]]:
    """a at (0, 0), b at (30, 0), c at (30, 40); found b 3 pixels further right."""
    places = {"a": (0.0, 0.0), "b": (30.0, 0.0), "c": (30.0, 40.0)}
    return [
        {
            "case": case,
            "domain": "knee",
            "landmark": name,
            "reference_x": x if reference else None,
            "reference_y": y if reference else None,
            "predicted_x": x + (3 if name == "b" else 0),
            "predicted_y": y,
            "error": 0.0 if reference else None,
            "unit": unit,
            "spacing_x": 0.5 if unit == "mm" else None,
            "spacing_y": 0.25 if unit == "mm" else None,
            "radius": 1.0,
        }
        | changes
        for name, (x, y) in places.items()
    ]


def test_rows_are_measured_in_millimetres_where_they_are_known() -> None:
    width, corner = measure_rows(rows(), MEASUREMENTS).itertuples()
    assert (width.case, width.name, width.unit, width.value) == ("1", "width", "mm", pytest.approx(16.5))
    assert width.error == pytest.approx(math.sqrt(2) / math.sqrt(2 * math.log(10)))
    # in mm: a (0, 0), b (16.5, 0), c (15, 10)
    assert corner.value == pytest.approx(math.degrees(math.atan2(10, 1.5)))
    assert [width.reference, corner.reference] == pytest.approx([15, 90])


def test_rows_without_a_scale_are_measured_in_square_pixels() -> None:
    measured = measure_rows(rows(unit="px"), MEASUREMENTS)
    assert measured[["reference", "unit"]].values.tolist() == [[30, "px"], [pytest.approx(90), "deg"]]
    assert set(measured["scale"]) == {"px"}


def test_a_landmark_not_found_gives_no_value() -> None:
    some = rows()
    some[0] |= {"predicted_x": None, "predicted_y": None, "error": math.inf}
    measured = measure_rows(some, MEASUREMENTS)
    assert math.isnan(measured["value"][0])
    assert measured["reference"][0] == pytest.approx(15)


def test_a_domain_that_is_not_named_has_its_built_in_measurements() -> None:
    head = [row | {"landmark": name} for row, name in zip(rows(), ("sella", "nasion", "subspinale"), strict=True)]
    assert measure_rows(head)[["name", "reference"]].values.tolist() == [["SNA", pytest.approx(90)]]
    assert measure_rows(rows()).empty


def test_rows_in_space_are_measured_there() -> None:
    some = [row | {"predicted_z": 4.0 if row["landmark"] == "b" else 0.0, "spacing_z": 2.0} for row in rows()]
    (width,) = measure_rows(some, {"knee": (WIDTH,)})["value"]
    assert width == pytest.approx(math.hypot(16.5, 8.0))


def test_a_volume_in_which_nothing_is_found_is_one_all_the_same() -> None:
    nothing = {f"{kind}_{axis}": None for kind in ("predicted", "reference") for axis in "xyz"}
    plane = Measurement("height", "plane_distance", ("a", "b", "c", "d"))
    for known in ({"spacing_z": 2.0}, {"unit": "px", "image_z": 20.0}):
        (value,) = measure_rows([row | nothing | known for row in rows()], {"knee": (plane,)})["value"]
        assert math.isnan(value)


def test_volumes_are_measured_in_the_world_whatever_angles_their_axes_have() -> None:
    """Along sheared axes pixels times spacing is no distance: the points are 5 mm apart in the world."""
    lps = {"a": (1.0, 2.0, 3.0), "b": (1.0, 5.0, 7.0), "c": (0.0, 0.0, 0.0)}
    some = [
        row
        | {"predicted_z": 0.0, "spacing_z": 1.0}
        | {f"predicted_{axis}_lps_mm": value for axis, value in zip("xyz", lps[row["landmark"]], strict=True)}
        for row in rows()
    ]
    assert measure_rows(some, {"knee": (WIDTH,)})["value"].tolist() == pytest.approx([5])


def test_the_table_has_a_line_per_measurement(tmp_path: Path) -> None:
    path = write_measurements(tmp_path / "m.csv", measure_rows(rows(reference=False, radius=NAN), MEASUREMENTS))
    header, width, _ = csv.reader(path.read_text().splitlines())
    assert header == ["case", "domain", "name", "value", "error", "unit", "class"]
    assert width == ["1", "knee", "width", "16.5", "", "mm", ""]


def test_the_table_has_classes_and_references_where_there_are_any(tmp_path: Path) -> None:
    head = [row | {"landmark": name} for row, name in zip(rows(), ("sella", "nasion", "subspinale"), strict=True)]
    path = write_measurements(tmp_path / "m.csv", measure_rows(head))
    (line,) = csv.DictReader(path.read_text().splitlines())
    assert (line["name"], line["class"]) == ("SNA", "normal maxilla")
    assert (float(line["reference"]), line["reference_class"]) == (pytest.approx(90), "prognathic maxilla")
