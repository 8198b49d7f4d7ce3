# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from monai_gu2net.evaluation import Protocol, shifted_levels, summarize_shifts
from monai_gu2net.landmarks.anatomical_names import SPINE_LANDMARKS, VERTEBRAE
from monai_gu2net.report import write_report

CORNERS = {"tl": (-10.0, -8.0), "tr": (10.0, -8.0), "bl": (-10.0, 8.0), "br": (10.0, 8.0)}
MIDDLES = {name: (100.0, 50.0 + 20.0 * number) for number, name in enumerate(VERTEBRAE)}


def spine(
    case: str = "1",
    *,
    moved: Mapping[str, tuple[float, float]] | None = None,
    lost: tuple[str, ...] = (),
    unannotated: tuple[str, ...] = (),
    **changes: Any,
) -> list[dict[str, Any]]:
    """Vertebrae 16 px high every 20 px; some are found elsewhere, some corners are not found or not annotated."""
    rows = []
    for level, (x, y) in MIDDLES.items():
        dx, dy = (moved or {}).get(level, (0.0, 0.0))
        for corner, (to_x, to_y) in CORNERS.items():
            name = f"{level}_{corner}"
            found, annotated = name not in lost, name not in unannotated
            error = math.hypot(dx, dy) if found else math.inf
            rows.append(
                {
                    "case": case,
                    "domain": "spine",
                    "landmark": name,
                    "reference_x": x + to_x if annotated else None,
                    "reference_y": y + to_y if annotated else None,
                    "predicted_x": x + to_x + dx if found else None,
                    "predicted_y": y + to_y + dy if found else None,
                    "error": error if annotated else None,
                    "unit": "px",
                }
                | changes
            )
    return rows


