# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The commands of ``docs/how_to/label_tutorial.md``, in their order, with a tiny network, annotated in a browser."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.landmarks.formats import read_markups
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model

ROOT = Path(__file__).parents[2]


def _load(name: str) -> ModuleType:
    """A module beside this file."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


chromium = _load("chromium")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not os.environ.get("CI") and (chromium.PROGRAM is None or shutil.which("curl") is None),
        reason="needs the Debian packages chromium and curl",
    ),
]


@pytest.fixture
def folder(tiny_phantom: Path, tmp_path: Path) -> Path:
    """The working directory: an untrained model."""
    head = Datalist.load(tiny_phantom).only(["head"])
    network = GU2Net(2, 1, head.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({name: domain.resized((64, 64)) for name, domain in head.domains.items()}, network.description)
    save_model(tmp_path / "model.pt", network, card)
    return tmp_path


@pytest.fixture
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium.Chromium(tmp_path_factory.mktemp("browser")) as running:
        yield running
        assert running.errors() == []


def truth(folder: Path) -> dict[str, np.ndarray]:
    """(N, 2) points in pixels of each radiograph, by its name; NaN: absent."""
    data = Datalist.load(folder / "phantom" / "datalist.json")
    nowhere = [np.nan, np.nan]
    return {
        Path(case["image"]).stem: np.array([point or nowhere for point in case["landmarks"]], dtype=float)
        for case in data.cases("all")
    }


def annotate(browser: Any, url: str, folder: Path) -> None:
    """Put every point of every image to its true place with the mouse, until no image is left."""
    true = truth(folder)
    browser.open(f"{url}/gu2net/")
    for _ in true:
        browser.wait(
            "document.querySelector('#state').textContent === 'Not submitted' && document.querySelector('#busy').hidden"
        )
        name = browser.js("document.querySelector('#image').value")
        for index, point in enumerate(true[name]):
            row, place = f'tr[data-index="{index}"]', place_of(browser, point)
            browser.click(f"{row} button")
            browser.key("0")
            browser.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # drawn
            start = browser.center(f'g.point[data-index="{index}"] .hold')
            is_absent = browser.js(f"document.querySelector('{row} input').checked")
            if not is_absent and not np.isnan(point).any() and 0 < start[0] < 900 and 0 < start[1] < 770:
                browser.drag(start, np.subtract(place, start).tolist(), steps=1)
                continue
            browser.key("Delete")  # what the model finds beside the image is there to be seen, but not to be dragged
            if not np.isnan(point).any():
                browser.click(place)
        browser.key("s")
        browser.wait("document.querySelector('#state').textContent === 'Saved'")
        browser.key("n")
    browser.wait("document.querySelector('#alert-text').textContent.includes('no image without a label left')")


def place_of(browser: Any, point: np.ndarray) -> tuple[float, float]:
    """Where a pixel of the whole image, which is as high as the page's view, is on the screen."""
    if np.isnan(point).any():
        return np.nan, np.nan
    x, y = browser.js(
        f"(() => {{ const viewer = document.querySelector('#viewer').getBoundingClientRect();"
        " const size = document.querySelector('#size').textContent.match(/(\\d+) x (\\d+) px/).slice(1).map(Number);"
        " const scale = Math.min(viewer.width / size[0], viewer.height / size[1]);"
        f" return [viewer.x + viewer.width / 2 + ({point[0]} + 0.5 - size[0] / 2) * scale,"
        f" viewer.y + viewer.height / 2 + ({point[1]} + 0.5 - size[1] / 2) * scale]; }})()"
    )
    return x, y


def test_the_commands_of_the_tutorial_lead_from_a_folder_of_images_to_a_retrained_model(
    folder: Path, browser: Any, start_server: Any
) -> None:
    text = (ROOT / "docs" / "how_to" / "label_tutorial.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"OMP_NUM_THREADS": "1"}
    url = None
    with ExitStack() as servers:
        for command in commands:
            if command.startswith("monai-gu2net label"):
                arguments = [
                    str(folder / word) if word in ("radiographs", "model.pt") else word
                    for word in shlex.split(command)[1:]
                ]
                server = servers.enter_context(start_server(["-m", "monai_gu2net", *arguments]))
                url = server.url
                continue
            if url is not None:
                command = command.replace("http://127.0.0.1:8000", url)
            command = command.replace('"max_epochs": 20', '"max_epochs": 1, "batches_per_epoch": 1, "validation": 0.3')
            if "scoring/radial_error" in command:
                annotate(browser, url, folder)
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        pre_labels = json.loads((folder / "pre_labels.json").read_text())

    true = truth(folder)
    assert set(pre_labels) == set(true)
    studies = folder / "radiographs"
    for name, points in true.items():
        saved = read_markups(studies / "labels" / "final" / f"{name}.mrk.json", dims=2)
        # a mouse goes to whole pixels of the screen, which are smaller than those of the image
        np.testing.assert_allclose(saved.points, points, atol=1.0)
    corrections = json.loads((folder / "corrections.json").read_text())
    assert corrections["scores"].keys() == true.keys()
    training = json.loads((folder / "training.json").read_text())
    assert "replaced" in json.dumps(training)
    assert load_model(studies / "gu2net_app" / "model" / "model.pt")[1].domains.keys() == {"head"}
    assert len(list((folder / "found").glob("*.mrk.json"))) == len(true)
