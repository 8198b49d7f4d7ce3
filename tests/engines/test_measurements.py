# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.engines import evaluate_model
from monai_gu2net.measurements import CHEST, Measurement
from monai_gu2net.networks import GU2Net
from monai_gu2net.networks.model_card import ModelCard, load_model, save_model
from monai_gu2net.prediction import load

OWN = Measurement("tilt", "signed_angle", (*CHEST[0].landmarks, *CHEST[3].landmarks), positive=CHEST[2].landmarks[1])
# the two apices, which no names tell to be levels
LEVELS = ((CHEST[0].landmarks[0],), (CHEST[3].landmarks[0],))


@pytest.fixture(scope="module")
def data(tiny_phantom: Path) -> Datalist:
    """Small images of the phantom's chest, with a measurement and levels that are declared."""
    data = Datalist.load(tiny_phantom).only(["chest"])
    data.domains["chest"] = replace(data.domains["chest"].resized((48, 64)), measurements=(OWN,), levels=LEVELS)
    return data


@pytest.fixture(scope="module")
def model(data: Datalist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network."""
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard(dict(data.domains), network.description, provenance={"data": "phantom"})
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


def test_declared_measurements_travel_with_the_model(model: Path) -> None:
    _, card = load_model(model)
    assert card.domains["chest"].measurements == (OWN,)


def test_a_prediction_has_a_file_and_a_table_of_measurements(model: Path, data: Datalist, tmp_path: Path) -> None:
    predictor = load(model, spacing=[0.5, 0.5])
    rows, _ = predictor.predict_files([data.test[0]["image"]], output_dir=tmp_path, formats=["json"])
    names = [each.name for each in (*CHEST, OWN)]
    lines = list(csv.DictReader((tmp_path / "measurements.csv").read_text().splitlines()))
    assert [line["name"] for line in lines] == names
    (path,) = (path for path in tmp_path.glob("*.json"))
    entries = json.loads(path.read_text())["measurements"]
    assert [entry["name"] for entry in entries] == names
    for line, entry in zip(lines, entries, strict=True):
        assert (float(line["value"]), line["unit"]) == (pytest.approx(entry["value"], rel=1e-5), entry["unit"])
    points = {row["landmark"]: (row["predicted_x"], row["predicted_y"]) for row in rows}
    first, second = (points[name] for name in CHEST[0].landmarks)
    distance = ((first[0] - second[0]) ** 2 + (first[1] - second[1]) ** 2) ** 0.5
    assert float(lines[0]["value"]) == pytest.approx(0.5 * distance, rel=1e-5)


def test_a_report_compares_them_with_the_reference(model: Path, data: Datalist, tmp_path: Path) -> None:
    report = evaluate_model(model, data, output_dir=tmp_path, worst=0)
    assert "## Measurements of chest" in report.path.read_text()
    compared = json.loads((tmp_path / "measurements.json").read_text())["measurements"]
    assert [each["measurement"] for each in compared] == [each.name for each in (*CHEST, OWN)]
    assert all(each["count"] + each["lost"] == len(data.test) for each in compared)


def test_a_report_says_how_many_of_the_declared_levels_are_shifted(model: Path, data: Datalist, tmp_path: Path) -> None:
    """Counted again from the points, each apex at its own or at the other's place."""
    report = evaluate_model(model, data, output_dir=tmp_path, worst=0)
    shifted = 0
    for _, case in report.table.groupby("case"):
        found, truth = (
            case.set_index("landmark").loc[[name for (name,) in LEVELS], [f"{kind}_x", f"{kind}_y"]].to_numpy()
            for kind in ("predicted", "reference")
        )
        scale = case[["spacing_x", "spacing_y"]].fillna(1.0).to_numpy()[0]
        own, other = (np.linalg.norm((found - places) * scale, axis=1) for places in (truth, truth[::-1]))
        shifted += int((other < own).sum())
    (summary,) = json.loads((tmp_path / "summary.json").read_text())["shifts"]
    assert (summary["levels"] + summary["not_found"], summary["shifted_levels"]) == (2 * len(data.test), shifted)
    assert "## Shifted levels" in report.path.read_text()