def shifted(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Level -> the level it was found at, of those that are shifted."""
    table = shifted_levels(rows)
    found = table[table["shifted"]]
    return {
        VERTEBRAE[level - 1]: VERTEBRAE[int(at) - 1] for level, at in zip(found["level"], found["nearest"], strict=True)
    }


def test_a_level_that_lies_nearer_to_another_one_is_shifted() -> None:
    # neighbours are 20 px apart: 9 px is within, 11 px beyond half of it
    assert shifted(spine(moved={"T5": (0, 9), "T8": (0, 11), "L2": (0, -31)})) == {"T8": "T9", "L2": "T12"}


def test_sideways_errors_are_no_shifts() -> None:
    assert shifted(spine(moved={"T5": (60, 0)})) == {}


def test_half_way_between_two_levels_is_not_shifted() -> None:
    assert shifted(spine(moved={"T5": (0, 10)})) == {}


def test_a_whole_spine_that_slid_by_one_vertebra_is_shifted_but_for_its_end() -> None:
    found = shifted(spine(moved=dict.fromkeys(VERTEBRAE, (0, 20))))
    assert found == dict(pairwise(VERTEBRAE))


def test_means_are_of_the_corners_found_in_both() -> None:
    """Of the lower corners alone the mean lies 8 px below the middle, which is not a way that anything moved."""
    upper = ("T5_tl", "T5_tr")
    for lack in ({"lost": upper}, {"unannotated": upper}):
        assert shifted(spine(moved={"T5": (0, 9)}, **lack)) == {}
        assert shifted(spine(moved={"T5": (0, 11)}, **lack)) == {"T5": "T6"}
        assert shifted(spine(moved={"T5": (0, -9)}, **lack)) == {}


def test_a_single_corner_that_errs_does_not_shift_its_level() -> None:
    rows = spine()
    rows[17]["predicted_y"] += 39.0  # of T5: the mean of four moves by a quarter
    assert shifted(rows) == {}
    rows[17]["predicted_y"] += 2.0
    assert shifted(rows) == {"T5": "T6"}


def test_the_scale_counts_where_it_is_known() -> None:
    """Two levels beside and below each other: the nearer one in pixels is the farther one in mm."""
    levels = {"spine": (("a",), ("b",), ("c",))}
    points = {"a": (0.0, 0.0), "b": (10.0, 0.0), "c": (0.0, 14.0)}
    rows = [
        {"case": "1", "domain": "spine", "landmark": name, "error": 1.0, "unit": "px"}
        | {"reference_x": x, "reference_y": y, "predicted_x": 6.0 if name == "a" else x}
        | {"predicted_y": 8.0 if name == "a" else y}
        for name, (x, y) in points.items()
    ]
    # in pixels a lies 10 from itself, sqrt(80) from b, sqrt(72) from c
    assert shifted_levels(rows, levels)["nearest"].tolist() == [3, 2, 3]
    scaled = [row | {"unit": "mm", "spacing_x": 2.0, "spacing_y": 1.0} for row in rows]
    # in mm at (12, 8): sqrt(208) from itself, sqrt(128) from b, sqrt(180) from c
    assert shifted_levels(scaled, levels)["nearest"].tolist() == [2, 2, 3]


def test_levels_without_annotation_do_not_count_and_those_not_found_are_told_apart() -> None:
    corners = tuple(f"T1_{corner}" for corner in CORNERS), tuple(f"T2_{corner}" for corner in CORNERS)
    table = shifted_levels(spine(unannotated=corners[0], lost=corners[1]))
    assert table["level"].tolist() == list(range(2, 18))
    (summary,) = summarize_shifts(table).to_dict("records")
    assert (summary["levels"], summary["shifted_levels"], summary["not_found"]) == (15, 0, 1)


def test_levels_of_unlike_length_are_compared_where_they_have_the_same_places() -> None:
    levels = {"spine": (("L5_tl", "L5_tr", "L5_bl", "L5_br"), ("S1_tl", "S1_tr"))}
    rows = [row for row in spine() if row["landmark"].startswith("L5")]
    rows += [
        row | {"landmark": f"S1{row['landmark'][2:]}"} | {key: row[key] + 20 for key in ("reference_y", "predicted_y")}
        for row in rows[:2]
    ]
    assert shifted_levels(rows, levels)["shifted"].tolist() == [False, False]
    for row in rows[:4]:
        row["predicted_y"] += 12
    assert shifted_levels(rows, levels)["nearest"].tolist() == [2, 2]


def test_a_domain_without_levels_has_no_shifts() -> None:
    rows = [row | {"landmark": row["landmark"].lower()} for row in spine()]
    assert shifted_levels(rows).empty
    assert summarize_shifts(shifted_levels(rows)).empty
    assert shifted_levels(spine(), {"spine": ()}).empty


def test_images_with_any_level_shifted_are_counted_with_an_exact_interval() -> None:
    cases = [spine(str(number), moved={"T5": (0, 15), "T6": (0, 15)} if number < 2 else None) for number in range(8)]
    (summary,) = summarize_shifts(shifted_levels([row for case in cases for row in case])).to_dict("records")
    assert (summary["domain"], summary["images"], summary["shifted_images"]) == ("spine", 8, 2)
    assert (summary["levels"], summary["shifted_levels"]) == (8 * 17, 4)
    assert summary["share"] == pytest.approx(25)
    # the shares of which 2 and more, or 2 and fewer, of 8 images are drawn once in 40 times
    low, high = summary["share_low"] / 100, summary["share_high"] / 100
    assert sum(math.comb(8, k) * low**k * (1 - low) ** (8 - k) for k in range(2, 9)) == pytest.approx(0.025)
    assert sum(math.comb(8, k) * high**k * (1 - high) ** (8 - k) for k in range(3)) == pytest.approx(0.025)


def test_of_no_shifted_image_the_interval_says_how_many_there_may_be() -> None:
    rows = [row for number in range(40) for row in spine(str(number))]
    (summary,) = summarize_shifts(shifted_levels(rows)).to_dict("records")
    assert (summary["share"], summary["share_low"]) == (0, 0)
    assert summary["share_high"] == pytest.approx(100 * (1 - 0.025 ** (1 / 40)))  # none of 40 once in 40 times


def test_a_report_says_how_many_levels_and_images_are_shifted(tmp_path: Path) -> None:
    rows = spine("1", moved={"T5": (0, 15)}) + spine("2")
    undoubted = [
        row | ({"reference_x": None, "reference_y": None, "error": None} if row["landmark"].startswith("T5") else {})
        for row in rows
    ]
    report = write_report(tmp_path, rows, images={}, undoubted=undoubted, worst=0)
    lines = report.path.read_text().splitlines()
    assert "## Shifted levels" in lines
    assert "| spine | 2 | 1 | 50.0 | 1.3 to 98.7 | 34 | 1 | 0 |" in lines
    assert "| spine, without doubtful | 2 | 0 | 0.0 | 0.0 to 84.2 | 32 | 0 | 0 |" in lines
    assert "Shifted levels" in (tmp_path / "report.html").read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["shifts"][0]["share"] == pytest.approx(50)
    assert summary["shifts_without_doubtful"][0]["shifted_images"] == 0
    table = (tmp_path / "levels.csv").read_text().splitlines()
    assert table[0] == "case,domain,level,nearest,shifted"
    assert "1,spine,5,6,True" in table
    assert len(table) == 1 + 34

    plain = [row | {"landmark": row["landmark"].lower()} for row in rows]
    report = write_report(tmp_path, plain, images={}, worst=0)
    assert "Shifted levels" not in report.path.read_text()
    assert not (tmp_path / "levels.csv").exists()


def test_each_domain_s_line_is_followed_by_the_one_without_doubt(tmp_path: Path) -> None:
    rows = spine("1", domain="first") + spine("1", domain="second")
    report = write_report(tmp_path, rows, images={}, undoubted=rows[:68], worst=0)
    text = report.path.read_text().split("## Shifted levels")[1].split("##")[0]
    domains = [line.split(" | ")[0] for line in text.splitlines() if line.startswith(("| first", "| second"))]
    assert domains == ["| first", "| first, without doubtful", "| second"]


def test_landmarks_left_out_leave_their_levels_to_the_others(tmp_path: Path) -> None:
    scoring = Protocol(left_out={"spine": ("T5_tl", "T5_tr")})
    levels = {"spine": tuple(tuple(f"{name}_{corner}" for corner in CORNERS) for name in VERTEBRAE)}
    rows = spine(moved={"T5": (0, 11)})
    write_report(tmp_path, rows, images={}, scoring=scoring, levels=levels, worst=0)
    assert json.loads((tmp_path / "summary.json").read_text())["shifts"][0]["shifted_levels"] == 1


def test_a_spine_s_levels_need_no_declaration() -> None:
    table = shifted_levels([row for row in spine() if row["landmark"] in SPINE_LANDMARKS])
    assert table["level"].tolist() == list(range(1, 18))
