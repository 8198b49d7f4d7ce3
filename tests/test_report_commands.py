# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist, Domain
from monai_gu2net.evaluation import ORIGINAL, Protocol, named_protocol, read_rows, rescore, summarize_rows, write_rows
from monai_gu2net.report import write_report

NAMES = ("a", "b")


@pytest.fixture
def evaluated(tmp_path: Path, rng: np.random.Generator) -> Path:
    """The report of two heads of 832x1024 pixels of 0.2 mm, as an evaluation leaves it."""
    rows = []
    for case in ("1", "2"):
        for name, point, shift in zip(NAMES, rng.random((2, 2)) * 800, rng.normal(0, 8, (2, 2)), strict=True):
            rows.append(
                {
                    "case": case,
                    "domain": "head",
                    "landmark": name,
                    "reference_x": point[0],
                    "reference_y": point[1],
                    "predicted_x": point[0] + shift[0],
                    "predicted_y": point[1] + shift[1],
                    "error": 0.2 * math.hypot(*shift),
                    "unit": "mm",
                    "spacing_source": "domain",
                    "image_x": 832,
                    "image_y": 1024,
                    "spacing_x": 0.2,
                    "spacing_y": 0.2,
                }
            )
    failures = [{"case": "3", "domain": "head", "reason": "broken"}]
    scoring = Protocol(ground_truth={"head": "junior"})
    write_report(tmp_path / "report", rows, images={}, scoring=scoring, protocol={"Model": "m"}, failures=failures)
    return tmp_path / "report" / "landmarks.csv"


def totals(folder: Path) -> dict[str, object]:
    return json.loads((folder / "summary.json").read_text())["summaries"][0]


def test_the_original_protocol_gives_the_numbers_of_the_evaluation(evaluated: Path, tmp_path: Path, capsys) -> None:
    assert main(["report", "rescore", str(evaluated), "-o", str(tmp_path / "again")]) == 0
    assert f"Wrote {tmp_path / 'again' / 'report.md'}" in capsys.readouterr().out
    assert totals(tmp_path / "again") == totals(evaluated.parent)
    assert not (tmp_path / "again" / "scored.csv").exists()


def test_the_papers_protocol_gives_the_numbers_that_evaluation_under_it_would(evaluated: Path, tmp_path: Path) -> None:
    out = tmp_path / "paper"
    assert main(["report", "rescore", str(evaluated), "--protocol", "paper", "-o", str(out)]) == 0
    expected = summarize_rows(rescore(read_rows(evaluated), named_protocol("paper"))).iloc[0]
    assert totals(out)["mre"] == pytest.approx(expected["mre"])
    assert totals(out)["mre"] != pytest.approx(totals(evaluated.parent)["mre"])
    pd.testing.assert_frame_equal(read_rows(out / "landmarks.csv"), read_rows(evaluated))
    errors = read_rows(out / "scored.csv")["error"]
    assert errors.tolist() == pytest.approx([0.46875 * math.sqrt(round((error / 0.46875) ** 2)) for error in errors])
    pd.testing.assert_frame_equal(read_rows(out / "scored.parquet"), read_rows(out / "scored.csv"))


def test_what_the_evaluation_said_is_said_again(evaluated: Path, tmp_path: Path) -> None:
    out = tmp_path / "strict"
    arguments = ["report", "rescore", str(evaluated), "--strict", "--leave-out", "head:b", "-o", str(out)]
    assert main(arguments) == 0
    content = json.loads((out / "summary.json").read_text())
    assert content["scoring"]["strict"] is True
    assert content["scoring"]["left_out"] == {"head": ["b"]}
    assert content["scoring"]["ground_truth"] == {"head": "junior"}
    assert content["failures"] == [{"case": "3", "domain": "head", "reason": "broken"}]
    assert totals(out)["count"] == 2
    text = (out / "report.md").read_text()
    assert "**Model**: m" in text
    assert "**Ground truth**: junior" in text
    assert "**Landmarks left out**: head: b" in text
    assert "SDR &lt; 2" in text


