# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.networks import ModelCard

CONFIGS = Path(__file__).parents[2] / "bundles/gu2net/configs"


def run(what: str, config: str, **options: object) -> None:
    """Run a workflow of the bundle as a user does."""
    command = [sys.executable, "-m", "monai.bundle", "run", what, "--config_file", str(CONFIGS / config)]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.integration
def test_training_ends_with_the_looks_of_its_images_and_the_bundle_tells_by_them(
    tiny_phantom: Path, tmp_path: Path
) -> None:
    data = Datalist.load(tiny_phantom).only(["head", "hand"])
    data.domains.update({name: domain.resized((32, 32)) for name, domain in data.domains.items()})
    data.save(tmp_path / "small.json")
    of_run = {"output_dir": tmp_path / "run", "device": "cpu"}
    tiny = {"network_def#features": [4, 8], "network_def#global_features": 4, "network_def#dilations": [1, 2]}
    run("training", "train.json", datalist=tmp_path / "small.json", max_epochs=1, batches_per_epoch=1, **tiny, **of_run)
    card = ModelCard.load(tmp_path / "run" / "model.pt")
    assert {name: each.images for name, each in card.appearances.items()} == {"head": 4, "hand": 4}

    (tmp_path / "images").mkdir()
    for name in ("head", "hand"):
        image = next(case["image"] for case in data.training if case["domain"] == name)
        shutil.copy(image, tmp_path / "images" / f"{name}.png")
    run("predicting", "inference.json", dataset_dir=tmp_path / "images", tell_domain=True, **of_run)
    written = sorted((tmp_path / "run" / "prediction").glob("*.json"))
    found = [json.loads(path.read_text()) for path in written if ".mrk." not in path.name]
    assert [each["domain"] for each in found] == ["hand", "head"]
