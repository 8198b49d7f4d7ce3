# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from monai_gu2net.evaluation import Protocol, bootstrap_mean_interval, summarize_rows, write_csv
from monai_gu2net.report import summary_table, table_markdown, write_report
from monai_gu2net.report.tables import jsonable


def rows_of(errors: dict[tuple[str, str], float | None], *, domain="head", unit="mm") -> list[dict[str, object]]:
    return [
        {"case": case, "domain": domain, "landmark": landmark, "error": error, "unit": unit}
        for (case, landmark), error in errors.items()
    ]


# case 1: 1 and 3; case 2: 2 and not annotated
HEAD = rows_of({("1", "a"): 1.0, ("1", "b"): 3.0, ("2", "a"): 2.0, ("2", "b"): None})
CHEST = rows_of({("1", "c"): 4.0, ("2", "c"): math.inf}, domain="chest", unit="px")


def test_a_domain_is_summarized_as_worked_out_by_hand():
    head, a, b = summarize_rows(HEAD, thresholds=[1, 2, 3]).to_dict("records")

    assert (pd.isna(head["landmark"]), a["landmark"], b["landmark"]) == (True, "a", "b")
    assert (head["images"], head["count"], head["not_found"]) == (2, 3, 0)
    assert (head["mre"], head["median"]) == (2, 2)
    assert head["std_found"] == pytest.approx(math.sqrt(2 / 3))
    assert [head[f"sdr_{n}"] for n in (1, 2, 3)] == pytest.approx([100 / 3, 200 / 3, 100])  # <= at the threshold
    assert (a["mre"], b["mre"], b["images"]) == (1.5, 3, 1)


def test_a_landmark_not_found_is_a_miss_and_makes_the_mean_infinite():
    chest = summarize_rows(CHEST, thresholds=[4]).iloc[0]

    assert (chest["unit"], chest["count"], chest["not_found"]) == ("px", 2, 1)
    assert (chest["mre"], chest["mre_found"], chest["sdr_4"]) == (math.inf, 4, 50)
    assert (chest["mre_low"], chest["mre_high"]) == (4, math.inf)


def test_nothing_annotated_is_nan_and_never_a_score():
    head = summarize_rows(rows_of({("1", "a"): None})).iloc[0]

    assert (head["images"], head["count"]) == (0, 0)
    assert all(math.isnan(head[key]) for key in ("mre", "mre_low", "mre_high", "median", "std_found"))
    assert head.filter(like="sdr_").isna().tolist() == [True] * 4


def test_no_rows_have_no_summary():
    assert summarize_rows([]).empty
    assert table_markdown(summary_table("", summarize_rows([]))).count("\n") == 2


def test_units_of_one_domain_are_not_mixed():
    mixed = rows_of({("1", "a"): 1.0}) + rows_of({("2", "a"): 50.0}, unit="px")

    means = summarize_rows(mixed).groupby("unit")["mre"].max().to_dict()

    assert means == {"mm": 1, "px": 50}


def test_thresholds_go_by_domain_and_then_by_unit():
    summaries = summarize_rows(HEAD + CHEST, thresholds={"chest": [5], "px": [6], "mm": [7]})

    known = {domain: [*group.filter(like="sdr_").dropna(axis=1)] for domain, group in summaries.groupby("domain")}
    assert known == {"head": ["sdr_7"], "chest": ["sdr_5"]}


def test_a_domain_without_thresholds_is_refused():
    with pytest.raises(ValueError, match=r"thresholds must name every domain or its unit; got \['px'\]"):
        summarize_rows(HEAD, thresholds={"px": [2]})


def test_the_interval_is_scipys_percentile_bootstrap_over_images(rng):
    images = [rng.gamma(2, size=rng.integers(1, 6)) for _ in range(30)]
    sums, counts = np.array([image.sum() for image in images]), np.array([image.size for image in images])

    interval = bootstrap_mean_interval(images, resamples=4000, seed=5)

    expected = stats.bootstrap(
        (sums, counts),
        lambda s, c, axis: s.sum(axis=axis) / c.sum(axis=axis),
        n_resamples=4000,
        paired=True,
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(1),
    ).confidence_interval
    # two sets of 4000 draws differ in their 2.5 % quantiles by some hundredths of the interval's width
    assert interval == pytest.approx(tuple(expected), abs=0.07 * (expected.high - expected.low))


def test_images_are_drawn_and_not_landmarks():
    """Equal errors within each image: as uncertain as with one landmark per image."""
    one, many = [[float(n)] for n in range(8)], [[float(n)] * 50 for n in range(8)]

    assert bootstrap_mean_interval(many) == pytest.approx(bootstrap_mean_interval(one))


def test_the_interval_is_the_same_every_time_and_contains_the_mean(rng):
    images = rng.random((12, 5)).tolist()

    low, high = bootstrap_mean_interval(images)

    assert (low, high) == bootstrap_mean_interval(images)
    assert low < np.mean(images) < high


def test_one_image_has_no_interval():
    assert all(map(math.isnan, bootstrap_mean_interval([[1.0, 2.0], [math.nan]])))


def test_the_json_has_null_for_nan_and_inf(tmp_path):
    failures = [{"case": "9", "domain": "chest", "reason": "broken"}]
    told = {"scoring": Protocol(thresholds=[4]), "protocol": {"truth": "mean"}, "failures": failures}
    write_report(tmp_path, CHEST + rows_of({("1", "a"): None}), images={}, **told)

    path = tmp_path / "summary.json"
    content = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert content["protocol"]["truth"] == "mean"
    assert content["failures"] == failures
    assert content["summaries"][0]["mre"] is None
    assert content["summaries"][0]["sdr"] == {"4": 50}
    assert content["summaries"][2]["median"] is None


def test_numbers_in_lists_are_null_as_well_where_json_knows_none():
    assert jsonable({"a": [1.0, math.nan, (math.inf, "x")], 2.5: None}) == {"a": [1.0, None, [None, "x"]], "2.5": None}


def test_the_csv_has_a_line_for_each_summary(tmp_path):
    path = write_csv(tmp_path / "s.csv", summarize_rows(HEAD + CHEST, thresholds={"mm": [2.5], "px": [4]}))

    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert [(line["domain"], line["landmark"]) for line in lines] == [
        ("head", ""), ("head", "a"), ("head", "b"), ("chest", ""), ("chest", "c"),
    ]  # fmt: skip
    assert (lines[0]["mre"], lines[3]["mre"]) == ("2.0", "inf")
    assert (lines[3]["sdr_2.5"], lines[3]["sdr_4"]) == ("", "50.0")


def test_the_markdown_says_each_lines_unit():
    summaries = summarize_rows(HEAD + CHEST, thresholds=[3])
    totals = summaries[summaries["landmark"].isna()]

    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in table_markdown(summary_table("", totals)).splitlines()
    ]

    assert [line[:2] for line in lines[2:]] == [["head", "mm"], ["chest", "px"]]
    assert lines[2][5:] == ["2.00", "2.00 to 2.00", "2.00", "0.82", "2.00", "100.0"]
    assert lines[3][5:] == ["inf", "4.00 to inf", "4.00", "0.00", "inf", "0.0"]
    assert {len(line) for line in lines} == {11}
    assert "mm" not in table_markdown(summary_table("", totals[1:]))


def test_a_name_cannot_break_the_markdown_table():
    landmark = summarize_rows(rows_of({("1", "left|right <b>\n`x`"): 1.0}))[1:]

    assert "| left\\|right &lt;b> \\`x\\` |" in table_markdown(summary_table("", landmark))
    assert table_markdown(summary_table("", landmark)).count("\n") == 3
