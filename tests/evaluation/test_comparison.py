# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from monai_gu2net.evaluation import compare_rows, paired_bootstrap
from monai_gu2net.report import comparison_notes, write_comparison
from monai_gu2net.visualize import draw_compared_curves, draw_differences


def rows_of(errors: dict[tuple[str, str], float | None], *, domain="head", unit="mm") -> list[dict[str, object]]:
    return [
        {"case": case, "domain": domain, "landmark": landmark, "error": error, "unit": unit}
        for (case, landmark), error in errors.items()
    ]


def random_rows(
    rng: np.random.Generator, *, images=12, landmarks=3, shift=0.0, domain="head"
) -> list[dict[str, object]]:
    errors = {
        (str(image), f"l{n}"): float(shift + rng.gamma(2)) for image, n in product(range(images), range(landmarks))
    }
    return rows_of(errors, domain=domain)


# case 1: 1 -> 2 and 3 -> 1; case 2: 2 -> 2; case 3: 4 -> not found, 1 -> 0.5
FIRST = rows_of({("1", "a"): 1.0, ("1", "b"): 3.0, ("2", "a"): 2.0, ("3", "a"): 4.0, ("3", "b"): 1.0})
SECOND = rows_of({("1", "a"): 2.0, ("1", "b"): 1.0, ("2", "a"): 2.0, ("3", "a"): math.inf, ("3", "b"): 0.5})

# errors of three landmarks in two tables
FOUND = ([1.0, 2.0, 4.0], [0.5, 3.0, math.inf])


class TestPairedBootstrap:
    def test_the_interval_is_scipys_paired_percentile_bootstrap(self, rng):
        counts = rng.integers(1, 6, size=40).astype(float)
        a, b = rng.gamma(2, size=40) * counts, rng.gamma(2.2, size=40) * counts

        low, high, _ = paired_bootstrap((b - a)[:, None], counts, seed=5)[0]

        expected = stats.bootstrap(
            (a, b, counts),
            lambda a, b, c, axis: b.sum(axis=axis) / c.sum(axis=axis) - a.sum(axis=axis) / c.sum(axis=axis),
            n_resamples=10_000,
            paired=True,
            vectorized=True,
            method="percentile",
            random_state=np.random.default_rng(1),
        ).confidence_interval
        # two sets of 10000 draws differ in their 2.5 % quantiles by some hundredths of the interval's width
        assert (low, high) == pytest.approx(tuple(expected), abs=0.05 * (expected.high - expected.low))

    def test_the_p_value_is_that_of_all_possible_draws(self):
        """Four images: 256 equally likely draws can be listed."""
        change = np.array([-3.0, 1.0, -1.5, -0.25])
        means = np.array([change[list(draw)].mean() for draw in product(range(4), repeat=4)])
        expected = 2 * min((means <= 0).mean(), (means >= 0).mean())

        p = paired_bootstrap(change[:, None], np.ones(4))[0][2]

        assert p == pytest.approx(expected, abs=4 * math.sqrt(expected / 10_000))

    def test_the_smallest_p_value_is_two_in_the_number_of_draws(self):
        assert paired_bootstrap(np.full((5, 1), -1.0), np.ones(5), resamples=999) == [(-1, -1, 0.002)]

    def test_under_no_difference_about_five_percent_are_below_five_percent(self, rng):
        p = [paired_bootstrap(rng.normal(size=(60, 1)), np.ones(60), resamples=500)[0][2] for _ in range(300)]

        # binomial with 300 trials: standard deviation 1.3 points; the percentile interval is a little too short
        assert 0.02 < np.mean(np.array(p) < 0.05) < 0.10


