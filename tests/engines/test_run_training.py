# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from monai_gu2net.engines.run_training import run_training

# MONAI warns of every config that it runs
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")


def config(folder: Path, expression: str) -> Path:
    path = folder / "train.json"
    path.write_text(json.dumps({"what": "x", "training": [expression]}))
    return path


def test_what_ended_a_training_is_the_error_that_comes_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"invalid literal for int\(\) with base 10: 'seven'") as raised:
        run_training(config(tmp_path, "$int(@what)"), {"what": "seven", "logging_file": False})
    assert raised.value.__suppress_context__


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        run_training(config(tmp_path, "$open(@what)"), {"what": str(tmp_path / "none"), "logging_file": False})


def test_an_error_of_another_kind_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Failed to evaluate"):
        run_training(config(tmp_path, "$1 / 0"), {"logging_file": False})
