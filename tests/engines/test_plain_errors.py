# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.engines import say_errors_plainly

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "bundles" / "gu2net" / "configs"


def uncaught(error: BaseException) -> None:
    sys.excepthook(type(error), error, error.__traceback__)


def wrapped(path: Path) -> RuntimeError:
    """What MONAI makes of an error of this package."""
    try:
        try:
            Datalist.load(path)
        except FileNotFoundError as error:
            raise KeyError("data") from error
    except KeyError as error:
        made = RuntimeError("Failed to instantiate component")
        made.__cause__ = error
    return made


@pytest.fixture(autouse=True)
def _hook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    monkeypatch.delenv("MONAI_DEBUG", raising=False)


def test_an_error_of_the_package_is_its_message_whatever_is_around_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_errors_plainly()
    say_errors_plainly()
    uncaught(wrapped(tmp_path / "none.json"))
    assert capsys.readouterr().err.startswith(f"error: The datalist must be a file; got '{tmp_path}/none.json'")


def test_an_error_of_another_program_is_printed_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    say_errors_plainly()
    for error in (ValueError("seven"), ZeroDivisionError("none")):
        uncaught(error)
        printed = capsys.readouterr().err
        assert printed.endswith(f"{type(error).__name__}: {error}\n")
        assert "error: " not in printed


def test_the_way_to_an_error_is_shown_where_monai_is_debugged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONAI_DEBUG", "1")
    say_errors_plainly()
    uncaught(wrapped(tmp_path / "none.json"))
    lines = capsys.readouterr().err.splitlines()
    assert "RuntimeError: Failed to instantiate component" in lines
    assert lines[-1].startswith("error: The datalist must be a file")


@pytest.mark.parametrize("config", sorted(CONFIGS.parents[1].glob("gu2net*/configs/*.json")), ids=str)
def test_every_run_of_a_bundle_begins_with_it(config: Path) -> None:
    steps = json.loads(config.read_text()).get("initialize")
    assert steps is None or steps[0] == {"_target_": "monai_gu2net.engines.say_errors_plainly"}
    assert (steps is None) == (config.stem in ("metadata", "paper"))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("run", "config", "option", "message"),
    [
        ("training", "train", "--datalist", "got ['trainin']. Did you mean 'training'?"),
        ("evaluating", "evaluate", "--datalist", "got ['trainin']. Did you mean 'training'?"),
        ("predicting", "inference", "--dataset_dir", "got none in"),
    ],
)
def test_the_last_line_of_a_failed_run_says_what_to_do(
    tmp_path: Path, run: str, config: str, option: str, message: str
) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"domains": {"head": {"landmarks": ["a"], "size": [32, 32]}}, "trainin": []}))
    arguments = ["run", run, "--config_file", CONFIGS / f"{config}.json", option, data, "--output_dir", tmp_path]
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=200,
    )
    assert done.returncode == 1
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
