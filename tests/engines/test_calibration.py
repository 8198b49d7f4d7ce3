# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.data.domain import ReferenceLength
from monai_gu2net.engines import (
    calibrate_by_folds,
    calibrate_model,
    evaluate_model,
)
from monai_gu2net.evaluation import read_rows
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.networks.card_state import card_from_tensor
from monai_gu2net.prediction import CalibratedRadiusd, calibrations_of, load
from monai_gu2net.transforms import ScaleByPredictiond
from monai_gu2net.uncertainty import Calibration, calibrate

KNOWN = Calibration({0.5: 1.0, 0.9: 2.0}, (1.0, 0.5), (0.2, 0.4, 0.6), 2, 3)


@pytest.fixture(scope="module")
def data(tiny_phantom: Path) -> Datalist:
    """Small images of the phantom's head and chest."""
    data = Datalist.load(tiny_phantom).only(["head", "chest"])
    data.domains.update({name: domain.resized((48, 64)) for name, domain in data.domains.items()})
    return data


@pytest.fixture(scope="module")
def model(data: Datalist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network."""
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard(dict(data.domains), network.description, provenance={"data": "phantom"})
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture(scope="module")
def calibrated(model: Path, data: Datalist) -> Path:
    return calibrate_model(model, data, split="training", output=model.with_name("calibrated.pt"))[0]


def test_the_card_gets_what_the_errors_over_the_spreads_say(model: Path, calibrated: Path, data: Datalist) -> None:
    rows, _ = load(model).run(data.training, domains=data.domains)
    made = calibrations_of(ModelCard.load(calibrated))
    for name in ("head", "chest"):
        own = [row for row in rows if row["domain"] == name]
        annotated = [row for row in own if not math.isnan(row["error"])]
        covered = []
        for _, group in groupby(own, key=lambda row: row["case"]):
            case = list(group)
            radii = made[name].radius([row["spread"] for row in case], 0.5)
            covered += [row["error"] <= radius for row, radius in zip(case, radii, strict=True) if row in annotated]
        assert made[name].landmarks == len(annotated)
        assert made[name].images == sum(case["domain"] == name for case in data.training)
        assert 0.3 < np.mean(covered) < 0.75  # of the very landmarks that it was made with, by few images


def test_nothing_else_of_the_checkpoint_changes(model: Path, calibrated: Path) -> None:
    before, after = (torch.load(path, weights_only=True) for path in (model, calibrated))
    cards = [card_from_tensor(state.pop("card._extra_state")) for state in (before, after)]
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], value) for name, value in after.items())
    assert set(cards[1].pop("calibration")) == {"head", "chest"}
    cards[0].pop("calibration")
    assert cards[0] == cards[1]


def test_domains_without_cases_keep_their_calibration(calibrated: Path, data: Datalist, tmp_path: Path) -> None:
    again, _ = calibrate_model(calibrated, data.only(["head"]), split="test", output=tmp_path / "again.pt")
    before, after = ModelCard.load(calibrated).calibration, ModelCard.load(again).calibration
    assert after["chest"] == before["chest"]
    assert after["head"] != before["head"]


def test_levels_the_landmarks_are_too_few_for_are_named(
    model: Path, data: Datalist, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One image of the chest has six landmarks: 7 times 0.9 is above six, 7 times 0.8 is not."""
    calibrate_model(model, data.only(["chest"]), output=tmp_path / "c.pt")
    assert "Domain chest: no radius at the levels [0.9, 0.95], for which 6 landmarks" in caplog.text
    assert 0.8 in calibrations_of(ModelCard.load(tmp_path / "c.pt"))["chest"].quantiles


def test_predictions_of_another_kind_get_no_radius(calibrated: Path, caplog: pytest.LogCaptureFixture) -> None:
    card = ModelCard.load(calibrated)
    assert set(calibrations_of(card)) == {"head", "chest"}
    with caplog.at_level(logging.WARNING):
        assert calibrations_of(card, tta=4) == {}
    assert "no radius, for the model is calibrated with test-time augmentation 1 by 1 model(s)" in caplog.text
    assert calibrations_of(card, members=2) == {}


def test_augmentation_and_models_are_calibrated_together(model: Path, data: Datalist, tmp_path: Path) -> None:
    both, _ = calibrate_model([model, model], data.only(["head"]), tta=2, output=tmp_path / "both.pt")
    assert set(calibrations_of(ModelCard.load(both), tta=2, members=2)) == {"head"}


@pytest.fixture(scope="module")
def folds(data: Datalist, model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two trainings that ended before they began, each with other images left out."""
    made = []
    for number in range(2):
        folder = tmp_path_factory.mktemp(f"fold{number}")
        torch.manual_seed(number)
        network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
        save_model(folder / "model.pt", network, ModelCard(dict(data.domains), network.description))
        left_out = [case for index, case in enumerate(data.training) if index % 2 == number]
        Datalist(f"fold {number}", dict(data.domains), test=left_out).save(folder / "datalist.json")
        made.append(folder)
    return made


def test_a_cross_validation_calibrates_by_the_errors_of_each_fold_on_its_own_images(
    model: Path, data: Datalist, folds: list[Path], tmp_path: Path
) -> None:
    seen: list[int] = []
    path, failures = calibrate_by_folds(model, folds, output=tmp_path / "new.pt", on_case=seen.append)
    assert (path, failures) == (tmp_path / "new.pt", [])
    assert seen == list(range(1, len(data.training) + 1))
    made = calibrations_of(ModelCard.load(path))
    assert set(made) == {"head", "chest"}
    for name, domain in data.domains.items():
        columns: dict[str, list[float]] = {"error": [], "spread": [], "confidence": []}
        for folder in folds:
            part = Datalist.load(folder / "datalist.json")
            rows, _ = load(folder / "model.pt").run(part.test, domains=part.domains)
            for column, values in columns.items():
                values += [row[column] for row in rows if row["domain"] == name]
        arrays = [np.array(values, dtype=float).reshape(-1, len(domain.landmarks)) for values in columns.values()]
        expected = calibrate(*arrays)
        assert made[name].images == sum(case["domain"] == name for case in data.training)
        assert made[name].quantiles == pytest.approx(expected.quantiles)
        assert made[name].to_dict() == expected.to_dict()


def test_folds_that_do_not_fit_are_refused(model: Path, data: Datalist, folds: list[Path], tmp_path: Path) -> None:
    before = model.read_bytes()
    with pytest.raises(ValueError, match=r"A case must be measured in one fold; got .*Name each fold once"):
        calibrate_by_folds(model, [folds[0], folds[1], folds[0]])
    with pytest.raises(ValueError, match="folds must be folders of trainings; got none"):
        calibrate_by_folds(model, [])
    with pytest.raises(FileNotFoundError, match="datalist"):
        calibrate_by_folds(model, [tmp_path])
    other = {"head": replace(data.domains["head"], landmarks=data.domains["head"].landmarks[::-1])}
    network = GU2Net(2, 1, {"head": len(other["head"].landmarks)}, features=(4, 8), global_features=4, dilations=(1, 2))
    save_model(tmp_path / "other.pt", network, ModelCard(other, network.description))
    with pytest.raises(ValueError, match="domain 'head' must have the landmarks of that of"):
        calibrate_by_folds(tmp_path / "other.pt", folds)
    assert model.read_bytes() == before


def test_several_models_are_not_calibrated_into_the_first(model: Path, data: Datalist) -> None:
    with pytest.raises(ValueError, match="output must be given for several models, 2 here"):
        calibrate_model([model, model], data)


def test_a_split_without_annotations_is_refused_or_warned_of(
    model: Path, data: Datalist, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cases = [{key: value for key, value in case.items() if key != "landmarks"} for case in data.validation]
    (tmp_path / "broken.png").write_text("no image")
    cases[0]["image"] = str(tmp_path / "broken.png")
    bare = Datalist("bare", dict(data.domains), validation=cases)
    with pytest.raises(ValueError, match="Split 'validation' of 'bare' must have annotated cases"):
        calibrate_model(model, bare)
    before = model.read_bytes()
    path, failures = calibrate_model(model, bare, required=False, output=tmp_path / "none.pt")
    assert path == model
    assert [(failure["domain"], failure["case"]) for failure in failures] == [(cases[0]["domain"], cases[0]["case"])]
    assert "must have annotated cases that can be read; got none. The model is not calibrated." in caplog.text
    assert model.read_bytes() == before
    assert not (tmp_path / "none.pt").exists()


def test_a_report_says_how_often_the_radius_held(calibrated: Path, data: Datalist, tmp_path: Path) -> None:
    report = evaluate_model(calibrated, data, output_dir=tmp_path, worst=1)
    assert "## Uncertainty" in report.path.read_text()
    rows = read_rows(tmp_path / "landmarks.csv").to_dict("records")
    measured = json.loads((tmp_path / "coverage.json").read_text())
    for summary in measured:
        own = [row for row in rows if row["domain"] == summary["domain"]]
        within = [row["error"] <= row["radius"] for row in own if not math.isnan(row["error"])]
        assert summary["coverage"] == pytest.approx(np.mean(within))
    assert {summary["domain"] for summary in measured} == {"head", "chest"}
    assert (tmp_path / "coverage.png").is_file()
    assert all(0 < row["presence"] <= 1 for row in rows)


def test_a_calibration_that_does_not_hold_is_warned_of_once(
    calibrated: Path, data: Datalist, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = evaluate_model(calibrated, data.only(["head"]), output_dir=tmp_path, tta=2, worst=0)
    assert caplog.text.count("Domain head: no radius") == 1
    assert "Uncertainty" not in report.path.read_text()


def test_predictions_state_radius_and_presence(calibrated: Path, data: Datalist, tmp_path: Path) -> None:
    image = next(case["image"] for case in data.test if case["domain"] == "head")
    rows, _ = load(calibrated, spacing=[0.5, 0.5]).predict_files([image], output_dir=tmp_path, domain="head")
    content = json.loads((tmp_path / f"{Path(image).stem}.json").read_text())
    for row, landmark in zip(rows, content["landmarks"], strict=True):
        assert landmark["radius_90_mm"] == pytest.approx(row["radius"])
        assert landmark["radius_90"] == pytest.approx(row["radius"] / 0.5)
        assert landmark["presence"] == pytest.approx(row["presence"])


def sample(unit: str = "px") -> dict[str, object]:
    return {
        "domain": "hand",
        "unit": unit,
        "spacing_source": "none",
        "file_affine": torch.eye(4, dtype=torch.float64),
        "pred_landmarks": torch.tensor([[0.0, 0.0], [3.0, 4.0]]),
        "pred_spread": torch.tensor([3.0, math.nan]),
        "pred_confidence": torch.tensor([0.5, 0.1]),
    }


def test_radius_and_presence_by_hand() -> None:
    found = CalibratedRadiusd("pred", calibrations={"hand": KNOWN})(sample())
    np.testing.assert_allclose(found["pred_radius"], [2 * 1 * 3, math.nan])
    np.testing.assert_allclose(found["pred_presence"], [3 / 4, 1 / 4])


def test_a_domain_or_level_that_is_not_calibrated_gets_no_radius() -> None:
    assert CalibratedRadiusd("pred", calibrations={"head": KNOWN})(sample()).keys() == sample().keys()
    few = replace(KNOWN, quantiles={0.5: 1.0})
    found = CalibratedRadiusd("pred", calibrations={"hand": few})(sample())
    assert "pred_radius" not in found
    assert "pred_presence" in found


def test_the_radius_follows_a_scale_told_by_the_prediction() -> None:
    """The pair lies 5 px apart and is 50 mm long."""
    domain = Domain("hand", ("a", "b"), (8, 8), reference=ReferenceLength("a", "b", 50.0))
    found = CalibratedRadiusd("pred", calibrations={"hand": KNOWN})(sample())
    scaled = ScaleByPredictiond("pred", domains={"hand": domain})(found)
    np.testing.assert_allclose(scaled["pred_radius"], [60, math.nan])
    np.testing.assert_allclose(scaled["pred_spread"], [30, math.nan])
