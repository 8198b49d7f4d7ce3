# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

from monai_gu2net.evaluation import summarize_rows, undoubted_rows


def row(case: str, landmark: str, error: float, domain: str = "spine") -> dict[str, Any]:
    points = {"reference_x": 1.0, "reference_y": 2.0, "predicted_x": 1.0 + error, "predicted_y": 2.0}
    return {"case": case, "domain": domain, "landmark": landmark, "error": error, "unit": "px", **points}


ROWS = [row("1", "a", 1.0), row("1", "b", 900.0), row("2", "a", 3.0), row("2", "b", 5.0), row("1", "a", 7.0, "hand")]


def test_the_landmarks_in_doubt_do_not_count_and_the_others_do() -> None:
    cases = [{"domain": "spine", "case": "1", "doubtful": ["b"]}, {"domain": "hand", "case": "1"}]
    table = undoubted_rows(ROWS, cases)
    assert table["domain"].unique().tolist() == ["spine"]
    doubted = table[(table["case"] == "1") & (table["landmark"] == "b")].iloc[0]
    assert math.isnan(doubted["error"])
    assert math.isnan(doubted["reference_x"])
    assert doubted["predicted_x"] == 901
    [total] = summarize_rows(table).query("landmark.isna()").to_dict("records")
    assert (total["count"], total["mre"], total["images"]) == (3, 3.0, 2)


def test_without_any_in_doubt_there_is_no_second_result() -> None:
    assert undoubted_rows(ROWS, [{"domain": "spine", "case": "1"}]).empty
