# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_gu2net.evaluation import named_protocol, radii_px, summarize_coverage
from monai_gu2net.report import write_report
from monai_gu2net.uncertainty import Calibration
from monai_gu2net.visualize import draw_reliability

NAN, INF = math.nan, math.inf


def rows(
    errors: list[list[float]], radius: float = 2.0, *, domain: str = "head", unit: str = "mm"
) -> list[dict[str, Any]]:
    """One case for each list, one landmark for each of its errors; one not found has no radius."""
    return [
        {
            "case": f"c{case}",
            "domain": domain,
            "landmark": f"l{number}",
            "error": error,
            "unit": unit,
            "radius": NAN if error == INF else radius,
        }
        for case, values in enumerate(errors)
        for number, error in enumerate(values)
    ]


def test_coverage_by_hand() -> None:
    """Within 2: 1.0, 2.0 and 0.5 of six annotated; the one not found is outside, the one not annotated nowhere."""
    found = summarize_coverage(rows([[1.0, 3.0, NAN], [2.0, INF, 0.5], [5.0, NAN, NAN]]))
    summary, landmarks = found.iloc[0], found.iloc[1:]
    assert (summary["domain"], summary["unit"], summary["level"]) == ("head", "mm", 0.9)
    assert (summary["images"], summary["count"]) == (3, 6)
    assert summary["coverage"] == 3 / 6
    assert summary["coverage_low"] <= 0.5 <= summary["coverage_high"]
    assert summary["radius_mean"] == summary["radius_median"] == 2
    assert dict(zip(landmarks["landmark"], landmarks["coverage"], strict=True)) == {"l0": 2 / 3, "l1": 0.0, "l2": 1.0}


def test_domains_without_a_radius_are_left_out() -> None:
    both = rows([[1.0]], domain="head", radius=NAN) + rows([[1.0]], domain="chest", unit="px")
    assert set(summarize_coverage(both)["domain"]) == {"chest"}


def test_a_reliability_curve_has_the_shares_of_the_levels() -> None:
    """Radii of 2 at the level 0.9 are 1 at 0.5: one of four errors is within it, three within the other."""
    calibration = Calibration({0.5: 3.0, 0.9: 6.0}, (1.0,) * 4, (), 1, 4)
    figure = draw_reliability(rows([[0.5, 1.5, 1.8, 7.0]]), {"head": calibration})
    _, curve = figure.axes[0].lines
    assert np.array_equal(curve.get_xydata(), [[0.5, 0.25], [0.9, 0.75]])


def test_a_report_of_calibrated_rows_has_table_plot_and_numbers(tmp_path: Path) -> None:
    calibration = Calibration({0.5: 3.0, 0.9: 6.0}, (1.0,) * 2, (), 1, 2)
    report = write_report(tmp_path, rows([[1.0, 3.0], [2.0, 0.5]]), images={}, calibrations={"head": calibration})
    text = report.path.read_text()
    assert "## Uncertainty" in text
    assert "| head | mm | 2 | 4 | 90 | 75.0 |" in text
    assert "coverage.png" in text
    assert (tmp_path / "coverage.png").is_file()
    (summary,) = json.loads((tmp_path / "coverage.json").read_text())
    assert summary["coverage"] == 0.75


def test_coverage_is_of_the_landmarks_that_count_in_the_radiis_own_scale(tmp_path: Path) -> None:
    """One of two in pixels of the file, and none of them on the grid; the third is left out."""
    points = {f"{kind}_{axis}": 1.0 for kind in ("reference", "predicted") for axis in "xy"}
    size = {"image_x": 100.0, "image_y": 100.0}
    given = [row | points | size for row in rows([[1.0, 3.0, 0.5]], domain="chest", unit="px")]
    protocol = named_protocol("paper", left_out={"chest": ["l2"]})
    write_report(tmp_path, given, images={}, scoring=protocol)
    (summary,) = json.loads((tmp_path / "coverage.json").read_text())
    assert (summary["coverage"], summary["landmarks"]) == (0.5, {"l0": 1.0, "l1": 0.0})


def test_a_report_of_a_model_that_is_not_calibrated_says_nothing_of_it(tmp_path: Path) -> None:
    write_report(tmp_path, rows([[1.0]]), images={})
    assert (tmp_path / "coverage.json").exists()
    report = write_report(tmp_path, rows([[1.0]], radius=NAN), images={})
    assert "Uncertainty" not in report.path.read_text()
    assert not (tmp_path / "coverage.json").exists()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"radius": 3.0, "unit": "mm", "spacing_x": 0.5, "spacing_y": 0.25}, (6.0, 12.0)),
        ({"radius": 3.0, "unit": "px", "spacing_x": NAN, "spacing_y": NAN}, (3.0, 3.0)),
        ({"radius": NAN, "unit": "px"}, (NAN, NAN)),
        ({"unit": "px"}, (NAN, NAN)),
    ],
)
def test_a_radius_in_mm_is_an_ellipse_in_pixels(row: dict[str, Any], expected: tuple[float, float]) -> None:
    np.testing.assert_allclose(radii_px([row]), [expected])
