# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle trained as MONAI Label does it: on pairs of an image and a label, from the model in the bundle's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import monai.bundle
import numpy as np
import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model

pytestmark = [
    pytest.mark.integration,
    # MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
    pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning"),
    # MONAI warns of every config that it runs
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
]

CONFIG = Path(__file__).parents[2] / "bundles" / "gu2net_hand" / "configs" / "train.json"
TINY: dict[str, Any] = {"features": [4, 8], "global_features": 4, "dilations": [1, 2]}


@pytest.fixture
def pairs(tiny_phantom: Path, tmp_path: Path) -> list[dict[str, str]]:
    """The hand's training images, each with a point list."""
    data = Datalist.load(tiny_phantom).only(["hand"])
    made = []
    for case in data.training:
        points = np.array([[np.nan, np.nan] if point is None else point for point in case["landmarks"]])
        label = tmp_path / f"{case['case']}.mrk.json"
        write_markups(label, LandmarkSet(data.domains["hand"].landmarks, points, "index"), unit="px")
        made.append({"image": case["image"], "label": str(label)})
    return made


@pytest.fixture
def model(tiny_phantom: Path, tmp_path: Path) -> Path:
    """The model in the folder of a bundle."""
    data = Datalist.load(tiny_phantom).only(["hand"])
    network = GU2Net(2, 1, data.landmark_counts, **TINY)
    card = ModelCard(dict(data.domains), network.description)
    return save_model(tmp_path / "bundle" / "models" / "model.pt", network, card)


def train(model: Path, **overrides: Any) -> None:
    monai.bundle.run(
        run_id="run",
        config_file=str(CONFIG),
        logging_file=False,
        bundle_root=str(model.parents[1]),
        device="cpu",
        **{f"network_def#{name}": value for name, value in TINY.items()},
        **overrides,
    )


@pytest.mark.parametrize("validated", [True, False])
def test_the_models_weights_are_trained_further(pairs: list[dict[str, str]], model: Path, validated: bool) -> None:
    before = load_model(model)[0].state_dict()
    parts = {"train#dataset#data": pairs[:3], "validate#dataset#data": pairs[3:] if validated else []}
    train(model, **parts, **{"train#trainer#max_epochs": 2, "learning_rate": 1e-4, "ema_decay": 0.0})
    network, card = load_model(model)
    after = network.state_dict()
    assert card.provenance["training_cases"] == 3
    assert ("val_mre_px" in card.provenance) is validated
    assert card.provenance["epoch"] == 2
    moved = [(after[name] - value).abs().max().item() for name, value in before.items() if name.endswith("weight")]
    assert max(moved) > 0
    assert max(moved) < 1e-3  # a few steps of 1e-4 from where they were, and not from fresh ones
    assert {path.name for path in model.parent.iterdir()} == {"model.pt"}
