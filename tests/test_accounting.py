# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever is read is accounted for: what the commands print, refuse and write of truth that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Domain
from monai_gu2net.networks import GU2Net, ModelCard, save_model

WIDTH, HEIGHT = 32, 48
INSIDE, OUTSIDE = [5.0, 6.0], [40.0, 6.0]
KNEE = {"landmarks": ["a", "b"], "size": [WIDTH, HEIGHT]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of one domain."""
    network = GU2Net(2, 1, {"knee": 2}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"knee": Domain.from_dict("knee", KNEE)}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.arange(WIDTH * HEIGHT, dtype=np.uint32).reshape(HEIGHT, WIDTH) % 251
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def datalist(folder: Path, points: list[Any], *, split: str = "test", **more: Any) -> Path:
    """A hand-written datalist of a case for each pair of points."""
    cases = [{"image": picture(folder / f"{n}.png").name, "landmarks": pair} for n, pair in enumerate(points)]
    path = folder / "own.json"
    path.write_text(json.dumps({"domains": {"knee": KNEE}, split: cases, **more}))
    return path


def table(folder: Path, lines: list[str], header: str = "image,a_x,a_y,b_x,b_y") -> Path:
    for line in lines:
        picture(folder / line.split(",")[0])
    (folder / "landmarks.csv").write_text("\n".join([header, *lines]) + "\n")
    return folder


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("monai_gu2net")]


class TestLandmarksOutsideOfTheImage:
    """Of 4 cases with two landmarks each, 3 landmarks lie outside: 37.5 percent."""

    POINTS = [[INSIDE, INSIDE], [INSIDE, OUTSIDE], [OUTSIDE, OUTSIDE], [INSIDE, None]]

    def test_prepare_refuses_them_and_says_how_to_allow_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = ["1.png,5,6,5,6", "2.png,5,6,40,6", "3.png,40,6,40,6", "4.png,5,6,,"]
        folder, out = table(tmp_path / "knee", lines), tmp_path / "out.json"
        assert main(["prepare", str(folder), "-o", str(out)]) == 2
        refused = capsys.readouterr().err
        assert "but for a share of 0.05; got 3 of 7 outside (knee 2: b, knee 3: a, knee 3: b)" in refused
        assert "--allow-outside 0.43" in refused
        assert not out.exists()
        assert main(["prepare", str(folder), "-o", str(out), "--allow-outside", "0.43"]) == 0
        said = capsys.readouterr().err
        assert "3 landmark(s) left out, outside the image: knee 2: b, knee 3: a, knee 3: b\n" in said
        content = json.loads(out.read_text())
        cases = {case["case"]: case for split in ("training", "validation", "test") for case in content[split]}
        assert cases["2"]["landmarks"] == [[5.0, 6.0], None]
        assert {name: case.get("outside") for name, case in cases.items()} == {
            "1": None,
            "2": ["b"],
            "3": ["a", "b"],
            "4": None,
        }

    def test_evaluate_refuses_them_or_counts_them_in_its_report(
        self, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        path, out = datalist(tmp_path, self.POINTS), tmp_path / "report"
        command = ["evaluate", "-m", str(model), "--datalist", str(path), "-o", str(out)]
        assert main(command) == 2
        assert "got 3 of 7 outside" in capsys.readouterr().err
        assert main([*command, "--allow-outside", "0.5"]) == 0
        line = "3 landmark(s) left out, outside the image: knee 1: b, knee 2: a, knee 2: b"
        assert line in warned(caplog)
        assert f"## Left out\n\n- {line}\n" in (out / "report.md").read_text()
        assert "outside the image" in (out / "report.html").read_text()
        summary = json.loads((out / "summary.json").read_text())
        assert [item["name"] for item in summary["left_out"][:3]] == ["knee 1: b", "knee 2: a", "knee 2: b"]
        assert summary["summaries"][0]["count"] == 4
        again = tmp_path / "again"
        assert main(["report", "rescore", str(out / "landmarks.csv"), "--protocol", "paper", "-o", str(again)]) == 0
        assert line in (again / "report.md").read_text()

    def test_calibrate_refuses_them_or_says_them(
        self, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        path = datalist(tmp_path, self.POINTS, split="validation")
        command = ["calibrate", "-m", str(model), "--datalist", str(path), "-o", str(tmp_path / "new.pt")]
        assert main(command) == 2
        assert "got 3 of 7 outside" in capsys.readouterr().err
        assert main([*command, "--allow-outside", "1"]) == 0
        assert any("3 landmark(s) left out, outside the image" in line for line in warned(caplog))

    def test_add_domain_refuses_them_before_it_trains(
        self, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = datalist(tmp_path, self.POINTS, split="training")
        content = json.loads(path.read_text())
        content["domains"] = {"elbow": KNEE}
        content["validation"] = [{"image": picture(tmp_path / "v.png").name, "landmarks": [INSIDE, INSIDE]}]
        path.write_text(json.dumps(content))
        assert main(["add-domain", "-m", str(model), "--datalist", str(path), "-o", str(tmp_path / "new")]) == 2
        assert "Landmarks of domain 'elbow' must lie inside of their images" in capsys.readouterr().err
        assert not (tmp_path / "new").exists()

    def test_what_prepare_was_told_to_allow_is_counted_again_but_not_asked_again(
        self, model: Path, tmp_path: Path
    ) -> None:
        path, prepared = datalist(tmp_path, self.POINTS), tmp_path / "prepared.json"
        assert main(["prepare", str(path), "-o", str(prepared), "--allow-outside", "1"]) == 0
        out = tmp_path / "report"
        assert main(["evaluate", "-m", str(model), "--datalist", str(prepared), "-o", str(out)]) == 0
        assert "- 3 landmark(s) left out, outside the image: " in (out / "report.md").read_text()

    def test_a_few_are_let_through_by_themselves(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        points = [[INSIDE, INSIDE] for _ in range(10)]
        points[3] = [INSIDE, OUTSIDE]  # 1 of 20, the default share
        assert main(["prepare", str(datalist(tmp_path, points)), "-o", str(tmp_path / "out.json")]) == 0
        assert capsys.readouterr().err == "1 landmark(s) left out, outside the image: knee 3: b\n"


def test_what_prepare_left_out_stands_in_later_reports(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line whose image is gone, an image without a line, and a column whose name is misspelt."""
    lines = ["1.png,p,5,6,5,6", "2.png,q,5,6,5,6", "3.png,r,5,6,5,6"]
    folder = table(tmp_path / "knee", lines, header="image,pateint,a_x,a_y,b_x,b_y")
    (folder / "2.png").rename(folder / "stray.png")
    prepared, out = tmp_path / "out.json", tmp_path / "report"
    assert main(["prepare", str(folder), "-o", str(prepared), "--validation", "0", "--test", "1"]) == 0
    said = [
        "1 line(s) left out, its image is not there: landmarks.csv line 3 (2.png)",
        "1 image(s) left out, it has no line in landmarks.csv: stray.png",
        "1 column(s) left out, unknown; did you mean 'patient'?: pateint",
    ]
    assert capsys.readouterr().err.splitlines() == said
    assert main(["evaluate", "-m", str(model), "--datalist", str(prepared), "-o", str(out)]) == 0
    report = (out / "report.md").read_text()
    assert all(f"- {line}\n" in report for line in said)


def test_of_several_sources_the_folder_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("knee", "hip"):
        picture(table(tmp_path / name, ["1.png,5,6,5,6"]) / f"stray_{name}.png")
    assert main(["prepare", str(tmp_path / "knee"), str(tmp_path / "hip"), "-o", str(tmp_path / "all.json")]) == 0
    assert capsys.readouterr().err == (
        "2 image(s) left out, it has no line in landmarks.csv: knee/stray_knee.png, hip/stray_hip.png\n"
    )


def test_a_missing_image_is_one_failed_case_of_an_evaluation(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = datalist(tmp_path, [[INSIDE, INSIDE]] * 3), tmp_path / "report"
    (tmp_path / "1.png").unlink()
    assert main(["evaluate", "-m", str(model), "--datalist", str(path), "-o", str(out)]) == 1
    assert "failed: knee 1: The image must be a file; got '1.png', which is not there." in capsys.readouterr().err
    assert json.loads((out / "summary.json").read_text())["summaries"][0]["images"] == 2


def test_cases_without_landmarks_are_named_by_an_evaluation(model: Path, tmp_path: Path) -> None:
    path, out = datalist(tmp_path, [[INSIDE, INSIDE], None, [None, None]]), tmp_path / "report"
    assert main(["evaluate", "-m", str(model), "--datalist", str(path), "-o", str(out)]) == 0
    assert "- 2 case(s) left out, without landmarks: knee 1, knee 2\n" in (out / "report.md").read_text()


def test_predict_says_which_files_of_a_folder_are_no_images(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "deeper" / "b.png")
    (tmp_path / "in" / "c.gif").write_bytes(b"GIF89a")
    assert main(["predict", str(tmp_path / "in"), "-m", str(model), "-o", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert "1 file(s) left out, no image of a known kind: c.gif\n" in shown.err
    assert "1 picture(s) left out, it lies in a folder within: deeper/b.png\n" in shown.err
    assert "Wrote 2 landmarks of 1 image(s)" in shown.out


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", ""), ("utf-8", "\ufeff"), ("utf-16-le", "\ufeff"), ("utf-16-be", "\ufeff"), ("utf-32-le", "\ufeff")],
)
def test_text_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str, mark: str) -> None:
    own = datalist(tmp_path, [[INSIDE, INSIDE]])
    folder = table(tmp_path / "hip", ["1.png,5,6,5,6"])
    for path in (own, folder / "landmarks.csv"):
        path.write_bytes((mark + path.read_text()).encode(encoding))
    out = tmp_path / "out.json"
    assert main(["prepare", str(own), str(folder), "-o", str(out)]) == 0
    assert {domain: each["landmarks"] for domain, each in json.loads(out.read_text())["domains"].items()} == {
        "knee": ["a", "b"],
        "hip": ["a", "b"],
    }


def test_an_unknown_field_of_a_datalist_names_the_nearest_known_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = datalist(tmp_path, [[INSIDE, INSIDE]], val=[])
    assert main(["prepare", str(path), "-o", str(tmp_path / "out.json")]) == 2
    shown = capsys.readouterr().err
    assert "own.json: a datalist must have fields among" in shown
    assert "got ['val']. Did you mean 'validation'?" in shown


def test_a_domain_that_the_split_lacks_is_named(model: Path, tmp_path: Path) -> None:
    network = GU2Net(2, 1, {"knee": 2, "hip": 2}, features=(4, 8), global_features=4, dilations=(1, 2))
    known = {name: Domain.from_dict(name, KNEE) for name in ("knee", "hip")}
    both = save_model(tmp_path / "both.pt", network, ModelCard(known, network.description))
    path, out = datalist(tmp_path, [[INSIDE, INSIDE]]), tmp_path / "report"
    content = json.loads(path.read_text())
    content["domains"]["hip"] = KNEE
    content["test"][0]["domain"] = "knee"
    path.write_text(json.dumps(content))
    assert main(["evaluate", "-m", str(both), "--datalist", str(path), "-o", str(out)]) == 0
    assert "- 1 domain(s) left out, without a case here: hip\n" in (out / "report.md").read_text()


def test_options_of_folders_are_refused_for_datalists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing would be drawn from the datalist for validation."""
    path = datalist(tmp_path, [[INSIDE, INSIDE]])
    assert main(["prepare", str(path), "-o", str(tmp_path / "out.json"), "--validation", "0.5", "--draw-test"]) == 2
    assert "--validation, --draw-test must be given with a dataset folder; got" in capsys.readouterr().err


def test_what_datalists_say_of_their_origin_is_kept(tmp_path: Path) -> None:
    one = datalist(tmp_path / "one", [[INSIDE, INSIDE]], origin={"by": "us"}, name="first")
    two = datalist(tmp_path / "two", [[INSIDE, INSIDE]], name="second", origin={"by": "them"})
    two.write_text(two.read_text().replace("knee", "hip"))
    out = tmp_path / "out.json"
    assert main(["prepare", str(one), "-o", str(out)]) == 0
    assert json.loads(out.read_text())["origin"] == {"by": "us"}
    assert main(["prepare", str(one), str(two), "-o", str(out)]) == 0
    assert json.loads(out.read_text())["origin"] == {"first": {"by": "us"}, "second": {"by": "them"}}
