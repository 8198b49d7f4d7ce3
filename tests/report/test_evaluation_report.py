# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from monai_gu2net.evaluation import Protocol, read_rows
from monai_gu2net.files import LeftOut
from monai_gu2net.report import write_report


def case_rows(case: str, errors: list[float | None], *, domain="head", unit="mm") -> list[dict[str, object]]:
    return [
        {
            "case": case,
            "domain": domain,
            "landmark": f"landmark {number}",
            "reference_x": None if error is None else 10.0 * number,
            "reference_y": None if error is None else 20.0,
            "predicted_x": 10.0 * number,
            "predicted_y": 20.0 + (error or 0) if error != np.inf else None,
            "error": error,
            "unit": unit,
            "spacing_source": "fixed" if unit == "mm" else "none",
        }
        for number, error in enumerate(errors, start=1)
    ]


@pytest.fixture
def image(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "image.png"
    Image.fromarray(rng.integers(0, 256, (50, 40), dtype=np.uint8)).save(path)
    return path


def linked_files(report: Path) -> set[str]:
    return set(re.findall(r"\]\(([^)]+)\)", report.read_text()))


def test_a_report_holds_all_its_tables_and_pictures(image, tmp_path):
    rows = [row for n in range(5) for row in case_rows(f"c{n}", [1.0 + n, 3.0])]
    rows += case_rows("p", [4.0], domain="chest", unit="px")
    images = {("head", f"c{n}"): image for n in range(5)} | {("chest", "p"): image}
    failures = [{"case": "f", "domain": "head", "reason": "the file is broken"}]

    report = write_report(
        tmp_path / "r", rows, images=images, protocol={"Ground truth": "junior"}, failures=failures, worst=2
    )

    files = {path.relative_to(tmp_path / "r").as_posix() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    files = {name for name in files if not name.startswith(".")}
    overlays = {f"overlays/{name}.png" for name in ("head_c4", "head_c3", "head_c2", "chest_p")}
    pictures = overlays | {"curves.png", "overlays.png", "per_landmark_head.png", "per_landmark_chest.png"}
    assert files == pictures | {
        *("report.md", "report.html", "landmarks.csv", "landmarks.parquet", "summary.csv", "summary.json")
    }
    assert linked_files(report.path) == pictures
    for name in pictures:
        with Image.open(tmp_path / "r" / name) as picture:
            picture.verify()
    text = report.path.read_text()
    assert "**Ground truth**: junior" in text
    assert "head f: the file is broken" in text
    assert "| head | mm | 5 | 10 | 0 | 3.00 |" in text
    assert "head: 10 annotated landmarks in 5 images; in mm, spacing from: fixed" in text
    assert "[head c4: worst 1, mean error 4.00 mm]" in text
    assert "[head c2: median, mean error 3.00 mm]" in text
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["failures"] == failures
    assert len((tmp_path / "r" / "landmarks.csv").read_text().splitlines()) == 12


def test_the_result_is_what_the_files_hold(tmp_path):
    failures = [{"case": "f", "domain": "head", "reason": "the file is broken"}]
    left_out = [LeftOut("case(s)", "9", "without landmarks")]
    rows = [row for n in range(3) for row in case_rows(f"c{n}", [1.0 + n, None if n else 3.0])]
    scoring = Protocol(left_out={"head": ["landmark 2"]})

    result = write_report(tmp_path, rows, images={}, scoring=scoring, failures=failures, left_out=left_out, worst=0)

    assert result.path == tmp_path / "report.md"
    for table, name in ((result.table, "landmarks"), (result.scored, "scored")):
        pd.testing.assert_frame_equal(read_rows(tmp_path / f"{name}.csv"), table)
        pd.testing.assert_frame_equal(read_rows(tmp_path / f"{name}.parquet"), table)
    assert (len(result.table), len(result.scored)) == (6, 3)
    assert result.by_domain[["domain", "count", "mre"]].values.tolist() == [["head", 3, 2.0]]
    written = json.loads((tmp_path / "summary.json").read_text())
    assert [summary["mre"] for summary in written["summaries"]] == result.summaries["mre"].tolist() == [2.0, 2.0]
    assert (written["failures"], result.failures, result.left_out) == (failures, failures, left_out)


def test_each_domain_has_the_columns_of_its_own_thresholds(tmp_path):
    rows = case_rows("a", [1.0]) + case_rows("b", [8.0], domain="chest", unit="px")
    scoring = Protocol(thresholds={"head": [2.0], "chest": [3.0, 9.0]})

    text = write_report(tmp_path, rows, images={}, scoring=scoring, worst=0).path.read_text()

    by_domain, head, chest = [line for line in text.splitlines() if "| Unit |" in line]
    assert by_domain.endswith("| SDR ≤ 2 | SDR ≤ 3 | SDR ≤ 9 |")
    assert head.endswith("| Median | SDR ≤ 2 |")
    assert chest.endswith("| Median | SDR ≤ 3 | SDR ≤ 9 |")
    written = json.loads((tmp_path / "summary.json").read_text())["summaries"]
    assert [summary["sdr"] for summary in written] == [{"2": 100}] * 2 + [{"3": 0, "9": 100}] * 2


def test_a_report_in_pixels_never_says_mm(image, tmp_path):
    rows = case_rows("p", [4.0, np.inf], domain="chest", unit="px")

    text = write_report(tmp_path / "r", rows, images={("chest", "p"): image}).path.read_text()

    assert not [line for line in text.splitlines() if "mm" in line]
    assert "chest p: worst 1, not all found" in text


def test_cases_without_reference_are_drawn_and_not_scored(image, tmp_path):
    rows = case_rows("a", [None, None]) + case_rows("b", [None, None])

    report = write_report(tmp_path / "r", rows, images={("head", c): image for c in "ab"}, worst=1)

    assert linked_files(report.path) == {"overlays.png", "overlays/head_a.png"}
    assert "| head | mm | 0 | 0 | 0 | - | - |" in report.path.read_text()
    assert json.loads((tmp_path / "r" / "summary.json").read_text())["summaries"][0]["mre"] is None


def test_a_run_in_which_every_case_failed_has_a_report(tmp_path):
    failures = [{"case": "1", "domain": "head", "reason": "no image"}]

    text = write_report(tmp_path / "r", [], images={}, failures=failures).path.read_text()

    assert "No case has a result." in text
    assert "head 1: no image" in text


def test_a_case_whose_image_is_missing_or_broken_is_said_and_the_rest_is_drawn(image, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    rows = [row for case, error in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)) for row in case_rows(case, [error])]
    images = {
        ("head", "a"): image,
        ("head", "b"): tmp_path / "broken.png",
        ("head", "c"): tmp_path / "none.png",
    }

    report = write_report(tmp_path / "r", rows, images=images)

    assert "overlays/head_a.png" in linked_files(report.path)
    problems = [line for line in report.path.read_text().splitlines() if "No picture" in line]
    assert [line[:9] for line in problems] == ["- head d:", "- head c:", "- head b:"]
    assert "the case has no image file" in problems[0]
    assert "none.png" in problems[1]
    assert "broken.png" in problems[2]


@pytest.mark.parametrize("cases", [["../../evil", "..", "/abs"], ["A_B", "a/b", "a b", "a_b"], ["x" * 300, "$1|"]])
def test_names_of_cases_are_never_paths(image, tmp_path, cases):
    rows = [row for n, case in enumerate(cases) for row in case_rows(case, [float(n)])]
    before = set(tmp_path.rglob("*"))

    report = write_report(tmp_path / "r", rows, images={("head", case): image for case in cases})

    overlays = [path for path in (tmp_path / "r" / "overlays").iterdir() if path.suffix == ".png"]
    assert len({path.name.casefold() for path in overlays}) == len(overlays) == len(cases)
    assert {f"overlays/{path.name}" for path in overlays} < linked_files(report.path)
    assert all(tmp_path / "r" in (path, *path.parents) for path in set(tmp_path.rglob("*")) - before)


def test_a_domain_with_two_units_has_a_section_for_each(image, tmp_path):
    rows = case_rows("a", [1.0]) + case_rows("b", [30.0], unit="px")

    report = write_report(tmp_path / "r", rows, images={("head", c): image for c in "ab"})

    assert {"per_landmark_head_mm.png", "per_landmark_head_px.png"} < linked_files(report.path)
    assert "b: worst 1, mean error 30.00 px" in report.path.read_text()


def test_without_worst_cases_none_is_drawn(image, tmp_path):
    rows = case_rows("a", [1.0]) + case_rows("b", [2.0])

    report = write_report(tmp_path / "r", rows, images={("head", c): image for c in "ab"}, worst=0)

    assert "## Cases" not in report.path.read_text()
    assert not (tmp_path / "r" / "overlays").exists()


def test_a_report_beside_an_earlier_one_has_the_pictures_of_its_own_cases_alone(image, tmp_path):
    rows = [row for n in range(5) for row in case_rows(f"c{n}", [1.0 + n, 3.0])]
    images = {("head", f"c{n}"): image for n in range(5)}
    write_report(tmp_path, rows, images=images, worst=2)
    (tmp_path / "overlays" / "mine.png").write_bytes(b"a picture of the user's")
    later = [{**row, "domain": "chest"} for row in rows if row["case"] in ("c0", "c1")]
    write_report(tmp_path, later, images={("chest", case): path for (_, case), path in images.items()}, worst=1)
    shown = {path.name for path in (tmp_path / "overlays").iterdir()}
    assert not any(name.startswith("head") for name in shown)
    assert "mine.png" in shown
    assert [path.name for path in tmp_path.glob("per_landmark_*")] == ["per_landmark_chest.png"]
    write_report(tmp_path, later, images={}, worst=0)
    assert [path.name for path in (tmp_path / "overlays").iterdir()] == ["mine.png"]
    assert not (tmp_path / "overlays.png").exists()
