# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from monai_gu2net import __version__
from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.networks import GU2Net, ModelCard, save_model


@pytest.fixture(scope="module")
def model(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of the phantom's domains."""
    data = Datalist.load(tiny_phantom)
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard(dict(data.domains), network.description, provenance={"data": "phantom"})
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture
def head_image(tiny_phantom: Path) -> Path:
    return Path(next(case["image"] for case in Datalist.load(tiny_phantom).test if case["domain"] == "head"))


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["prepare"],
        ["evaluate"],
        ["predict"],
        ["dicomweb"],
        ["listen"],
        ["calibrate"],
        ["add-domain"],
        ["export"],
        ["label"],
        ["info"],
        ["report"],
        ["report", "rescore"],
        ["report", "compare"],
    ],
)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main([*command, "--help"])
    shown = capsys.readouterr().out
    assert " ".join(["usage: monai_gu2net", *command]) in shown
    assert "options:" in shown


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__


def test_a_command_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([])
    assert "COMMAND" in capsys.readouterr().err


class TestInfo:
    def test_domains_and_landmarks_are_shown(self, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["info", str(model)]) == 0
        shown = capsys.readouterr().out
        for name, domain in ModelCard.load(model).domains.items():
            size = f"input {domain.size[0]} x {domain.size[1]}"
            assert f"{name}: {len(domain.landmarks)} landmarks, {size}, targets with sigma 3 px, unit" in shown
            assert ", ".join(domain.landmarks) in shown
        assert "data: phantom" in shown

    def test_json_holds_the_whole_card(self, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["info", str(model), "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert ModelCard.from_state_dict(shown) == ModelCard.load(model)

    def test_a_missing_checkpoint_is_an_error(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["info", str(tmp_path / "none.pt")]) == 2
        assert "error: The checkpoint must be a file" in capsys.readouterr().err


class TestPredict:
    def test_a_corrupt_image_is_listed_and_the_good_one_done(
        self, model: Path, head_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        corrupt = tmp_path / "corrupt.png"
        corrupt.write_bytes(head_image.read_bytes()[:200])
        out = tmp_path / "out"
        arguments = ["predict", str(head_image), str(corrupt), "-m", str(model), "-o", str(out), "--domain", "head"]
        assert main(arguments) == 1
        listed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed:")]
        assert len(listed) == 1
        assert "corrupt.png" in listed[0]
        stem = head_image.stem
        expected = {
            f"{stem}.json",
            f"{stem}.csv",
            f"{stem}.mrk.json",
            f"{stem}.png",
            "landmarks.csv",
            "landmarks.parquet",
            "measurements.csv",
        }
        assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == expected
        names = ModelCard.load(model).domains["head"].landmarks
        assert read_landmarks(out / f"{stem}.json").names == names
        with Image.open(out / f"{stem}.png") as overlay:
            overlay.load()
            assert overlay.mode == "RGB"

    def test_a_folder_of_images_is_all_done(
        self, model: Path, head_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        images = tmp_path / "images"
        images.mkdir()
        (images / "notes.txt").write_text("no image")
        for name in ("a.png", "b.png"):
            (images / name).write_bytes(head_image.read_bytes())
        out = tmp_path / "out"
        options = ["--domain", "head", "--spacing", "0.5,0.25", "--formats", "json"]
        assert main(["predict", str(images), "-m", str(model), "-o", str(out), *options]) == 0
        assert {path.name for path in out.glob("*.json")} == {"a.json", "b.json"}
        landmark = json.loads((out / "a.json").read_text())["landmarks"][0]
        assert (landmark["x_mm"], landmark["y_mm"]) == pytest.approx((landmark["x"] * 0.5, landmark["y"] * 0.25))
        said = capsys.readouterr().out
        assert "Wrote 38 landmarks of 2 image(s)" in said
        assert f"Ran on PyTorch {torch.__version__}, float32" in said

    def test_an_overlay_never_replaces_an_image(
        self, model: Path, head_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        image = tmp_path / "a.png"
        image.write_bytes(head_image.read_bytes())
        arguments = ["predict", str(image), "-m", str(model), "-o", str(tmp_path), "--domain", "head"]
        assert main(arguments) == 2
        assert "error: An overlay must not replace the image that it is of; a.png" in capsys.readouterr().err
        assert image.read_bytes() == head_image.read_bytes()
        assert list(tmp_path.iterdir()) == [image]

    def test_landmarks_that_are_not_found_do_not_count(
        self, model: Path, head_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["predict", str(head_image), "-m", str(model), "-o", str(tmp_path), "--domain", "head"]
        assert main([*arguments, "--min-confidence", "1"]) == 0
        assert "Wrote 0 landmarks of 1 image(s)" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("option", "value"), [("--min-confidence", "7"), ("--min-confidence", "high"), ("--spacing", "0.1x0.1")]
    )
    def test_a_number_that_is_none_is_refused(
        self, model: Path, head_image: Path, tmp_path: Path, option: str, value: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["predict", str(head_image), "-m", str(model), "-o", str(tmp_path), option, value])
        assert f"argument {option}: must be" in capsys.readouterr().err

    def test_nothing_but_corrupt_images_is_an_error(
        self, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        corrupt = tmp_path / "corrupt.png"
        corrupt.write_text("no image")
        arguments = ["predict", str(corrupt), "-m", str(model), "-o", str(tmp_path / "out"), "--domain", "head"]
        assert main(arguments) == 2
        assert "corrupt.png" in capsys.readouterr().err

    @pytest.mark.parametrize("options", [[], ["--domain", "spine"]])
    def test_a_domain_the_model_lacks_is_an_error_that_names_those_it_has(
        self,
        model: Path,
        head_image: Path,
        tmp_path: Path,
        options: list[str],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(["predict", str(head_image), "-m", str(model), "-o", str(tmp_path), *options]) == 2
        shown = capsys.readouterr().err
        assert "error: The domain must be one of" in shown
        assert all(repr(name) in shown for name in ModelCard.load(model).domains)

    @pytest.mark.parametrize("spacing", ["0", "-1", "1,2,3,4", "1,2,0"])
    def test_a_spacing_that_is_none_is_refused(
        self, model: Path, spacing: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["predict", "a.png", "-m", str(model), "-o", "out", f"--spacing={spacing}"])
        assert "must be one, two or three positive numbers" in capsys.readouterr().err


class TestEvaluate:
    def test_a_report_is_written_and_its_table_shown(
        self, model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["evaluate", "-m", str(model), "-o", str(tmp_path), "--datalist", str(tiny_phantom)]
        assert main([*arguments, "--domains", "head", "hand", "--worst", "1"]) == 0
        shown = capsys.readouterr().out
        table = [line for line in shown.splitlines() if line.startswith("|")]
        assert "head" in "".join(table)
        assert "hand" in "".join(table)
        assert f"Wrote {tmp_path / 'report.md'}" in shown
        assert all(line in (tmp_path / "report.md").read_text() for line in table)
        summaries = json.loads((tmp_path / "summary.json").read_text())["summaries"]
        assert {summary["domain"] for summary in summaries} == {"head", "hand"}

    def test_a_case_that_cannot_be_read_is_listed(
        self, model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = Datalist.load(tiny_phantom).only(["head"])
        corrupt = tmp_path / "corrupt.png"
        corrupt.write_text("no image")
        data.test[0] = {**data.test[0], "image": str(corrupt), "case": "broken"}
        data.save(tmp_path / "datalist.json")
        arguments = ["evaluate", "-m", str(model), "-o", str(tmp_path / "out"), "--worst", "0"]
        assert main([*arguments, "--datalist", str(tmp_path / "datalist.json")]) == 1
        assert "failed: head broken: " in capsys.readouterr().err

    def test_nothing_but_cases_that_cannot_be_read_is_an_error(
        self, model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = Datalist.load(tiny_phantom).only(["head"])
        (tmp_path / "corrupt.png").write_text("no image")
        data.test[:] = [{**case, "image": str(tmp_path / "corrupt.png")} for case in data.test]
        path = data.save(tmp_path / "datalist.json")
        assert main(["evaluate", "-m", str(model), "-o", str(tmp_path / "out"), "--datalist", str(path)]) == 2
        assert capsys.readouterr().err.count("failed: head ") == len(data.test)
        assert "No case has a result." in (tmp_path / "out" / "report.md").read_text()

    def test_another_annotator_is_scored_against_and_cases_without_are_listed(
        self, model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The other annotator's points lie 3 pixels right of and 4 below those of the phantom."""
        data = Datalist.load(tiny_phantom).only(["head", "chest"])
        first, second = (case for case in data.test if case["domain"] == "head")
        moved = [point and [point[0] + 3, point[1] + 4] for point in first["landmarks"]]
        first["annotators"] = {"phantom": first["landmarks"], "other": moved}
        second["annotators"] = {"phantom": second["landmarks"]}
        path = data.save(tmp_path / "datalist.json")
        arguments = ["evaluate", "-m", str(model), "--datalist", str(path), "--worst", "0"]
        assert main([*arguments, "-o", str(tmp_path / "a"), "--protocol", "paper"]) == 0
        assert main([*arguments, "-o", str(tmp_path / "b"), "--annotator", "other"]) == 1
        assert f"failed: head {second['case']}: annotator 'other' has no" in capsys.readouterr().err
        paper, other = (json.loads((tmp_path / name / "summary.json").read_text()) for name in "ab")
        assert other["scoring"]["ground_truth"] == {"head": "other"}
        apart = {one["comparison"]: one["mre"] for one in other["annotators"]}
        spacing = first["spacing"]
        expected = (9 * spacing[0] ** 2 + 16 * spacing[1] ** 2) ** 0.5
        assert apart["other against the ground truth"] == pytest.approx(0, abs=1e-9)
        assert apart["phantom against other"] == pytest.approx(expected)
        chest = [s["mre"] for s in other["summaries"] if (s["domain"], s["landmark"]) == ("chest", None)]
        assert len(chest) == 1
        assert paper["scoring"]["name"] == "paper"
        assert {s["domain"]: s["unit"] for s in paper["summaries"]} == {"head": "mm", "chest": "px"}
        report = (tmp_path / "b" / "report.md").read_text()
        assert "**Ground truth**: head: other; chest: as in the datalist" in report
        assert "**Seed of the training**: not recorded" in report

    def test_a_landmark_to_leave_out_that_is_not_there_is_an_error(
        self, model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["evaluate", "-m", str(model), "-o", str(tmp_path / "out"), "--datalist", str(tiny_phantom)]
        assert main([*arguments, "--leave-out", "head:chin"]) == 2
        assert "error: left_out must name landmarks of domain 'head'" in capsys.readouterr().err

    def test_an_empty_split_is_an_error(
        self, model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = Datalist.load(tiny_phantom).only(["head"])
        data.test.clear()
        path = data.save(tmp_path / "datalist.json")
        assert main(["evaluate", "-m", str(model), "-o", str(tmp_path), "--datalist", str(path)]) == 2
        assert "error: Split 'test'" in capsys.readouterr().err


def make_head(folder: Path, numbers: list[int]) -> Path:
    """The ISBI 2015 layout: 19 points and 8 classes of two annotators."""
    for number in numbers:
        (folder / "raw").mkdir(parents=True, exist_ok=True)
        Image.new("L", (60, 75)).save(folder / "raw" / f"{number:03d}.png")
        for annotator in ("400_senior", "400_junior"):
            (folder / annotator).mkdir(exist_ok=True)
            lines = [f"{n},{2 * n}" for n in range(19)] + ["1"] * 8
            (folder / annotator / f"{number:03d}.txt").write_text("\n".join(lines) + "\n")
    return folder


class TestPrepare:
    @pytest.mark.parametrize(
        ("spacings", "unit"),
        [
            (["0.07,0.07", "0.1,0.2", "0.12,0.12"], "mm"),
            (["0.07,0.07", ",", ","], "mm; px of 2 without spacing"),
            ([",", ",", ","], "px"),
        ],
    )
    def test_the_unit_is_that_of_the_cases_own_spacings(
        self, spacings: list[str], unit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "heads"
        folder.mkdir()
        lines = ["image,patient,spacing_x_mm,spacing_y_mm,ofd_a_x,ofd_a_y"]
        for number, spacing in enumerate(spacings):
            Image.new("L", (60, 75)).save(folder / f"{number}.png")
            lines.append(f"{number}.png,{number},{spacing},{10 + number},20")
        (folder / "landmarks.csv").write_text("\n".join(lines) + "\n")
        options = ["-o", str(tmp_path / "d.json"), "--test", "1", "--validation", "1"]
        assert main(["prepare", str(folder), *options]) == 0
        said = capsys.readouterr()
        assert f"heads: 1 landmarks, 1 training, 1 validation, 1 test, unit {unit}\n" in said.out
        assert "left out" not in said.err

    def test_a_known_layout_becomes_a_datalist(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        source = make_head(tmp_path / "source", [1, 2, 3, 4, 151])
        out = tmp_path / "mix" / "datalist.json"
        options = ["--size", "104x128", "--spacing", "0.3", "--validation", "1", "--domain", "ceph"]
        assert main(["prepare", str(source), "-o", str(out), *options]) == 0
        assert "ceph: 19 landmarks, 3 training, 1 validation, 1 test, unit mm" in capsys.readouterr().out
        data = Datalist.load(out)
        assert data.name == "mix"
        assert data.domains["ceph"].size == (104, 128)
        assert [case["case"] for case in data.test] == ["151"]

    def test_datalists_are_merged(self, tmp_path: Path, tiny_phantom: Path) -> None:
        source = make_head(tmp_path / "source", [1, 151])
        first, merged = tmp_path / "ceph.json", tmp_path / "merged" / "all.json"
        assert main(["prepare", str(source), "-o", str(first), "--domain", "ceph"]) == 0
        assert main(["prepare", str(first), str(tiny_phantom), "-o", str(merged), "--name", "both"]) == 0
        data, phantom = Datalist.load(merged), Datalist.load(tiny_phantom)
        assert data.name == "both"
        assert list(data.domains) == ["ceph", *phantom.domains]
        assert len(data.training) == 1 + len(phantom.training)
        assert all(Path(case["image"]).is_file() for case in [*data.training, *data.validation, *data.test])

    def test_domains_of_one_name_are_not_merged(self, tiny_phantom: Path, tmp_path: Path, capsys) -> None:
        assert main(["prepare", str(tiny_phantom), str(tiny_phantom), "-o", str(tmp_path / "all.json")]) == 2
        assert "error: Datasets to be merged must be of different domains; got ['chest'" in capsys.readouterr().err
        assert not (tmp_path / "all.json").exists()

    def test_an_unknown_folder_is_an_error_that_shows_the_layouts(self, tmp_path: Path, capsys) -> None:
        assert main(["prepare", str(tmp_path), "-o", str(tmp_path / "all.json")]) == 2
        assert "400_senior" in capsys.readouterr().err

    def test_as_many_images_of_the_phantoms_domains_as_asked_for_are_drawn(self, tmp_path: Path, capsys) -> None:
        options = ["--images", "3", "--domains", "chest", "head", "--seed", "3"]
        assert main(["prepare", "phantom", "-o", str(tmp_path), *options]) == 0
        assert f"Wrote {tmp_path / 'datalist.json'}" in capsys.readouterr().out
        data = Datalist.load(tmp_path / "datalist.json")
        assert (list(data.domains), data.origin["seed"]) == (["chest", "head"], 3)
        for split in ("training", "validation", "test"):
            assert [case["domain"] for case in data.cases(split)] == ["chest", "head"]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["phantom", "--images", "0"], "Phantom images must be at least 1 of each domain; got 0"),
            (["phantom", "--domains", "knee"], r"Phantom domains must be some of head, hand, chest, spine"),
            (["phantom", "--size", "8x8"], "--size must be given with a dataset folder; got ['phantom']"),
            ([".", "--images", "3", "--domains", "head"], "--images, --domains must be given with 'phantom' alone"),
        ],
    )
    def test_options_that_do_not_fit_the_phantom_or_another_source_are_refused(
        self, options: list[str], message: str, tmp_path: Path, capsys
    ) -> None:
        assert main(["prepare", *options, "-o", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_an_interrupt_says_what_stays(model: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "load", interrupted)
    assert main(["info", str(model)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_calibrated_model_says_so_and_is_written_beside_the_first(
    model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.pt"
    arguments = ["calibrate", "-m", str(model), "-m", str(model), "--tta", "2", "-o", str(new)]
    assert main([*arguments, "--datalist", str(tiny_phantom), "--domains", "head"]) == 0
    landmarks = len(ModelCard.load(model).domains["head"].landmarks)
    line = f"head: calibrated by {landmarks} landmarks of 1 images, test-time augmentation 2, 2 model(s)"
    assert line in capsys.readouterr().out
    assert main(["info", str(new)]) == 0
    assert line in capsys.readouterr().out
    assert ModelCard.load(model).calibration == {}


def test_calibrating_lists_the_cases_that_cannot_be_read(
    model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Datalist.load(tiny_phantom).only(["head"])
    (tmp_path / "torn.png").write_text("no image")
    torn = {**data.validation[0], "image": str(tmp_path / "torn.png"), "case": "torn", "patient": "torn"}
    path = Datalist("torn", data.domains, validation=[torn, *data.validation]).save(tmp_path / "data.json")
    arguments = ["calibrate", "-m", str(model), "--datalist", str(path), "-o", str(tmp_path / "new.pt")]
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert "failed: head torn: torn.png must be a whole picture" in shown.err
    assert f"Wrote {tmp_path / 'new.pt'}" in shown.out


def test_calibrating_by_folds_takes_their_own_data_and_models(
    model: Path, tiny_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Datalist.load(tiny_phantom).only(["head"])
    for fold in range(2):
        (tmp_path / f"fold{fold}").mkdir()
        shutil.copy(model, tmp_path / f"fold{fold}" / "model.pt")
        part = Datalist(f"fold {fold}", data.domains, test=data.training[fold::2])
        part.save(tmp_path / f"fold{fold}" / "datalist.json")
    folds = [str(tmp_path / f"fold{fold}") for fold in range(2)]
    assert main(["calibrate", "-m", str(model), "--folds", *folds, "-o", str(tmp_path / "new.pt")]) == 0
    shown = capsys.readouterr().out
    assert f"of {len(data.training)} images" in shown
    assert ModelCard.load(model).calibration == {}
    for option, value in (("--datalist", "x.json"), ("--split", "test"), ("--domain", "head")):
        assert main(["calibrate", "-m", str(model), "--folds", *folds, option, value]) == 2
        assert f"--folds must stand without {option}" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "-m", str(model), "-o", "x", "--device", "cuda:99"]) == 2
    assert "error: The device must be one of this machine; got 'cuda:99'" in capsys.readouterr().err


def test_labelling_without_monai_label_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["label", "--studies", str(tmp_path)]) == 2
    assert 'pip install "monai_gu2net[label]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
