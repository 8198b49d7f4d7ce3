# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The bundle for volumes in MONAI Label's own app ``monaibundle``, as it comes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from posed_volumes import POSES, lps_of, write_volume

from monai_gu2net.data import Domain
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import Predictor

pytestmark = [
    pytest.mark.integration,
    # of ITK's modules, which would crash if their import were ended by it
    pytest.mark.filterwarnings("ignore:builtin type [sS]wig:DeprecationWarning"),
]

BUNDLE = Path(__file__).parents[2] / "bundles" / "gu2net_volume"
NAMES = ("tip", "wrist", "thumb")
SIZE = (18, 20, 16)
TINY: dict[str, Any] = {"features": [2, 4], "global_features": 2, "dilations": [1]}
IMAGES = {name.partition(".")[0]: name for name in ("flipped.nii.gz", "oblique.nii.gz", "swapped.nrrd")}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    grid = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij"), axis=-1)
    voxels = np.exp(-((grid - (7, 9, 6)) ** 2).sum(axis=-1) / 8)
    for name in IMAGES.values():
        write_volume(folder / name, voxels, POSES[name])
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # no volume is smaller than what the network sees at once: it finds nothing in a margin
    domain = Domain("hand", NAMES, (16, 16, 16), target_spacing=(0.5, 0.5, 0.5))
    torch.manual_seed(0)
    network = GU2Net(3, 1, {"hand": len(NAMES)}, **TINY)
    card = ModelCard({"hand": domain}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture(scope="module")
def server(studies: Path, model: Path, start_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("apps")
    run = [sys.executable, "-m", "monailabel.main", "apps", "--download", "--name", "monaibundle", "--output"]
    subprocess.run([*run, str(folder)], check=True, timeout=60)
    app = folder / "monaibundle"
    bundle = app / "model" / "gu2net_volume"
    shutil.copytree(BUNDLE, bundle, ignore=shutil.ignore_patterns("*.pt", "output"))
    (bundle / "models").mkdir(exist_ok=True)
    shutil.copy(model, bundle / "models" / "model.pt")
    for name in ("train.json", "inference.json"):
        config = json.loads((bundle / "configs" / name).read_text())
        if "network_def" in config and "features" in config["network_def"]:
            config["network_def"] |= TINY
        config["domain"] = "hand"
        (bundle / "configs" / name).write_text(json.dumps(config))
    arguments = ["-m", "monailabel.main", "start_server", "--app", app, "--studies", studies]
    for name, value in {"models": "gu2net_volume", "zoo_source": "local", "sam2": "false"}.items():
        arguments += ["--conf", name, value]
    endings = '["*.png","*.dcm","*.nii.gz","*.nrrd","*.mrk.json"]'
    with start_server(arguments, environment={"MONAI_LABEL_DATASTORE_FILE_EXT": endings}) as running:
        yield running


def infer(server: Any, image: str, output: str) -> bytes:
    form = urllib.parse.urlencode({"params": "{}"}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/infer/gu2net_volume?image={image}&output={output}"
    answer: bytes = server.request("POST", path, body=form, headers=headers)
    return answer


@pytest.mark.parametrize("image", IMAGES)
def test_the_reply_has_the_voxels_that_predict_finds_and_where_they_lie(
    server: Any, model: Path, studies: Path, image: str
) -> None:
    reply = json.loads(infer(server, image, "json"))
    wanted = Predictor(model).predict(studies / IMAGES[image], "hand")
    assert (reply["domain"], reply["unit"], reply["spacing_source"]) == ("hand", "mm", "file")
    found = np.array([[each[axis] for axis in "xyz"] for each in reply["landmarks"]])
    np.testing.assert_allclose(found, wanted.points_index, atol=0.01)
    lps = [each["lps"] for each in reply["landmarks"]]
    np.testing.assert_allclose(lps, lps_of(studies / IMAGES[image], found), atol=1e-3)


def test_the_mask_lies_on_the_grid_of_the_image(server: Any, studies: Path, tmp_path: Path) -> None:
    (tmp_path / "mask.nii.gz").write_bytes(infer(server, "oblique", "image"))
    mask, image = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(studies / "oblique.nii.gz")
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-4)
    values = np.asarray(mask.dataobj)
    assert set(np.unique(values)) <= {0, 1, 2, 3}
    for each in json.loads(infer(server, "oblique", "json"))["landmarks"]:
        assert values[tuple(round(each[axis]) for axis in "xyz")] > 0, each["name"]
