# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What `predict --ray` says where no worker is needed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Domain
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import PredictionOptions, Predictor
from monai_gu2net.prediction.result_parts import ResultParts, result_block, result_schema


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network = GU2Net(2, 1, {"knee": 1}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"knee": Domain("knee", ("a",), (16, 16))}, network.description)
    return save_model(tmp_path / "model.pt", network, card)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.new("L", (16, 16)).save(tmp_path / "x.png")
    return tmp_path / "x.png"


@pytest.fixture
def done(model: Path, image: Path, tmp_path: Path) -> Path:
    """The folder of a run that has done the image."""
    predictor = Predictor(model)
    options = PredictionOptions(backend=predictor.backend.name)
    run = {"model": predictor.model, "domain": "knee", "options": asdict(options)}
    row = {"case": str(image), "domain": "knee", "landmark": "a", "error": None, "unit": "px"}
    with ResultParts(tmp_path / "out", schema=result_schema()) as parts:
        parts.begin(run)
        parts.write([result_block([row], [], schema=result_schema())])
    return tmp_path / "out"


def test_where_all_is_done_nothing_is_started(
    model: Path, image: Path, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.rglob("*.parquet")}
    assert main(["predict", "--ray", str(image), "-m", str(model), "-o", str(done)]) == 0
    assert capsys.readouterr().out == f"Wrote landmarks of 0 image(s) to {done}; 1 image(s) were done before\n"
    assert {path: path.stat().st_mtime_ns for path in done.rglob("*.parquet")} == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tta", "2"], "got options {'min_confidence': 0.0, 'tta': 2"),
        (["--spacing", "0.5"], r"'spacing': \[0.5, 0.5\]"),
        (["--domain", "hand"], "The domain must be one of the model's"),
        (["--workers", "0"], "workers must be at least 1; got 0"),
        (["--formats", "json"], "--formats must be of a run without --ray"),
    ],
)
def test_other_options_are_refused(
    model: Path, image: Path, done: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["predict", "--ray", str(image), "-m", str(model), "-o", str(done), *options]) == 2
    assert said.replace("\\", "") in capsys.readouterr().err


def test_another_model_is_refused(model: Path, image: Path, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads((done / "run.json").read_text())
    record["model"]["version"] = "0 (another)"
    (done / "run.json").write_text(json.dumps(record))
    assert main(["predict", "--ray", str(image), "-m", str(model), "-o", str(done)]) == 2
    said = capsys.readouterr().err
    assert "must be of one model and the same options; got model" in said
    assert "0 (another)" in said


@pytest.mark.parametrize(
    "options",
    [["--list", "x.txt"], ["--workers", "2"], ["--retry-failed"], ["--ray-address", "auto"], ["s3://b/x.png"]],
)
def test_what_needs_ray_is_refused_without_it(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["predict", "-m", str(model), "-o", str(tmp_path / "out"), *options]) == 2
    assert f"error: {options[0]} must go with --ray; got none" in capsys.readouterr().err


@pytest.mark.parametrize("ray", [[], ["--ray"]])
def test_images_must_be_given(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ray: list[str]) -> None:
    assert main(["predict", "-m", str(model), "-o", str(tmp_path / "out"), *ray]) == 2
    assert "error: IMAGE must be image" in capsys.readouterr().err


def test_without_ray_the_extra_is_named(
    model: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["predict", "--ray", str(image), "-m", str(model), "-o", str(tmp_path / "out")]) == 2
    assert 'Run: pip install "monai_gu2net[ray]"' in capsys.readouterr().err


def test_a_kind_of_uri_that_cannot_be_read_here_ends_the_run_before_it_begins(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.txt").write_text("x.png\nnosuch://store/y.png\n")
    assert main(["predict", "--ray", "--list", str(tmp_path / "list.txt"), "-m", str(model), "-o", str(tmp_path)]) == 2
    assert "A URI must be of a kind that fsspec knows; got 'nosuch://store/y.png'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_list_that_is_not_there_is_named(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--ray", "--list", "nolist.txt", "-m", str(model), "-o", str(tmp_path / "out")]) == 2
    assert "The list must be a file that can be read; got nolist.txt (No such file" in capsys.readouterr().err
