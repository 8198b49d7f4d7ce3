# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The bundles in MONAI Label's own app ``monaibundle``, as it comes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from monai_gu2net.data import Datalist
from monai_gu2net.label_app.pairs import read_discs
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model
from monai_gu2net.prediction import Predictor

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
TINY: dict[str, Any] = {"features": [4, 8], "global_features": 4, "dilations": [1, 2]}
SPACING = 0.2  # mm, of the DICOM and the NIfTI image
IMAGES = {"picture": ".png", "radiograph": ".dcm", "volume": ".nii.gz"}


@pytest.fixture(scope="module")
def model(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the phantom's domains, untrained: where its landmarks are is of no account here."""
    data = Datalist.load(tiny_phantom)
    torch.manual_seed(0)
    network = GU2Net(2, 1, data.landmark_counts, **TINY)
    card = ModelCard(dict(data.domains), network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture(scope="module")
def app(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app with a bundle of one domain and the universal one."""
    folder = tmp_path_factory.mktemp("apps")
    run = [sys.executable, "-m", "monailabel.main", "apps", "--download", "--name", "monaibundle", "--output"]
    subprocess.run([*run, str(folder)], check=True, timeout=60)
    app = folder / "monaibundle"
    make = [sys.executable, str(ROOT / "bundles" / "make.py"), str(app / "model")]
    subprocess.run([*make, "--domain", "head", "--checkpoint", str(model)], check=True, timeout=60)
    shutil.copytree(
        ROOT / "bundles" / "gu2net", app / "model" / "gu2net", ignore=shutil.ignore_patterns("*.pt", "output")
    )
    (app / "model" / "gu2net" / "models").mkdir(exist_ok=True)
    shutil.copy(model, app / "model" / "gu2net" / "models")
    for config in (app / "model").glob("*/configs/train.json"):  # the network that a configuration describes
        content = json.loads(config.read_text())
        content["network_def"] |= TINY
        config.write_text(json.dumps(content))
    return app


@pytest.fixture(scope="module")
def studies(tiny_phantom: Path, make_dicom: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture in three formats, and the phantom's annotated ones."""
    folder = tmp_path_factory.mktemp("studies")
    data = Datalist.load(tiny_phantom).only(["head"])
    shutil.copy(data.test[0]["image"], folder / "picture.png")
    with Image.open(folder / "picture.png") as image:
        pixels = np.asarray(image).astype(np.uint16) * 16
    make_dicom(folder / "radiograph.dcm", pixels, ImagerPixelSpacing=[SPACING, SPACING])
    affine = np.diag([-SPACING, -SPACING, 1.0, 1.0])
    affine[:2, 3] = 7, -5
    nibabel.save(nibabel.Nifti1Image(pixels.T[:, :, None].astype(np.int16), affine), folder / "volume.nii.gz")
    return folder


@pytest.fixture(scope="module")
def server(app: Path, studies: Path, start_server: Any) -> Iterator[Any]:
    arguments = ["-m", "monailabel.main", "start_server", "--app", app, "--studies", studies]
    for name, value in {"models": "gu2net_head,gu2net", "zoo_source": "local", "sam2": "false"}.items():
        arguments += ["--conf", name, value]
    with start_server(arguments) as server:
        yield server


@pytest.fixture(scope="module")
def expected(model: Path, studies: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What ``predict`` writes of each image, by domain and file."""
    found = {}
    for domain in ("head", "hand"):
        output = tmp_path_factory.mktemp(domain)
        images = [studies / f"{name}{ending}" for name, ending in IMAGES.items()]
        _, failures = Predictor(model).predict_files(images, output_dir=output, domain=domain, formats=["json"])
        assert failures == []
        for name in IMAGES:
            found[f"{domain}/{name}"] = json.loads((output / f"{name}.json").read_text())
    return found


def infer(server: Any, model: str, image: str, *, output: str = "json", **params: Any) -> bytes:
    form = urllib.parse.urlencode({"params": json.dumps(params)}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer: bytes = server.request("POST", f"/infer/{model}?image={image}&output={output}", body=form, headers=headers)
    return answer


def test_a_model_for_each_bundle_is_listed_with_its_landmarks(server: Any, model: Path) -> None:
    info = server.get_json("/info/")
    assert set(info["models"]) == {"gu2net_head", "gu2net"}
    assert set(info["models"]["gu2net_head"]["labels"]) == set(ModelCard.load(model).domains["head"].landmarks)
    assert info["models"]["gu2net"]["config"]["domain"] == "head"
    assert set(info["trainers"]) == {"gu2net_head", "gu2net"}


@pytest.mark.parametrize("image", IMAGES)
def test_the_reply_has_the_points_that_predict_finds(server: Any, expected: dict[str, Any], image: str) -> None:
    reply, wanted = json.loads(infer(server, "gu2net_head", image)), expected[f"head/{image}"]
    assert {key: reply[key] for key in ("domain", "unit", "spacing_source")} == {
        "domain": "head",
        "unit": {"picture": "px", "radiograph": "mm", "volume": "mm"}[image],
        "spacing_source": {"picture": "none", "radiograph": "detector", "volume": "file"}[image],
    }
    assert [each["name"] for each in reply["landmarks"]] == [each["name"] for each in wanted["landmarks"]]
    assert [each["index"] for each in reply["landmarks"]] == list(range(len(wanted["landmarks"])))
    for found, known in zip(reply["landmarks"], wanted["landmarks"], strict=True):
        assert (found["x"], found["y"]) == pytest.approx((known["x"], known["y"]), abs=0.01)
        assert found["confidence"] == pytest.approx(known["confidence"], abs=1e-5)
        if image == "picture":
            assert "lps" not in found
        else:
            assert found["lps"] == pytest.approx([SPACING * found["x"], SPACING * found["y"], 0], abs=1e-3)


def test_the_domain_can_be_named_in_a_request(server: Any, expected: dict[str, Any]) -> None:
    for domain in ("hand", "head"):
        reply = json.loads(infer(server, "gu2net", "radiograph", domain=domain))
        assert reply["domain"] == domain
        found = [(each["name"], each["x"], each["y"]) for each in reply["landmarks"]]
        wanted = [(each["name"], each["x"], each["y"]) for each in expected[f"{domain}/radiograph"]["landmarks"]]
        assert [name for name, *_ in found] == [name for name, *_ in wanted]
        np.testing.assert_allclose([xy for _, *xy in found], [xy for _, *xy in wanted], atol=0.01)


def test_the_spacing_can_be_given_in_a_request(server: Any) -> None:
    reply = json.loads(infer(server, "gu2net_head", "picture", spacing=[0.5, 0.25]))
    assert (reply["unit"], reply["spacing_source"]) == ("mm", "case")
    first = reply["landmarks"][0]
    assert first["lps"] == pytest.approx([0.5 * first["x"], 0.25 * first["y"], 0], abs=1e-3)


@pytest.mark.parametrize("image", IMAGES)
def test_the_mask_is_a_file_of_the_images_kind_with_discs_at_the_points(
    server: Any, expected: dict[str, Any], studies: Path, tmp_path: Path, image: str
) -> None:
    path = tmp_path / f"mask{IMAGES[image]}"
    path.write_bytes(infer(server, "gu2net_head", image, output="image"))
    if image == "picture":
        mask = np.asarray(Image.open(path)).T
    elif image == "radiograph":
        mask = pydicom.dcmread(path).pixel_array.T
    else:
        written, original = nibabel.load(path), nibabel.load(studies / "volume.nii.gz")
        assert written.shape == original.shape
        np.testing.assert_allclose(written.affine, original.affine, atol=1e-5)
        mask = np.asarray(written.dataobj)[:, :, 0]
    with Image.open(studies / "picture.png") as picture:
        assert mask.shape == picture.size
    points = np.array([(each["x"], each["y"]) for each in expected[f"head/{image}"]["landmarks"]])
    pixels = np.argwhere(np.ones_like(mask))
    away = np.linalg.norm(pixels[:, None] - points, axis=-1).reshape(*mask.shape, -1)
    nearest = away.min(axis=-1)
    np.testing.assert_array_equal(mask[np.abs(nearest - 3) > 0.01] > 0, nearest[np.abs(nearest - 3) > 0.01] < 3)
    own = np.take_along_axis(away, np.maximum(mask.astype(int) - 1, 0)[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(own[mask > 0], nearest[mask > 0], atol=0.01)
    again = read_discs(path, studies / f"{image}{IMAGES[image]}", landmarks=[f"l{n}" for n in range(len(points))])
    whole = [index for index in range(len(points)) if (mask == index + 1).sum() > 25]  # hidden by none of the others
    assert whole
    np.testing.assert_allclose(again.points[whole], points[whole], atol=0.5)


def test_an_unknown_domain_is_refused(server: Any) -> None:
    with pytest.raises(urllib.error.HTTPError, match="500"):
        infer(server, "gu2net_head", "picture", domain="knee")
    _wait_until(lambda: "domain must be among the model's ['head']; got 'knee'" in server.tail())


def test_training_learns_from_point_lists_and_discs(
    server: Any, app: Path, studies: Path, tiny_phantom: Path, tmp_path: Path
) -> None:
    data = Datalist.load(tiny_phantom).only(["head"])
    names = data.domains["head"].landmarks
    for number, case in enumerate((*data.training, *data.validation)):
        name = f"case{number}"
        shutil.copy(case["image"], studies / f"{name}.png")
        points = np.array([[np.nan, np.nan] if point is None else point for point in case["landmarks"]])
        if number == 0:
            with Image.open(case["image"]) as image:
                mask = np.zeros(image.size, dtype=np.uint8)
            for value in np.flatnonzero(~np.isnan(points[:, 0])) + 1:
                x, y = np.round(points[value - 1]).astype(int)
                mask[x - 1 : x + 2, y - 1 : y + 2] = value
            label = tmp_path / "label.png"
            Image.fromarray(mask.T).save(label)
        else:
            label = tmp_path / "label.mrk.json"
            write_markups(label, LandmarkSet(names, points, "index"), unit="px")
        _wait_until(lambda name=name: name in server.get_json("/datastore/?output=all")["objects"])
        put_label(server, name, label)
    model = app / "model" / "gu2net_head" / "models" / "model.pt"
    before, first = load_model(model)[0].state_dict(), json.loads(infer(server, "gu2net_head", "case4"))["model"]
    server.post_json("/train/gu2net_head", {"max_epochs": 2, "val_split": 0.2})
    _wait_until(lambda: server.get_json("/train/")["status"] not in ("SUBMITTED", "RUNNING"), seconds=120)
    assert server.get_json("/train/")["status"] == "DONE"
    log = server.log.read_text()
    assert "Left out" not in log
    assert "val_mre_px" in log
    after, card = load_model(model)
    assert list(card.domains) == ["head"]
    assert card.provenance["data"] == "labels"
    assert card.provenance["training_cases"] == 4
    assert any(not torch.equal(value, before[name]) for name, value in after.state_dict().items())
    assert not list(model.parent.glob("*.part"))
    again = json.loads(infer(server, "gu2net_head", "case4"))
    assert again["model"]["version"] != first["version"]


def put_label(server: Any, image: str, label: Path) -> None:
    """``PUT /datastore/label``, as MONAI Label's clients do it."""
    boundary = "boundary-of-the-test"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="label"; filename="{label.name}"\r\n'
    body = (head + "Content-Type: application/octet-stream\r\n\r\n").encode() + label.read_bytes()
    body += f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    server.request("PUT", f"/datastore/label?image={image}&tag=final", body=body, headers=headers)


def _wait_until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.3)