class TestCompareRows:
    def test_a_comparison_is_as_worked_out_by_hand(self):
        head, a, b = compare_rows(FIRST, SECOND, thresholds=[1, 2]).summaries.to_dict("records")

        assert (pd.isna(head["landmark"]), a["landmark"], b["landmark"]) == (True, "a", "b")
        assert (head["images"], head["count"], head["found"]) == (3, 5, 4)
        assert (head["not_found_a"], head["not_found_b"]) == (0, 1)
        assert (head["mre_a"], head["mre_b"]) == (7 / 4, 5.5 / 4)  # without the landmark that one did not find
        assert head["difference"] == -1.5 / 4
        assert (head["better"], head["worse"]) == pytest.approx((200 / 3, 0))  # 1 and 3; 2 is equal
        assert (head["sdr_1_a"], head["sdr_1_b"], head["sdr_1_difference"]) == (40, 40, 0)  # <=
        assert (head["sdr_2_a"], head["sdr_2_b"], head["sdr_2_difference"]) == (60, 80, 20)
        assert (a["mre_a"], a["mre_b"], a["not_found_b"]) == (1.5, 2, 1)
        assert (b["mre_a"], b["mre_b"], b["difference"]) == (2, 0.75, -1.25)

    def test_strictly_below_a_threshold_leaves_out_what_equals_it(self):
        head = compare_rows(FIRST, SECOND, thresholds=[2], strict=True).summaries.iloc[0]

        assert (head["sdr_2_a"], head["sdr_2_b"]) == (40, 40)

    def test_equal_tables_do_not_differ(self, rng):
        rows = random_rows(rng)

        for summary in compare_rows(rows, rows).summaries.to_dict("records"):
            assert (summary["difference"], summary["low"], summary["high"], summary["p"]) == (0, 0, 0, 1)
            assert (summary["better"], summary["worse"]) == (0, 0)
            assert all((summary[f"sdr_{t}_difference"], summary[f"sdr_{t}_p"]) == (0, 1) for t in (2, 2.5, 3, 4))

    def test_an_error_that_grew_everywhere_is_detected(self, rng):
        rows = random_rows(rng)
        worse = [row | {"error": row["error"] + 0.25} for row in rows]

        head = compare_rows(rows, worse).summaries.iloc[0]

        assert (head["difference"], head["low"], head["high"]) == pytest.approx((0.25, 0.25, 0.25))
        assert (head["worse"], head["p"]) == (100, pytest.approx(2 / 10_001))

    def test_exchanging_the_tables_turns_every_sign(self, rng):
        first, second = random_rows(rng), random_rows(rng, shift=0.3)

        there, back = (compare_rows(*tables).summaries.iloc[0] for tables in ((first, second), (second, first)))

        assert there["difference"] == -back["difference"]
        assert (there["low"], there["high"]) == pytest.approx((-back["high"], -back["low"]))
        assert (there["better"], there["p"]) == (back["worse"], pytest.approx(back["p"]))

    def test_the_order_of_the_rows_says_nothing(self, rng):
        first, second = random_rows(rng), random_rows(rng)
        expected = compare_rows(first, second).summaries

        shuffled = [[rows[n] for n in rng.permutation(len(rows))] for rows in (first, second)]

        found = compare_rows(*shuffled).summaries
        pd.testing.assert_frame_equal(*(each.set_index("landmark").sort_index() for each in (found, expected)))

    def test_images_are_drawn_and_not_landmarks(self):
        """Equal differences within each image: as uncertain as with one landmark per image."""

        def tables(landmarks: int) -> list[list[dict[str, object]]]:
            keys = [(str(image), str(n)) for image in range(8) for n in range(landmarks)]
            return [rows_of({key: 1 + factor * int(key[0]) for key in keys}) for factor in (0, 1)]

        one, many = (compare_rows(*tables(landmarks)).summaries.iloc[0] for landmarks in (1, 20))

        assert (one["low"], one["high"]) == pytest.approx((many["low"], many["high"]))

    def test_what_one_table_lacks_is_listed(self):
        first = FIRST + rows_of({("4", "a"): 1.0, ("5", "a"): 1.0})
        second = SECOND + rows_of({("4", "a"): None, ("1", "c"): 1.0, ("9", "c"): None})

        comparison = compare_rows(first, second)

        assert comparison.only_a.to_dict("records") == [
            {"domain": "head", "case": case, "landmark": "a"} for case in "45"
        ]
        assert comparison.only_b.to_dict("records") == [{"domain": "head", "case": "1", "landmark": "c"}]
        assert comparison.summaries.iloc[0]["count"] == 5
        assert comparison_notes(comparison, names=["old", "new"])[2] == ("head 1: 1 annotated landmarks only in new: c")

    def test_another_reference_is_listed(self):
        point = {"reference_x": 5.0, "reference_y": 6.0}
        first = [row | point for row in FIRST]
        second = [row | point for row in SECOND]
        second[1] |= {"reference_y": 6.5}

        comparison = compare_rows(first, second)

        assert comparison.other_reference.to_dict("records") == [{"domain": "head", "case": "1", "landmark": "b"}]
        assert compare_rows(first, first).other_reference.empty

    def test_another_spacing_is_listed(self):
        """Points in the same pixels of a file that one evaluation took to be half as large."""
        first = [row | {"spacing_x": 0.5, "spacing_y": 0.5} for row in FIRST]
        second = [row | {"spacing_x": 0.5, "spacing_y": 0.25 if row["case"] == "2" else 0.5} for row in SECOND]

        comparison = compare_rows(first, second)

        assert comparison.other_reference.to_dict("records") == [{"domain": "head", "case": "2", "landmark": "a"}]
        notes = comparison_notes(comparison, names=["old", "new"])
        assert notes == ["head 2: 1 annotated landmarks compared, though reference or spacing differ: a"]

    def test_different_units_are_refused(self):
        with pytest.raises(
            ValueError, match=r"'a' of case '1' .* must have one unit in both tables; got 'mm' and 'px'"
        ):
            compare_rows(FIRST, [row | {"unit": "px"} for row in SECOND])

    def test_tables_of_different_cases_are_refused(self):
        with pytest.raises(ValueError, match="must share annotated landmarks to be compared; got none among 5 and 5"):
            compare_rows(FIRST, [row | {"case": f"other {row['case']}"} for row in SECOND])

    def test_one_image_has_a_difference_and_no_interval(self):
        head = compare_rows(FIRST[:2], SECOND[:2]).summaries.iloc[0]

        assert head["difference"] == -0.5
        assert all(math.isnan(head[key]) for key in ("low", "high", "p"))

    def test_where_nothing_was_found_by_both_only_rates_are_compared(self):
        lost = [row | {"error": math.inf} for row in FIRST]

        head = compare_rows(FIRST, lost, thresholds=[2]).summaries.iloc[0]

        assert (head["found"], head["not_found_b"], head["sdr_2_difference"]) == (0, 5, -60)
        assert all(math.isnan(head[key]) for key in ("mre_a", "mre_b", "difference", "low", "p", "better", "worse"))


