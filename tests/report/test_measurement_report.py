# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_gu2net.evaluation import Protocol, compare_measurements, measure_rows
from monai_gu2net.measurements import Measurement
from monai_gu2net.report import write_report

WIDTH = {"knee": (Measurement("width", "distance", ("a", "b")),)}


def rows(case: str, found: float | None, *, radius: float | None = None) -> list[dict[str, Any]]:
    """a and b 10 mm apart; found so far apart."""
    return [
        {
            "case": case,
            "domain": "knee",
            "landmark": name,
            "reference_x": x,
            "reference_y": 0.0,
            "predicted_x": predicted,
            "predicted_y": None if predicted is None else 0.0,
            "error": math.inf if predicted is None else abs(predicted - x),
            "unit": "mm",
            "spacing_x": 1.0,
            "spacing_y": 1.0,
            "radius": radius,
        }
        for name, x, predicted in (("a", 0.0, 0.0), ("b", 10.0, found))
    ]


def compared(*found: float | None, radius: float | None = None) -> dict[str, Any]:
    given = [row for number, each in enumerate(found) for row in rows(str(number), each, radius=radius)]
    (only,) = compare_measurements(measure_rows(given, WIDTH)).to_dict("records")
    return only


def test_differences_by_hand() -> None:
    result = compared(11.0, 12.0, 9.0, None)  # 1, 2, -1, lost
    assert (result["domain"], result["measurement"], result["unit"]) == ("knee", "width", "mm")
    assert (result["count"], result["lost"]) == (3, 1)
    assert result["mae"] == pytest.approx(4 / 3)
    assert result["bias"] == pytest.approx(2 / 3)
    spread = 1.96 * np.std([1, 2, -1], ddof=1)
    assert (result["limit_low"], result["limit_high"]) == pytest.approx((2 / 3 - spread, 2 / 3 + spread))
    assert 1 <= result["mae_low"] <= result["mae"] <= result["mae_high"] <= 2
    assert math.isnan(result["covered"])


def test_coverage_counts_differences_within_their_own_error() -> None:
    # sigma 1 of each landmark, so that the width's error is sqrt(2)
    result = compared(11.0, 12.5, 13.0, radius=math.sqrt(2 * math.log(10)))
    assert result["covered"] == pytest.approx(200 / 3)


def test_nothing_found_is_nothing_measured() -> None:
    result = compared(None, None)
    assert (result["count"], result["lost"]) == (0, 2)
    assert math.isnan(result["mae"])
    assert math.isnan(result["bias"])


def test_without_references_there_is_nothing_to_compare() -> None:
    given = [row | {"reference_x": None, "reference_y": None, "error": None} for row in rows("1", 11.0)]
    assert compare_measurements(measure_rows(given, WIDTH)).empty


def test_a_report_says_how_far_measurements_are_off(tmp_path: Path) -> None:
    given = [row for number in range(3) for row in rows(str(number), 11.0 + number)]
    report = write_report(tmp_path, given, images={}, measurements=WIDTH, worst=0)
    text = report.path.read_text()
    assert "## Measurements of knee" in text
    assert "| width | mm | 3 | 0 | 2.00 | 1.00 to 3.00 | 2.00 |" in text
    assert "Success classification rate" not in text
    assert "Measurements of knee" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "measurements.json").read_text())["measurements"][0]["mae"] == pytest.approx(2)
    assert (tmp_path / "measurements.csv").read_text().count("\n") == 4

    write_report(tmp_path, given, images={}, worst=0)  # without built-in measurements nothing stays behind
    assert not (tmp_path / "measurements.csv").exists()
    assert not (tmp_path / "measurements.json").exists()


HEAD = {"sella": (0.0, 0.0), "nasion": (70.0, 0.0), "subspinale": (65.0, 50.0), "supramentale": (60.0, 80.0)}


def head_rows(case: str, a_x: float) -> list[dict[str, Any]]:
    return [
        rows(case, 0.0)[0]
        | {
            "domain": "head",
            "landmark": name,
            "reference_x": x,
            "reference_y": y,
            "predicted_x": a_x if name == "subspinale" else x,
            "predicted_y": y,
        }
        for name, (x, y) in HEAD.items()
    ]


def test_a_report_of_heads_has_the_rates_of_the_model_and_of_the_annotators(tmp_path: Path) -> None:
    # SNA of the reference 84.3 (type 2); found at 60: 78.7 (type 3)
    model = head_rows("1", 65.0) + head_rows("2", 60.0)
    junior = head_rows("1", 60.0) + head_rows("2", 60.0)
    report = write_report(tmp_path, model, images={}, annotators={"junior against senior": junior}, worst=0)
    lines = report.path.read_text().splitlines()
    assert "| Measurement | Model | junior against senior |" in lines
    assert "| SNA | 50.0 (n = 2) | 0.0 (n = 2) |" in lines
    assert "| SNB | 100.0 (n = 2) | 100.0 (n = 2) |" in lines
    classes = json.loads((tmp_path / "measurements.json").read_text())["classes"]
    sna = next(each for each in classes if each["comparison"] == "Model" and each["measurement"] == "SNA")
    assert sna["confusion"] == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


def test_a_landmark_left_out_takes_its_measurements_along(tmp_path: Path) -> None:
    given = head_rows("1", 65.0)
    write_report(tmp_path, given, images={}, scoring=Protocol(left_out={"head": ("subspinale",)}), worst=0)
    assert {line.split(",")[2] for line in (tmp_path / "measurements.csv").read_text().splitlines()[1:]} == {"SNB"}
