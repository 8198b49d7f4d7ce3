# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from monai_gu2net.data import Datalist, Domain

PATH = Path(__file__).parents[2] / "benchmarks" / "accuracy" / "study.py"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("study", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data() -> Datalist:
    """Sixteen heads of eight patients and four hands to train on; others validate and test."""
    domains = {name: Domain(name, ("a",), (16, 16)) for name in ("head", "hand")}
    heads = [
        {"image": f"h{n}.png", "domain": "head", "case": f"h{n}", "patient": f"p{n // 2}", "landmarks": [[1, 1]]}
        for n in range(16)
    ]
    hands = [{"image": f"k{n}.png", "domain": "hand", "case": f"k{n}", "landmarks": [[1, 1]]} for n in range(4)]
    held = [{"image": f"{s}.png", "domain": "head", "case": s, "landmarks": [[1, 1]]} for s in ("val", "test")]
    return Datalist("data", domains, [*heads, *hands], held[:1], held[1:])


def names(cases: list[dict]) -> list[str]:
    return sorted(case["case"] for case in cases)


def test_the_folds_measure_every_training_case_once_and_no_test_case(study: ModuleType, data: Datalist) -> None:
    parts = study.folds(data, 3).values()
    assert sorted(name for part in parts for name in names(part.test)) == names(data.training)
    for part in parts:  # Datalist itself refuses a patient in two parts
        assert sorted(names(part.training) + names(part.test)) == names(data.training)
        assert names(part.validation) == ["val"]


def test_fewer_training_cases_are_part_of_more(study: ModuleType, data: Datalist) -> None:
    few, more = (study.with_training_cases(data, count) for count in (3, 6))
    assert set(names(few.training)) < set(names(more.training))
    assert [sum(case["domain"] == name for case in more.training) for name in ("head", "hand")] == [6, 4]
    assert names(few.test) == ["test"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"batches_per_epoch": 30, "temperature": 0.5}, (20, 10)),  # roots of 16 and 4: 4 to 2
        ({"batches_per_epoch": 30, "temperature": 1.0}, (24, 6)),
        ({"batch_size": 2, "temperature": 1.0}, (8, 2)),  # ten batches of two cover twenty cases
    ],
)
def test_separate_models_share_out_the_batches_of_one(
    study: ModuleType, data: Datalist, settings: dict, expected: tuple[int, int]
) -> None:
    config = study.ROOT / "bundles" / "gu2net" / "configs" / "train.json"
    assert tuple(study.own_batches(data, name, config, settings) for name in ("head", "hand")) == expected


def test_the_mean_over_seeds_is_of_errors_and_has_no_point(study: ModuleType) -> None:
    row = {"domain": "head", "case": "1", "landmark": "a", "predicted_x": 3.0, "predicted_y": 4.0, "presence": 0.5}
    other = row | {"case": "2"}
    seeds = [[row | {"error": 1.0}, other | {"error": 3.0}], [other | {"error": 5.0}, row | {"error": 4.0}]]
    mean = study.mean_over_seeds([pd.DataFrame(rows) for rows in seeds])
    assert mean[["case", "error"]].values.tolist() == [["1", 2.5], ["2", 4.0]]
    assert mean[["predicted_x", "predicted_y", "presence"]].isna().all(axis=None)


def test_one_seed_keeps_its_table(study: ModuleType) -> None:
    table = pd.DataFrame([{"error": 1.0}])
    assert study.mean_over_seeds([table]) is table