def test_compared_curves_are_the_shares_of_all_landmarks_within_r():
    """The third landmark of "b" was not found and keeps its curve at two of three."""
    first, second = (rows_of({("1", n): e for n, e in zip("xyz", errors, strict=True)}) for errors in FOUND)

    (axes,) = draw_compared_curves(compare_rows(first, second), names=["$a", "b"]).axes

    a, b = (line.get_xydata() for line in axes.lines)
    end = 3.8  # the 95 % quantile of 1, 2 and 4
    np.testing.assert_allclose(a, [[0, 0], [1, 1 / 3], [2, 2 / 3], [end, 2 / 3]])
    np.testing.assert_allclose(b, [[0, 0], [0.5, 1 / 3], [3, 2 / 3], [end, 2 / 3]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [r"\$a", "b"]


def test_a_difference_is_drawn_with_its_interval_and_one_that_is_unknown_keeps_its_place():
    known = {"domain": "head", "unit": "mm", "landmark": "a", "difference": -0.5, "low": -0.75, "high": -0.25}
    unknown = known | {"landmark": "b", "difference": math.nan, "low": math.nan, "high": math.nan}

    (axes,) = draw_differences(pd.DataFrame([unknown, known]), names=["old", "new"]).axes

    drawn = [line.get_xydata().tolist() for line in axes.lines[1:]]  # after the line at zero
    assert drawn[1:] == [[[2, -0.75], [2, -0.25]], [[2, -0.5]]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b  1", "a  2"]
    with pytest.raises(ValueError, match="Differences must be of one domain and unit"):
        draw_differences(pd.DataFrame([known, known | {"unit": "px"}]), names=["old", "new"])


def test_a_comparison_is_written_whole(tmp_path: Path, rng):
    first, second = ([*random_rows(rng), *random_rows(rng, domain="<i>chest", landmarks=2)] for _ in range(2))
    comparison = compare_rows(first, second[:-1])

    path = write_comparison(tmp_path, comparison, names=["old", "new"], protocol={"Data": "test split"})

    pictures = {"compare_curves.png", "compare_head.png", "compare__i_chest.png"}
    found = {file.name for file in tmp_path.iterdir() if not file.name.startswith(".")}
    assert found == pictures | {"compare.md", "compare.html", "compare.csv", "compare.json"}
    for name in pictures:
        with Image.open(tmp_path / name) as picture:
            picture.verify()
        assert f"({name})" in path.read_text()
    lines = list(csv.DictReader((tmp_path / "compare.csv").read_text().splitlines()))
    assert [line["landmark"] for line in lines] == ["", "l0", "l1", "l2", "", "l0", "l1"]
    assert float(lines[0]["difference"]) == comparison.summaries.iloc[0]["difference"]
    assert float(lines[3]["sdr_2.5_low"]) == comparison.summaries["sdr_2.5_low"][3]
    content = json.loads((tmp_path / "compare.json").read_text())
    assert (content["names"], content["only_b"], len(content["only_a"])) == (["old", "new"], [], 1)
    assert "&lt;i>chest 11: 1 annotated landmarks only in old: l1" in path.read_text()
