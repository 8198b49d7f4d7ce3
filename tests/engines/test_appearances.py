# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_gu2net.data import Datalist
from monai_gu2net.engines import fit_appearances
from monai_gu2net.networks import GU2Net, ModelCard, appearance_from, keep_domains, save_model
from monai_gu2net.networks.card_state import card_from_tensor
from monai_gu2net.transforms import LoadRadiographd
from monai_gu2net.transforms.picture_features import picture_features


@pytest.fixture(scope="module")
def data(tiny_phantom: Path) -> Datalist:
    return Datalist.load(tiny_phantom).only(["head", "hand"])


@pytest.fixture
def model(data: Datalist, tmp_path: Path) -> Path:
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    return save_model(tmp_path / "model.pt", network, ModelCard(dict(data.domains), network.description))


def test_only_the_card_changes(model: Path, data: Datalist, tmp_path: Path) -> None:
    written, _ = fit_appearances(model, data, output=tmp_path / "new.pt")
    before, after = (torch.load(path, weights_only=True) for path in (model, written))
    cards = [card_from_tensor(state.pop("card._extra_state")) for state in (before, after)]
    assert all(torch.equal(before[name], value) for name, value in after.items())
    assert cards[0].pop("appearance") == {}
    assert set(cards[1].pop("appearance")) == {"head", "hand"}
    assert cards[0] == cards[1]


def test_it_is_about_the_images_of_the_training_part(model: Path, data: Datalist) -> None:
    fit_appearances(model, data)
    appearances = ModelCard.load(model).appearances
    for name, appearance in appearances.items():
        paths = [case["image"] for case in data.training if case["domain"] == name]
        assert appearance.images == len(paths) == 4
        load = LoadRadiographd("image")
        features = [picture_features(load({"image": path})["image"].as_tensor()) for path in paths]
        assert (appearance.scores(np.stack(features)) < 1).all()


def test_the_same_images_say_the_same(model: Path, data: Datalist) -> None:
    written = [ModelCard.load(fit_appearances(model, data)[0]).appearance for _ in range(2)]
    assert written[0] == written[1]


def test_other_domains_keep_theirs(model: Path, data: Datalist) -> None:
    fit_appearances(model, data)
    before = ModelCard.load(model).appearance
    fit_appearances(model, data.only(["hand"]), split="all")
    after = ModelCard.load(model).appearance
    assert after["head"] == before["head"]
    assert after["hand"] != before["hand"]
    assert appearance_from(model) == after
    assert appearance_from(None) == {}


def test_a_part_of_a_model_keeps_its_part(model: Path, data: Datalist) -> None:
    fit_appearances(model, data)
    assert set(keep_domains(model, ["hand"])[1].appearance) == {"hand"}


def test_an_image_that_cannot_be_read_is_listed_and_too_few_are_named(
    model: Path, data: Datalist, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.png").write_text("no image")
    cases = [dict(case) for case in data.training]
    hand = next(number for number, case in enumerate(cases) if case["domain"] == "hand")
    cases[hand]["image"] = str(tmp_path / "broken.png")
    _, failures = fit_appearances(model, Datalist("some", dict(data.domains), training=cases))
    assert [(each["case"], each["domain"]) for each in failures] == [(cases[hand]["case"], "hand")]
    assert "Domain hand: 3 image(s) are too few to say what it looks like; it takes 4" in caplog.text
    assert set(ModelCard.load(model).appearance) == {"head"}
