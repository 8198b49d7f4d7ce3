# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of ``docs/how_to/add_domain.md``, in their order, with a tiny network and a few images."""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist
from monai_gu2net.engines import calibrate_model
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model
from monai_gu2net.phantom import phantom_case

pytestmark = [
    pytest.mark.integration,
    # MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
    pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning"),
    # MONAI warns of every config that it runs
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
]

ROOT = Path(__file__).parents[2]
IMAGE = torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64).sin()


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    """The bundle sets up logging of its own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def _folder(tiny_phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory: the bundles, a calibrated model of two domains with their data, and the images."""
    monkeypatch.chdir(tmp_path)
    Path("bundles").symlink_to(ROOT / "bundles")
    old = Datalist.load(tiny_phantom).only(["head", "chest"])
    old.save("old.json")
    network = GU2Net(2, 1, old.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    save_model("model.pt", network, ModelCard(dict(old.domains), network.description))
    calibrate_model("model.pt", old)

    Path("knees/images").mkdir(parents=True)
    lines = ["image,patient,patella_x,patella_y,tibia_x,tibia_y"]
    for index in range(8):
        image, points, _ = phantom_case("hand", seed=1, index=index)
        Image.fromarray(image[0].T.copy()).save(f"knees/images/{index:03d}.png")
        lines.append(",".join(map(str, [f"{index:03d}.png", f"p{index}", *points[0], *points[4]])))
    Path("knees/landmarks.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.usefixtures("_folder", "_logging_as_before")
def test_the_commands_of_the_tutorial_add_a_domain() -> None:
    text = (ROOT / "docs" / "how_to" / "add_domain.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    assert commands
    for command in commands:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "monai-gu2net"
        quick = ["--max-epochs", "2", "--batches-per-epoch", "1"] if arguments[0] == "add-domain" else []
        assert main([*arguments, *quick]) == 0, command

    before, card = load_model("model.pt")
    after, card_with_knee = load_model("with_knee/model.pt")
    assert list(card_with_knee.domains) == ["head", "chest", "knee"]
    for name in ("head", "chest"):
        # averaging a weight with itself rounds it
        torch.testing.assert_close(after(IMAGE, name), before(IMAGE, name), atol=1e-4, rtol=1e-4)
    assert set(card_with_knee.calibration) == {"head", "chest", "knee"}
    assert {name: card_with_knee.calibration[name] for name in card.calibration} == card.calibration
    # the tutorial's own calibration of the earlier domains, of another network than before
    gentle = ModelCard.load("gentle/model.pt").calibration
    assert set(gentle) == {"head", "chest", "knee"}
    assert gentle["head"] != card.calibration["head"]
    assert not torch.equal(load_model("gentle/model.pt")[0](IMAGE, "head"), before(IMAGE, "head"))
    assert set(ModelCard.load("together/model.pt").calibration) == {"head", "chest", "knee"}
    assert Path("knee_report/report.html").is_file()
    assert len(list(Path("found").glob("*.mrk.json"))) == 8