def test_a_datalist_adds_pictures_and_the_annotators_disagreement(evaluated: Path, tmp_path: Path) -> None:
    """Annotators 15 and 20 pixels apart along the axes: 25 pixels of 0.2 mm."""
    Image.new("L", (832, 1024)).save(tmp_path / "1.png")
    annotators = {"senior": [[100, 100], None], "junior": [[115, 120], None]}
    domain = Domain("head", NAMES, (416, 512), spacing=(0.2, 0.2))
    case = {"image": str(tmp_path / "1.png"), "case": "1", "annotators": annotators}
    path = Datalist("d", {"head": domain}, test=[case]).save(tmp_path / "d.json")
    out = tmp_path / "out"
    assert main(["report", "rescore", str(evaluated), "--datalist", str(path), "-o", str(out)]) == 0
    apart = {one["comparison"]: one for one in json.loads((out / "summary.json").read_text())["annotators"]}
    assert apart["senior against junior"]["mre"] == pytest.approx(5.0)
    assert apart["senior against junior"]["count"] == 1
    assert "Disagreement of the annotators" in (out / "report.md").read_text()
    assert (out / "overlays" / "head_1.png").is_file()


def test_a_datalist_adds_its_levels(evaluated: Path, tmp_path: Path) -> None:
    domain = Domain("head", NAMES, (416, 512), levels=tuple((name,) for name in NAMES))
    path = Datalist("d", {"head": domain}, test=[]).save(tmp_path / "d.json")
    for options, count in (([], 0), (["--datalist", str(path)], 1)):
        out = tmp_path / f"out{count}"
        assert main(["report", "rescore", str(evaluated), *options, "-o", str(out)]) == 0
        shifts = json.loads((out / "summary.json").read_text())["shifts"]
        assert [(each["domain"], each["levels"]) for each in shifts] == [("head", 4)] * count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--leave-out", "b"], "--leave-out must be DOMAIN:LANDMARK; got 'b'"),
        (["--leave-out", "head:c"], "left_out must name landmarks of domain 'head' among ['a', 'b']; got ['c']"),
        (["--leave-out", "hand:a"], "left_out must name domains among ['head']; got 'hand'"),
    ],
)
def test_what_is_left_out_must_be_in_the_table(
    evaluated: Path, tmp_path: Path, options: list[str], message: str, capsys
) -> None:
    assert main(["report", "rescore", str(evaluated), "-o", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_a_datalist_nothing_is_said_of_pictures(evaluated: Path, tmp_path: Path) -> None:
    assert main(["report", "rescore", str(evaluated), "-o", str(tmp_path / "out")]) == 0
    assert "## Cases" not in (tmp_path / "out" / "report.md").read_text()


def test_a_table_that_is_scored_already_is_refused(evaluated: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "paper"
    assert main(["report", "rescore", str(evaluated), "--protocol", "paper", "-o", str(out)]) == 0
    assert main(["report", "rescore", str(out / "scored.csv"), "-o", str(tmp_path / "again")]) == 2
    assert "which is scored already. Give the landmarks.csv beside it." in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_the_table_is_the_one_given_also_where_it_was_rescored_before(evaluated: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["report", "rescore", str(evaluated), "-o", str(first)]) == 0
    assert main(["report", "rescore", str(first / "landmarks.csv"), "-o", str(second)]) == 0
    assert json.loads((second / "summary.json").read_text())["protocol"]["Table"] == str(first / "landmarks.csv")


def test_a_report_over_an_earlier_one_leaves_none_of_its_tables(evaluated: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert main(["report", "rescore", str(evaluated), "--protocol", "paper", "-o", out]) == 0
    assert (tmp_path / "out" / "scored.csv").is_file()
    assert main(["report", "rescore", str(evaluated), "-o", out]) == 0
    assert not (tmp_path / "out" / "scored.csv").exists()


def test_a_broken_summary_is_named(evaluated: Path, tmp_path: Path, capsys) -> None:
    evaluated.with_name("summary.json").write_text("{")
    assert main(["report", "rescore", str(evaluated), "-o", str(tmp_path / "out")]) == 2
    assert f"error: {evaluated.with_name('summary.json')} must be JSON" in capsys.readouterr().err


@pytest.mark.parametrize("table", [".", "none.csv", "none.parquet"])
def test_a_table_that_is_no_file_is_an_error_in_plain_words(tmp_path: Path, table: str, capsys) -> None:
    assert main(["report", "rescore", str(tmp_path / table), "-o", str(tmp_path / "out")]) == 2
    assert f"error: A result table must be a file; got {str(tmp_path / table)!r}. Check" in capsys.readouterr().err


def test_a_table_without_summary_is_scored_all_the_same(evaluated: Path, tmp_path: Path) -> None:
    (evaluated.parent / "summary.json").unlink()
    assert main(["report", "rescore", str(evaluated), "-o", str(tmp_path / "out")]) == 0
    scoring = json.loads((tmp_path / "out" / "summary.json").read_text())["scoring"]
    assert scoring == json.loads(json.dumps(ORIGINAL.to_dict()))


class TestCompare:
    def test_two_reports_of_the_same_cases_are_compared(self, evaluated: Path, tmp_path: Path, capsys) -> None:
        table = read_rows(evaluated)
        better = write_rows(tmp_path / "better.csv", table.assign(error=table["error"] / 2))

        assert (
            main(
                [
                    "report",
                    "compare",
                    str(evaluated.parent),
                    str(better),
                    "-o",
                    str(tmp_path / "c"),
                    "--names",
                    "x",
                    "y",
                ]
            )
            == 0
        )

        shown = capsys.readouterr().out
        mean = totals(evaluated.parent)["mre"]
        assert f"| head | mm | 2 | 4 | 0 | 0 | {mean:.2f} | {mean / 2:.2f} | {-mean / 2:+.3f} | " in shown
        assert f"Wrote {tmp_path / 'c' / 'compare.md'}" in shown
        content = json.loads((tmp_path / "c" / "compare.json").read_text())
        assert content["summaries"][0]["difference"] == pytest.approx(-mean / 2)
        assert content["protocol"]["y"] == str(better)

    def test_reports_of_one_protocol_are_compared_under_it(self, evaluated: Path, tmp_path: Path, capsys) -> None:
        folder = str(tmp_path / "paper")
        assert main(["report", "rescore", str(evaluated), "-o", folder, "--protocol", "paper"]) == 0
        capsys.readouterr()

        assert main(["report", "compare", folder, folder]) == 0
        assert f"| {totals(Path(folder))['mre']:.2f} | " in capsys.readouterr().out
        assert main(["report", "compare", folder, str(evaluated.parent)]) == 0
        assert f"| {totals(evaluated.parent)['mre']:.2f} | " in capsys.readouterr().out

    def test_reports_that_share_thresholds_and_strictness_are_compared_with_them(self, tmp_path: Path, capsys) -> None:
        """An error of 3 pixels is no detection below 3."""
        row = {"case": "1", "domain": "chest", "landmark": "a", "error": 3.0, "unit": "px"}
        thresholds = {"chest": (3.0, 9.0)}
        for name, strict in (("a", True), ("b", True), ("c", False)):
            scoring = Protocol(strict=strict, thresholds=thresholds)
            write_report(tmp_path / name, [row], images={}, scoring=scoring)
        a, b, c = (str(tmp_path / name) for name in "abc")

        assert main(["report", "compare", a, b]) == 0
        shown = capsys.readouterr().out
        assert "Detected: below the threshold" in shown
        assert "| chest | 3 px | 0.0 | 0.0 |" in shown
        assert "| chest | 9 px | 100.0 | 100.0 |" in shown
        assert main(["report", "compare", a, b, "--thresholds", "4"]) == 0
        assert "| chest | 4 px | 100.0 | 100.0 |" in capsys.readouterr().out
        assert main(["report", "compare", a, c]) == 0
        shown = capsys.readouterr().out
        assert "Detected: up to the threshold" in shown
        assert "| chest | 3 px | 100.0 | 100.0 |" in shown

    def test_what_only_one_has_is_listed(self, evaluated: Path, tmp_path: Path, capsys) -> None:
        part = write_rows(tmp_path / "part.csv", read_rows(evaluated)[1:])

        assert main(["report", "compare", str(part), str(evaluated)]) == 1
        assert capsys.readouterr().err == "differs: head 1: 1 annotated landmarks only in B: a\n"

    def test_a_folder_without_a_table_is_an_error(self, evaluated: Path, tmp_path: Path, capsys) -> None:
        assert main(["report", "compare", str(evaluated), str(tmp_path)]) == 2
        assert "error: A result table must be a file" in capsys.readouterr().err

    def test_names_must_differ(self, evaluated: Path, capsys) -> None:
        assert main(["report", "compare", str(evaluated), str(evaluated), "--names", "a", "a"]) == 2
        assert "error: --names must be two different names" in capsys.readouterr().err
