# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Trainings of the app without a server."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monailabel.interfaces.exception import MONAILabelException

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.label_app.datastore import LandmarkDatastore
from monai_gu2net.label_app.infer import LandmarkInferTask
from monai_gu2net.label_app.splits import drawn_splits
from monai_gu2net.label_app.train import LandmarkTrainTask
from monai_gu2net.label_app.training_options import TrainingOptions
from monai_gu2net.label_app.weights import AppWeights
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import read_markups, write_markups
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model

pytestmark = [
    pytest.mark.integration,
    # MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
    pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning"),
    # MONAI warns of every config that it runs
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
]

CONFIG = Path(__file__).parents[2] / "bundles" / "gu2net" / "configs" / "train.json"
QUICK = {"max_epochs": 1, "batches_per_epoch": 1, "validation": 0.4, "device": "cpu"}


class App:
    """What a training needs."""

    def __init__(self, folder: Path, phantom: Datalist) -> None:
        self.folder, data = folder, phantom.only(["head", "chest"])
        network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
        domains = {name: domain.resized((64, 64)) for name, domain in data.domains.items()}
        model = save_model(folder / "model.pt", network, ModelCard(domains, network.description))
        self.weights = AppWeights(folder / "app")
        self.weights.start(model)
        self.domains: dict[str, Domain] = self.weights.card.domains_for_new_images
        studies = folder / "studies"
        studies.mkdir()
        heads = [case for case in data.cases("all") if case["domain"] == "head"][:4]
        self.truth = {Path(case["image"]).stem: case["landmarks"] for case in heads}
        for case in heads:
            shutil.copy(case["image"], studies)
        self.store = LandmarkDatastore(studies, domains=self.domains, extensions=["*.png"])
        self.train = LandmarkTrainTask(
            self.weights, self.domains["head"], domains=self.domains, config=CONFIG, folder=folder / "training"
        )
        self.find = LandmarkInferTask(self.weights, self.domains["head"])

    def label_as_found(self) -> None:
        """Label each image with what the model finds well inside of it."""
        for image in self.store.list_images():
            path, _ = self.find({"image": self.store.get_image_uri(image), "device": "cpu"})
            found = read_markups(path, dims=2)
            inside = ((found.points > 10) & (found.points < 180)).all(axis=1)[:, None]
            Path(path).unlink()
            self.label(image, LandmarkSet(found.names, np.where(inside, found.points, np.nan), "index"))

    def label_as_it_is(self) -> None:
        """Label each image with the phantom's landmarks."""
        for image in self.store.list_images():
            points = [[np.nan] * 2 if point is None else point for point in self.truth[image]]
            self.label(image, LandmarkSet(self.domains["head"].landmarks, np.array(points), "index"))

    def label(self, image: str, points: LandmarkSet) -> None:
        path = write_markups(self.folder / "label.mrk.json", points, unit="px")
        self.store.save_label(image, str(path), "final", {"domain": "head"})


@pytest.fixture
def app(tmp_path: Path, tiny_phantom: Path) -> App:
    return App(tmp_path, Datalist.load(tiny_phantom))


def parameters(path: Path, domain: int) -> list[Any]:
    """The weights of one domain, in the order of the network."""
    return [value for name, value in load_model(path)[0].state_dict().items() if f".domains.{domain}." in name]


def test_weights_that_get_worse_are_not_taken(app: App) -> None:
    app.label_as_found()
    before = app.weights.path.read_bytes()
    result = app.train({**QUICK, "learning_rate": 1.0}, app.store)
    assert result["old_mre"] == pytest.approx(0.0, abs=1e-3)
    assert result["new_mre"] > result["old_mre"]
    assert result["replaced"] is False
    assert app.weights.path.read_bytes() == before
    assert app.train.stats() == result


def test_weights_that_get_better_are_taken_and_the_other_domains_stay_as_they_are(app: App) -> None:
    app.label_as_it_is()
    before = app.weights.path.read_bytes()
    result = app.train({**QUICK, "max_epochs": 12, "learning_rate": 0.01}, app.store)
    assert result["new_mre"] <= result["old_mre"]
    assert result["replaced"] is True
    backup = app.weights.folder / "backup" / "model_0001.pt"
    assert backup.read_bytes() == before
    own, other = parameters(app.weights.path, 0), parameters(app.weights.path, 1)
    assert any((now != then).any() for now, then in zip(own, parameters(backup, 0), strict=True))
    assert all((now == then).all() for now, then in zip(other, parameters(backup, 1), strict=True))


def test_without_labels_the_message_says_what_is_missing(app: App) -> None:
    with pytest.raises(MONAILabelException) as caught:
        app.train(QUICK, app.store)
    assert "'head' must have labels of at least two patients" in caught.value.msg


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"max_epochs": 1.5}, "max_epochs must be a whole number, at least 1; got 1.5"),
        ({"batches_per_epoch": 0}, "batches_per_epoch must be a whole number"),
        ({"learning_rate": "$__import__('os')"}, "learning_rate must be positive; got"),
        ({"shared_rate": 2}, "shared_rate must be from 0 to 1; got 2"),
        ({"validation": 1.0}, "validation must be a share above 0 and below 1; got 1.0"),
        ({"device": "') or 1"}, "device must be one of PyTorch's"),
    ],
)
def test_an_option_that_breaks_its_rule_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        TrainingOptions.from_request(wrong)


def test_an_image_that_trained_once_never_validates() -> None:
    cases = [{"case": f"{number:02d}", "patient": f"{number:02d}"} for number in range(30)]
    earlier: dict[str, str] = {}
    for count in range(2, 31):
        splits = drawn_splits(cases[:count], share=0.2, earlier=earlier)
        assert splits.items() >= earlier.items()
        assert set(splits.values()) == {"training", "validation"}
        earlier = splits
    assert 5 <= sum(split == "validation" for split in earlier.values()) <= 7


def test_images_of_one_patient_stay_together() -> None:
    cases = [{"case": f"{number}", "patient": f"{number // 3}"} for number in range(12)]
    splits = drawn_splits(cases, share=0.3, earlier={})
    assert all(len({splits[f"{3 * patient + view}"] for view in range(3)}) == 1 for patient in range(4))


def test_the_weights_of_another_start_are_refused(app: App, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    network, card = load_model(app.weights.path)
    save_model(other, network, card, half=True)
    with pytest.raises(ValueError, match="must have started from the model given"):
        app.weights.start(other)


def test_five_backups_are_kept(app: App, tmp_path: Path) -> None:
    for _ in range(7):
        app.weights.replace(tmp_path / "model.pt")
    kept = sorted(path.name for path in (app.weights.folder / "backup").iterdir())
    assert kept == [f"model_{number:04d}.pt" for number in range(3, 8)]
