# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong is said in one line, of one case where it is one case's, and is never a traceback or an abort."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_gu2net.__main__ import main
from monai_gu2net.data import CaseDataset, Datalist
from monai_gu2net.engines import calibrate_model, evaluate_model
from monai_gu2net.networks import GU2Net, ModelCard, UShapedNet, load_model, save_model
from monai_gu2net.prediction import load
from monai_gu2net.transforms import RadiographPreprocessing

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "bundles" / "gu2net" / "configs" / "train.json"


@pytest.fixture(scope="module")
def data(tiny_phantom: Path) -> Datalist:
    return Datalist.load(tiny_phantom)


@pytest.fixture(scope="module")
def model(data: Datalist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({name: domain.resized((64, 64)) for name, domain in data.domains.items()}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture
def heads(data: Datalist) -> list[Path]:
    return [Path(case["image"]) for case in data.cases("all") if case["domain"] == "head"]


def python(*arguments: str | os.PathLike[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, in a folder."""
    return subprocess.run(
        [sys.executable, *map(os.fspath, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def break_network(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, call: int = 3) -> None:
    """The network raises the error at one of its calls: the third is for the second image, for one that knows nothing
    looks at the inverse of each as well.
    """
    calls = []
    forward = GU2Net.forward

    def failing(self: GU2Net, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            raise error
        return forward(self, *arguments, **options)

    monkeypatch.setattr(GU2Net, "forward", failing)


class TestOneCaseThatFails:
    OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    def test_in_the_network_is_one_failure_of_a_prediction(
        self, model: Path, heads: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        break_network(monkeypatch, self.OUT_OF_MEMORY)
        seen: list[int] = []
        rows, failures = load(model).predict_files(
            heads[:3], output_dir=tmp_path, domain="head", on_case=seen.append, formats=["json"]
        )
        assert seen == [1, 2, 3]
        assert [(each["case"], each["domain"]) for each in failures] == [(heads[1].stem, "head")]
        assert "OutOfMemoryError: CUDA out of memory" in failures[0]["reason"]
        assert {row["case"] for row in rows} == {heads[0].stem, heads[2].stem}
        assert {path.stem for path in tmp_path.glob("*.json")} == {heads[0].stem, heads[2].stem}

    def test_in_the_network_is_one_failure_of_an_evaluation_and_of_a_calibration(
        self, model: Path, data: Datalist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cases = [case for case in data.cases("all") if case["domain"] == "head"][:4]
        part = Datalist("part", {"head": data.domains["head"]}, test=cases)
        break_network(monkeypatch, RuntimeError("a kernel that is not there"))
        report = evaluate_model(model, part, output_dir=tmp_path / "report", worst=0)
        assert json.loads((report.path.parent / "summary.json").read_text())["failures"] == report.failures
        assert [(each["case"], each["reason"]) for each in report.failures] == [
            (cases[1]["case"], "RuntimeError: a kernel that is not there")
        ]
        break_network(monkeypatch, KeyError("surprise"))
        _, failures = calibrate_model(model, part, split="test", output=tmp_path / "new.pt")
        assert [each["case"] for each in failures] == [cases[1]["case"]]

    def test_when_it_is_saved_is_one_failure(self, model: Path, heads: list[Path], tmp_path: Path) -> None:
        (tmp_path / f"{heads[1].stem}.json").mkdir()  # in the way
        rows, failures = load(model).predict_files(heads[:3], output_dir=tmp_path, domain="head", formats=["json"])
        assert [each["case"] for each in failures] == [heads[1].stem]
        assert "not wholly saved" in failures[0]["reason"]
        assert len({row["case"] for row in rows}) == 3
        assert not list(tmp_path.glob(".*.part"))

    def test_when_its_picture_is_drawn_is_one_failure(self, model: Path, heads: list[Path], tmp_path: Path) -> None:
        (tmp_path / f"{heads[0].stem}.png").mkdir()
        _, failures = load(model).predict_files(heads[:2], output_dir=tmp_path, domain="head", formats=["json"])
        assert [each["case"] for each in failures] == [heads[0].stem]

    def test_an_interrupt_stays_an_interrupt(
        self, model: Path, heads: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
    ) -> None:
        break_network(monkeypatch, KeyboardInterrupt())
        images = [str(path) for path in heads[:3]]
        assert main(["predict", *images, "-m", str(model), "-o", str(tmp_path), "--domain", "head"]) == 130
        assert "interrupted" in capsys.readouterr().err

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
    def test_a_disk_that_takes_nothing_stops_the_run(
        self, model: Path, heads: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, number: int
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(number, os.strerror(number), "x.json")

        monkeypatch.setattr("monai_gu2net.transforms.save.write_landmark_json", lambda *_, **__: full())
        images = [str(path) for path in heads[:3]]
        assert main(["predict", *images, "-m", str(model), "-o", str(tmp_path), "--domain", "head"]) == 2
        assert f"error: [Errno {number}] {os.strerror(number)}: 'x.json'\n" in capsys.readouterr().err
        assert not (tmp_path / "landmarks.csv").exists()


def shown(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_later_prediction_leaves_no_other_file_of_the_same_cases_and_keeps_those_of_others(
    model: Path, heads: list[Path], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"output_dir": tmp_path, "domain": "head"}
    other, stem = heads[0].stem, heads[1].stem
    load(model).predict_files(heads[:2], formats=["json", "csv", "coco"], **options)
    (tmp_path / "mine.json").write_text("{}")
    load(model).predict_files(heads[1:2], formats=["json"], **options)
    tables = {"landmarks.csv", "landmarks.parquet", "measurements.csv"}
    others = {f"{other}.json", f"{other}.csv", f"{other}.png", "mine.json", *tables}
    assert shown(tmp_path) == {*others, f"{stem}.json", f"{stem}.png"}
    (tmp_path / f"{other}.csv").write_text("corrected by hand")
    load(model).predict_files(heads[:1], formats=["mrk.json"], **options)
    expected = {f"{stem}.json", f"{stem}.png", f"{other}.csv", f"{other}.mrk.json", f"{other}.png"}
    assert shown(tmp_path) == {*expected, "mine.json", *tables}


def test_a_case_that_fails_has_no_result_of_an_earlier_prediction(
    model: Path, heads: list[Path], tmp_path: Path
) -> None:
    image = tmp_path / "x.png"
    image.write_bytes(heads[0].read_bytes())
    options: dict[str, Any] = {"output_dir": tmp_path / "found", "domain": "head", "formats": ["json"]}
    load(model).predict_files([image], **options)
    assert {"x.json", "x.png"} <= shown(tmp_path / "found")
    image.write_bytes(b"no picture any more")
    load(model).predict_files([image], **options)
    assert not {"x.json", "x.png"} & shown(tmp_path / "found")


@pytest.mark.parametrize("threads", [0, 1, 2, 4])
def test_all_broken_training_images_are_named_in_one_error(data: Datalist, tmp_path: Path, threads: int) -> None:
    cases = [dict(case) for case in data.cases("all") if case["domain"] == "head"][:6]
    for number in (1, 3):
        cases[number]["image"] = str(tmp_path / f"broken_{number}.png")
        Path(cases[number]["image"]).write_bytes(b"no picture")
    cases[5]["image"] = str(tmp_path / "missing.png")
    preparation = RadiographPreprocessing(data.domains)
    with pytest.raises(ValueError, match="3 of 6 are not") as caught:
        CaseDataset(cases=cases, transform=preparation, num_workers=threads, progress=False)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:4]] == [
        f"case {cases[number]['case']} of domain head" for number in (1, 3, 5)
    ]
    assert "take the cases out of the datalist to go on without them" in lines[-1]


@pytest.mark.integration
@pytest.mark.parametrize("command", ["bundle", "add-domain"])
def test_a_broken_training_image_ends_in_one_error_and_no_abort(
    data: Datalist, model: Path, tmp_path: Path, command: str
) -> None:
    cases = [dict(case) for case in data.cases("all") if case["domain"] == "head"]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    cases[1]["image"] = str(tmp_path / "broken.png")
    domain = data.domains["head"].to_dict()
    content = json.loads((Path(data.cases("all")[0]["image"]).parents[1] / "datalist.json").read_text())
    new = [{**case, "domain": "new"} for case in cases]
    content |= {"domains": {"new": domain}, "training": new[:4], "validation": new[4:5], "test": []}
    path = tmp_path / "data.json"
    path.write_text(json.dumps(content))
    if command == "bundle":
        arguments = ["-m", "monai.bundle", "run", "training", "--config_file", CONFIG, "--datalist", path]
        arguments += ["--output_dir", tmp_path / "out"]
    else:
        arguments = ["-m", "monai_gu2net", "add-domain", "-m", model, "--datalist", path, "-o", tmp_path / "out"]
        arguments += ["--config-file", CONFIG]
    done = python(*arguments, cwd=tmp_path)
    assert done.returncode == (1 if command == "bundle" else 2), done.stderr
    assert "Traceback" not in done.stderr
    assert f"case {cases[1]['case']} of domain new: broken.png must be a whole picture" in done.stderr


@pytest.mark.integration
def test_a_domain_is_added_to_a_network_of_another_class(data: Datalist, tmp_path: Path) -> None:
    network = UShapedNet(2, 1, {"hand": len(data.domains["hand"].landmarks)}, sharing="separable", features=(4, 8))
    card = ModelCard({"hand": data.domains["hand"].resized((64, 64))}, network.description)
    start = save_model(tmp_path / "start.pt", network, card)
    head = data.domains["head"].resized((64, 64))
    cases = [case for case in data.cases("all") if case["domain"] == "head"]
    path = Datalist("new", {"head": head}, training=cases[:3], validation=cases[3:4]).save(tmp_path / "new.json")
    arguments = ["add-domain", "-m", start, "--datalist", path, "-o", tmp_path / "out", "--config-file", CONFIG]
    done = python("-m", "monai_gu2net", *arguments, "--max-epochs", "1", "--batches-per-epoch", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made, made_card = load_model(tmp_path / "out" / "model.pt")
    assert isinstance(made, UShapedNet)
    assert list(made_card.domains) == ["hand", "head"]
    assert {**made_card.network["options"], "prior": 0} == {**card.network["options"], "prior": 0}


def _commands(model: Path, data: Path, image: Path, out: Path) -> dict[str, list[str | Path]]:
    """The commands that write into a folder."""
    of_data = ["-m", model, "--datalist", data]
    return {
        "predict": ["predict", image, "-m", model, "--domain", "head", "-o", out],
        "evaluate": ["evaluate", *of_data, "-o", out],
        "calibrate": ["calibrate", *of_data, "-o", out / "new.pt"],
        "add-domain": ["add-domain", *of_data, "-o", out, "--config-file", CONFIG],
        "prepare": ["prepare", data, "-o", out / "data.json"],
        "phantom": ["prepare", "phantom", "-o", out],
        "dicomweb": ["dicomweb", "http://127.0.0.1:1/x", "-m", model, "--domain", "head", "-o", out, "--attempts", "1"],
        "listen": ["listen", "--allow", "A", "--spool", out, "--answer-dir", out, "-m", model, "--domain", "head"],
    }


@pytest.mark.parametrize("way", ["a file", "below a file", "too long", "a null byte", "a loop"])
@pytest.mark.parametrize("command", list(_commands(Path(), Path(), Path(), Path())))
def test_a_folder_that_cannot_be_written_is_one_line(
    model: Path, tiny_phantom: Path, heads: list[Path], tmp_path: Path, capsys: Any, command: str, way: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "loop").symlink_to("loop")
    out = {
        "a file": tmp_path / "file",
        "below a file": tmp_path / "file" / "below",
        "too long": tmp_path / ("x" * 300),
        "a null byte": tmp_path / "a\0b",
        "a loop": tmp_path / "loop" / "x",
    }[way]
    arguments = _commands(model, tiny_phantom, heads[0], out)[command]
    assert main([str(each) for each in arguments]) == 2
    said = capsys.readouterr().err
    assert "error: " in said
    assert "Traceback" not in said
    assert "not foreseen" not in said
    assert (tmp_path / "file").read_text() == "in the way"
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop"}


@pytest.mark.parametrize("content", [{"model": {}, "card": {}}, {"card": {"domains": {"x": 3}}}, {"card": 3}, [1], {}])
@pytest.mark.parametrize("command", ["info", "predict"])
def test_what_is_no_model_is_one_line(
    heads: list[Path], tmp_path: Path, capsys: Any, content: Any, command: str
) -> None:
    torch.save(content, tmp_path / "no.pt")
    options = {"info": [], "predict": ["-o", str(tmp_path / "out")]}[command]
    flag = [str(tmp_path / "no.pt")] if command == "info" else [str(heads[0]), "-m", str(tmp_path / "no.pt")]
    assert main([command, *flag, *options]) == 2
    said = capsys.readouterr().err
    assert "error: " in said
    assert "not foreseen" not in said


def test_what_nobody_foresaw_is_one_line_that_says_how_to_see_more(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def surprise(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("monai_gu2net.networks.ModelCard.load", surprise)
    assert main(["info", str(model)]) == 2
    assert capsys.readouterr().err == (
        "error: KeyError: 'surprise'\n"
        "This was not foreseen. Where it comes from: python -m monai_gu2net --traceback ...\n"
    )
    assert main(["--traceback", "info", str(model)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("error: KeyError: 'surprise'\n")


@pytest.mark.integration
def test_what_is_in_the_working_directory_hides_no_module(model: Path, heads: list[Path], tmp_path: Path) -> None:
    for name in ("dl", "DLFCN", "code", "types", "gdcm", "numpy", "cupy", "pydicom", "secrets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('hidden by ' + __file__)")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "dl").mkdir()  # no package, a folder of images
    for folder in (tmp_path, tmp_path / "plain"):
        arguments = ["predict", heads[0], "-m", model, "--domain", "head", "-o", "out", "--formats", "json"]
        done = python("-m", "monai_gu2net", *arguments, cwd=folder)
        assert (done.returncode, "Wrote 19 landmarks" in done.stdout) == (0, True), done.stderr
        assert (folder / "out" / f"{heads[0].stem}.json").is_file()


@pytest.mark.integration
@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["prepare", "phantom", "-o", "phantom"], ["predict"], ["listen", "--help"]],
    ids=["help", "prepare", "predict", "listen"],
)
def test_without_the_modules_of_posix_every_command_runs(
    model: Path, heads: list[Path], tmp_path: Path, arguments: Sequence[str]
) -> None:
    script = tmp_path / "elsewhere.py"
    script.write_text(
        "import os, signal, sys\n"
        "for name in ('fcntl', 'resource', 'termios', 'tty', 'pty', 'grp', 'syslog', 'crypt'):\n"
        "    sys.modules[name] = None\n"
        "for module, names in ((signal, 'SIGKILL SIGALRM SIGHUP alarm'), (os, 'fork killpg setsid O_NOFOLLOW "
        "O_DIRECTORY')):\n"
        "    for name in names.split():\n"
        "        if hasattr(module, name):\n"
        "            delattr(module, name)\n"
        "from monai_gu2net.connections import Spool\n"
        "Spool('spool').close()\n"
        "from monai_gu2net.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    options: list[str | Path] = list(arguments)
    if options == ["predict"]:
        options += [heads[0], "-m", model, "--domain", "head", "-o", tmp_path / "out"]
    done = python(script, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if options[0] == "predict":
        with (tmp_path / "out" / "landmarks.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == 19


def test_a_spool_belongs_to_one_process_without_the_modules_of_posix(tmp_path: Path) -> None:
    from monai_gu2net.connections import Spool

    first = Spool(tmp_path)
    taken = python("-c", f"from monai_gu2net.connections import Spool; Spool({str(tmp_path)!r})", cwd=tmp_path)
    assert "The spool must belong to one process" in taken.stderr
    first.close()
    Spool(tmp_path).close()
