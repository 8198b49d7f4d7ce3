# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monai_gu2net.evaluation import measure_rows, score_cobb_angles, smape
from monai_gu2net.landmarks.anatomical_names import VERTEBRAE
from monai_gu2net.measurements import AASCE_ANGLES
from monai_gu2net.report import write_report


def spine(
    case: str, reference: Mapping[str, float], found: Mapping[str, float], *, lost: str = "", **changes: Any
) -> list[dict[str, Any]]:
    """Vertebrae along an arc, level but for the tilts given in degrees by name."""
    rows = []
    for number, name in enumerate(VERTEBRAE):
        x, y = 100 + 40 * math.sin(math.pi * number / 16), 50.0 + 30 * number
        for row, down in (("t", -10.0), ("b", 10.0)):
            for side, half in (("l", -20.0), ("r", 20.0)):
                places = {}
                for kind, tilts in (("reference", reference), ("predicted", found)):
                    tilt = math.radians(tilts.get(name, 0.0))
                    places |= {
                        f"{kind}_x": x + half * math.cos(tilt),
                        f"{kind}_y": y + down + half * math.sin(tilt),
                    }
                landmark = f"{name}_{row}{side}"
                error = math.dist(*([places[f"{kind}_{axis}"] for axis in "xy"] for kind in ("reference", "predicted")))
                line = {"case": case, "domain": "spine", "landmark": landmark, "error": error, "unit": "px"} | places
                if landmark == lost:
                    line |= {"predicted_x": None, "predicted_y": None, "error": math.inf}
                rows.append(line | {"image_x": 300.0, "image_y": 700.0} | changes)
    return rows


# T5 -20 and T11 25: angles 45, 20 (T1 to T5), 25 (T11 to L5)
CURVED = {"T5": -20.0, "T11": 25.0}
# 40, 20, 20
FLATTER = {"T5": -20.0, "T11": 20.0}
# 10, 0, 10
SLIGHT = {"T11": 10.0}
# 20, 0, 20
TWICE = {"T11": 20.0}


def test_the_mean_is_over_images_of_the_ratio_of_each() -> None:
    # of the first image 5 + 0 + 5 over 85 + 40 + 45, of the second 10 + 0 + 10 over 30 + 0 + 30
    shares = smape([[40, 20, 20], [20, 0, 20]], [[45, 20, 25], [10, 0, 10]])
    assert shares == pytest.approx([100 * 10 / 170, 100 * 20 / 60])
    ratio_over_all = 100 * 30 / 230
    assert abs(shares.mean() - ratio_over_all) > 6  # the other definition is another number


def test_images_without_any_angle_agree_and_a_missing_one_is_not_known() -> None:
    shares = smape([[0, 0, 0], [5, 0, 0], [math.nan, 1, 1]], [[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    assert shares[:2].tolist() == [0, 100]
    assert math.isnan(shares[2])


@pytest.mark.parametrize(
    ("found", "message"),
    [([[1.0, 2.0]], r"images by angles, alike; got shapes \(1, 2\) and \(1, 3\)"), ([[1, -2, 0]], r"negative; got -2")],
)
def test_what_are_no_angles_is_refused(found: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        smape(found, [[1.0, 2.0, 3.0]])


def test_spines_are_measured_as_the_challenge_does_beside_the_cobb_angles() -> None:
    table = measure_rows(spine("1", CURVED, FLATTER)).set_index("name")
    assert table.loc[list(AASCE_ANGLES), "reference"].tolist() == pytest.approx([45, 20, 25])
    assert table.loc[list(AASCE_ANGLES), "value"].tolist() == pytest.approx([40, 20, 20])
    assert set(table.loc[list(AASCE_ANGLES), "unit"]) == {"deg"}
    assert table.loc["Cobb angle", "reference"] == pytest.approx(45)


def test_scores_by_hand() -> None:
    rows = spine("1", CURVED, FLATTER) + spine("2", SLIGHT, TWICE) + spine("3", SLIGHT, SLIGHT, lost="T7_bl")
    (score,) = score_cobb_angles(measure_rows(rows)).to_dict("records")
    assert (score["domain"], score["images"], score["lost"]) == ("spine", 2, 1)
    assert score["smape"] == pytest.approx(100 * (10 / 170 + 20 / 60) / 2)
    assert score["mae"] == pytest.approx((5 + 0 + 5 + 10 + 0 + 10) / 6)
    # of two images a draw is one of them twice, or both
    assert (score["smape_low"], score["smape_high"]) == pytest.approx((1000 / 170, 2000 / 60))
    assert (score["mae_low"], score["mae_high"]) == pytest.approx((10 / 3, 20 / 3))


def test_spacing_of_pixels_that_are_not_square_counts() -> None:
    """Twice as high pixels double the slope: tan 25 degrees becomes 2 tan 25."""
    rows = spine("1", SLIGHT, SLIGHT, unit="mm", spacing_x=0.5, spacing_y=1.0)
    table = measure_rows(rows).set_index("name")
    expected = math.degrees(math.atan(2 * math.tan(math.radians(10))))
    assert table.loc[list(AASCE_ANGLES), "value"].tolist() == pytest.approx([expected, 0, expected])


def test_other_landmarks_and_spines_without_reference_have_no_scores() -> None:
    rows = spine("1", CURVED, FLATTER)
    assert score_cobb_angles(measure_rows([row for row in rows if not row["landmark"].startswith("T1_")])).empty
    unknown = [row | {"reference_x": None, "reference_y": None, "error": None} for row in rows]
    assert score_cobb_angles(measure_rows(unknown)).empty


def test_a_report_of_spines_has_the_challenge_s_scores_with_and_without_doubt(tmp_path: Path) -> None:
    rows = spine("1", CURVED, FLATTER) + spine("2", SLIGHT, TWICE)
    unknown = {"reference_x": None, "reference_y": None, "error": None}
    undoubted = [row | (unknown if (row["case"], row["landmark"]) == ("2", "T3_tl") else {}) for row in rows]
    report = write_report(tmp_path, rows, images={}, undoubted=undoubted, worst=0)
    lines = report.path.read_text().splitlines()
    assert "| spine | 2 | 0 | 19.61 | 5.88 to 33.33 | 5.00 | 3.33 to 6.67 |" in lines
    assert "| spine, without doubtful | 1 | 0 | 5.88 | - | 3.33 | - |" in lines
    # reference 45 and 10, found 40 and 20
    assert any(line.startswith("| AASCE angle 1 | deg | 2 | 0 | 7.50 |") for line in lines)
    assert "SMAPE" in (tmp_path / "report.html").read_text()
    content = json.loads((tmp_path / "measurements.json").read_text())
    assert content["cobb"][0]["smape"] == pytest.approx(np.mean([1000 / 170, 2000 / 60]))
    assert content["cobb_without_doubtful"][0]["images"] == 1
