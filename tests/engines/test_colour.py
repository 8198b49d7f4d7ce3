# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A domain whose images are in colour."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Domain
from monai_gu2net.networks import GU2Net, ModelCard, save_model


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_predict_takes_pictures_of_a_domain_with_three_channels(
    tmp_path: Path, rng: np.random.Generator, mode: str
) -> None:
    network = GU2Net(2, {"photo": 3}, {"photo": 2}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"photo": Domain("photo", ("a", "b"), (32, 32), in_channels=3)}, network.description)
    model = save_model(tmp_path / "model.pt", network, card)
    rows = rng.integers(0, 256, (40, 30, 4), dtype=np.uint8)
    Image.fromarray(rows).convert("RGB").convert(mode).save(tmp_path / "PAT.001.png")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "PAT.001.png"), "-m", str(model), "-o", str(out)]) == 0
    found = json.loads((out / "PAT.001.json").read_text())
    assert found
    assert (out / "PAT.001.png").is_file()
