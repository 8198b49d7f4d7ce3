# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The bundle for volumes as a user runs it, on a few small volumes and with tiny networks."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import monai.bundle
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Randomizable
from scipy.ndimage import map_coordinates

from monai_gu2net.data import Datalist
from monai_gu2net.engines import add_domain
from monai_gu2net.engines.plain_errors import plain_cause
from monai_gu2net.networks import ModelCard, load_model
from monai_gu2net.phantom import make_phantom
from monai_gu2net.prediction import load
from monai_gu2net.transforms import with_mean_shapes

pytestmark = [
    pytest.mark.integration,
    # MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
    pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning"),
    # MONAI warns of every config that it runs
    pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning"),
]

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "gu2net_volume"
TINY: dict[str, Any] = {
    "batches_per_epoch": 2,
    "val_interval": 1,
    "max_epochs": 1,
    "device": "$torch.device('cpu')",
    "network_def#features": [4, 8],
    "network_def#global_features": 8,
    "logging_file": False,
}


def config(name: str, bundle: Path = BUNDLE) -> str:
    return str(bundle / "configs" / name)


def workflow_of(datalist: Path | None, output: Path, bundle: Path = BUNDLE, **options: Any) -> Any:
    """A training workflow, initialized but not run."""
    given = {} if datalist is None else {"datalist": str(datalist)}
    workflow = monai.bundle.ConfigWorkflow(
        config("train.json", bundle), workflow_type="train", output_dir=str(output), **{**TINY, **given, **options}
    )
    workflow.initialize()
    return workflow


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("volumes")
    cases = {"training": 3, "validation": 1, "test": 2}
    return make_phantom(folder, cases=cases, domains=["head_ct"], progress=False)


@pytest.fixture(scope="module")
def trained(volumes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained")
    workflow_of(volumes, output).run()
    return output


def test_training_on_volumes_writes_a_model_a_log_and_a_report(trained: Path) -> None:
    network, card = load_model(trained / "model.pt")
    assert network.spatial_dims == 3
    assert list(card.domains) == ["head_ct"]
    assert card.domains["head_ct"].target_spacing == (4, 4, 4)
    with (trained / "metrics.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["train_loss"]) < math.inf
    summary = json.loads((trained / "report" / "summary.json").read_text())
    assert summary["failures"] == []
    assert {(each["domain"], each["unit"], each["images"]) for each in summary["summaries"]} >= {("head_ct", "mm", 2)}
    assert (trained / "report" / "report.md").is_file()


def test_the_volume_bundle_has_what_monai_asks_of_one(volumes: Path, tmp_path: Path) -> None:
    assert workflow_of(volumes, tmp_path).check_properties() == []


def test_predicting_volumes_writes_their_landmarks(volumes: Path, trained: Path, tmp_path: Path) -> None:
    monai.bundle.run(
        run_id="predicting",
        config_file=config("inference.json"),
        dataset_dir=str(volumes.parent / "head_ct"),
        checkpoint=str(trained / "model.pt"),
        output_dir=str(tmp_path),
        device="$torch.device('cpu')",
        logging_file=False,
    )
    images = sorted(path.name for path in (volumes.parent / "head_ct").glob("*.nii.gz"))
    assert sorted(path.name for path in (tmp_path / "prediction").glob("*.csv")) == [f"{name}.csv" for name in images]


def test_evaluating_volumes_gives_the_report_of_training(volumes: Path, trained: Path, tmp_path: Path) -> None:
    monai.bundle.run(
        run_id="evaluating",
        config_file=[config("train.json"), config("evaluate.json")],
        datalist=str(volumes),
        checkpoint=str(trained / "model.pt"),
        output_dir=str(tmp_path),
        device="$torch.device('cpu')",
        logging_file=False,
    )
    found, expected = (json.loads((each / "report" / "summary.json").read_text()) for each in (tmp_path, trained))
    assert found["summaries"] == expected["summaries"]


def test_the_exported_network_of_volumes_finds_what_the_trained_one_does(trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "model.pt"
    monai.bundle.ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(checkpoint),
        meta_file=config("metadata.json"),
        config_file=config("inference.json"),
        checkpoint=str(checkpoint),
        domain="head_ct",
    )
    volume = torch.randn(1, 1, 24, 16, 32)
    with torch.inference_mode():
        exported = torch.jit.load(tmp_path / "model.ts").eval()(volume)
        expected = load_model(checkpoint)[0](volume, "head_ct")
    torch.testing.assert_close(exported, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("bundle", "sigma"), [("gu2net", 2.0), ("gu2net", 3.0), ("gu2net_volume", 2.0)])
def test_the_prior_is_the_mean_of_a_target(
    bundle: str, sigma: float, tiny_phantom: Path, volumes: Path, tmp_path: Path
) -> None:
    """One of peak 1 about the middle of the largest input, by NumPy: a product of one for each axis."""
    datalist = volumes if bundle == "gu2net_volume" else tiny_phantom
    workflow = workflow_of(datalist, tmp_path, ROOT / "bundles" / bundle, sigma=sigma)
    sizes = [domain.size for domain in Datalist.load(datalist).domains.values()]
    size = max(sizes, key=math.prod)
    expected = math.prod(np.exp(-0.5 * ((np.arange(n) - n / 2) / sigma) ** 2).mean() for n in size)
    prior = workflow.network_def.description["options"]["prior"]
    assert prior == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("bundle", "refused"), [("gu2net", "head_ct"), ("gu2net_volume", "head")])
def test_radiographs_and_volumes_in_one_training_are_refused(bundle: str, refused: str, tmp_path: Path) -> None:
    mixed = make_phantom(tmp_path / "mixed", cases={"training": 1}, domains=["head", "head_ct"], progress=False)
    kind = {"head_ct": "radiographs", "head": "volumes"}[refused]
    with pytest.raises(RuntimeError) as raised:
        workflow_of(mixed, tmp_path / "output", ROOT / "bundles" / bundle).run()
    said = str(plain_cause(raised.value))
    assert said.startswith(f"Domain {refused!r} must be of {kind} ")
    assert "--domains" in said
    alone = [name for name in ("head", "head_ct") if name != refused]
    chosen = workflow_of(mixed, tmp_path / "output", ROOT / "bundles" / bundle, domains=alone)
    assert chosen.network_def.domain_names == alone


def test_volumes_do_not_go_on_from_a_model_of_radiographs(volumes: Path, tmp_path: Path) -> None:
    shipped = ROOT / "bundles" / "gu2net" / "models" / "model.pt"
    with pytest.raises(RuntimeError) as raised:
        workflow_of(volumes, tmp_path, start_from=str(shipped)).run()
    assert str(plain_cause(raised.value)).startswith("Domain 'head' must be of volumes (3 axes), as the network ")


def test_a_card_of_radiographs_and_volumes_builds_no_network(volumes: Path, tiny_phantom: Path) -> None:
    domains = {**Datalist.load(tiny_phantom).domains, **Datalist.load(volumes).domains}
    with pytest.raises(ValueError, match=r"'head_ct' must be of radiographs \(2 axes\), .* got size \(40, 40, 48\)"):
        ModelCard(domains, {"name": "GU2Net"}).build_network()


def test_what_is_shown_in_training_is_of_the_domains_size_and_its_points_may_lie_outside(
    volumes: Path, tmp_path: Path
) -> None:
    """Also where a volume is larger than what the network sees at once."""
    data = Datalist.load(volumes)
    small = tmp_path / "datalist.json"
    content = json.loads(volumes.read_text())
    content["domains"]["head_ct"]["size"] = [24, 28, 20]
    for split in ("training", "validation", "test"):
        content[split] = [{**case, "image": str(volumes.parent / case["image"])} for case in content[split]]
    small.write_text(json.dumps(content))
    workflow = workflow_of(small, tmp_path)
    outside = 0
    for sample in workflow.parser.get_parsed_content("train#dataset"):
        assert sample["image"].shape == (1, 24, 28, 20)
        points = sample["points"].numpy()
        assert np.isfinite(points).all(axis=1).sum() == sum(p is not None for p in _case(data, sample)["landmarks"])
        outside += int(((points < 0) | (points > np.array([23, 27, 19]))).any(axis=1).sum())
    assert outside > 5


def _case(data: Datalist, sample: dict[str, Any]) -> dict[str, Any]:
    return next(case for case in data.training if case["case"] == sample["case"])


def test_one_number_turns_training_into_that_of_any_pose(volumes: Path, tmp_path: Path) -> None:
    default, any_pose = workflow_of(volumes, tmp_path), workflow_of(volumes, tmp_path, rotation=180)
    assert [w.parser.get_parsed_content("augmentation#0").rotate for w in (default, any_pose)] == [15, 180]


def test_each_difference_for_volumes_is_to_something_that_the_template_has() -> None:
    """A change to a place that is gone would be one to nothing; the rotation and options of a part may be new."""
    for name, changes in json.loads((ROOT / "bundles" / "volume.json").read_text()).items():
        template = ConfigParser(json.loads((ROOT / "bundles" / "template" / "configs" / name).read_text()))
        for place in changes.keys() - {"rotation"}:
            assert template[place.rpartition("#")[0] or place] is not None  # raises where there is none
        assert name in ("train.json", "inference.json")
    augmentation = json.loads((ROOT / "bundles" / "template" / "configs" / "train.json").read_text())["augmentation"]
    changed = [each["_target_"].rpartition(".")[2] for each in augmentation[:2]]
    assert changed == ["RandAffined", "RandElasticLandmarksd"]


def test_landmarks_stay_where_they_were_through_all_of_the_augmentation(volumes: Path, tmp_path: Path) -> None:
    """The volume holds its own millimetres, and ones; SciPy looks up what is shown at each landmark in the end."""
    workflow = workflow_of(volumes, tmp_path, rotation=180)
    moves = [
        each
        for each in (
            *workflow.parser.get_parsed_content("augmentation"),
            workflow.parser.get_parsed_content("window"),
            workflow.parser.get_parsed_content("to_points"),
        )
        if not type(each).__name__.startswith(("RandAdjust", "RandScale", "RandShift", "RandGaussian"))
    ]
    assert len(moves) == 5
    domain = Datalist.load(volumes).domains["head_ct"]
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = (-70, -90, 20)
    index = np.stack(np.meshgrid(*map(np.arange, (44, 40, 56)), indexing="ij"))
    held = np.concatenate([index * 4 + affine[:3, 3].reshape(3, 1, 1, 1), np.ones((1, *index.shape[1:]))])
    landmarks = np.random.default_rng(0).uniform(10, 30, (22, 3)) * 4 + affine[:3, 3]
    swapped, looked_up = 0, 0
    for seed in range(12):
        sample: Any = {
            "image": MetaTensor(torch.as_tensor(held).float(), affine=torch.as_tensor(affine)),
            "landmarks": torch.as_tensor(landmarks),
            "domain": "head_ct",
        }
        for move in moves:
            if isinstance(move, Randomizable):
                move.set_random_state(seed)
            sample = move(sample)
        image, points = sample["image"].numpy(), sample["points"].numpy()
        *found, ones = (map_coordinates(channel, points.T, order=1, mode="nearest") for channel in image)
        size = np.array(image.shape[1:])
        seen = ((points > 1) & (points < size - 2)).all(axis=1) & (np.abs(ones - 1) < 1e-3)
        near = [
            np.abs(np.stack(found, axis=1) - each)[seen].max()
            for each in (landmarks, landmarks[list(domain.mirror_order)])
        ]
        assert min(near) < 0.3
        swapped += int(near[1] < near[0])
        looked_up += int(seen.sum())
    assert 1 <= swapped <= 11
    assert looked_up > 100


def test_the_bundle_of_one_domain_of_a_model_of_volumes_is_one_of_volumes(trained: Path, tmp_path: Path) -> None:
    make = [sys.executable, str(ROOT / "bundles" / "make.py"), str(tmp_path), "--domain", "head_ct", "--checkpoint"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([*make, str(trained / "model.pt")], check=True, env=environment, timeout=300)
    made = tmp_path / "gu2net_head_ct" / "configs"
    content = json.loads((made / "train.json").read_text())
    assert content["spatial_dims"] == 3
    assert content["network_def"]["features"] == [4, 8]
    assert content["augmentation"][0]["_target_"] == "monai_gu2net.transforms.RandPosed"
    loaded = monai.bundle.load("gu2net_head_ct", bundle_dir=tmp_path, device="cpu").eval()
    volume = torch.randn(1, 1, 16, 24, 20)
    with torch.inference_mode():
        expected = load_model(trained / "model.pt")[0](volume, "head_ct")
        torch.testing.assert_close(loaded(volume), expected)


def test_a_domain_of_volumes_is_added_to_a_model_of_volumes_by_the_bundle_of_volumes(
    volumes: Path, trained: Path, tmp_path: Path
) -> None:
    content = json.loads(volumes.read_text())
    head = content["domains"].pop("head_ct")
    content["domains"]["skull"] = {**head, "landmarks": head["landmarks"][:4], "mirror": []}
    for split in ("training", "validation", "test"):
        for case in content[split]:
            case |= {"domain": "skull", "image": str(volumes.parent / case["image"])}
            case["landmarks"] = case["landmarks"][:4]
    new = tmp_path / "skulls.json"
    new.write_text(json.dumps(content))
    options = {name: TINY[name] for name in ("batches_per_epoch", "max_epochs", "device", "logging_file")}
    add = {"output_dir": tmp_path / "added", "options": options}
    with pytest.raises(ValueError, match=r"'head_ct' must be of radiographs .* gu2net_volume for volumes"):
        add_domain(trained / "model.pt", new, config_file=config("train.json", ROOT / "bundles" / "gu2net"), **add)
    path = add_domain(trained / "model.pt", new, config_file=config("train.json"), **add)
    network, card = load_model(path)
    assert list(card.domains) == ["head_ct", "skull"]
    volume = torch.randn(1, 1, 16, 16, 16)
    with torch.inference_mode():
        assert network(volume, "skull").shape == (1, 4, 16, 16, 16)
        before = load_model(trained / "model.pt")[0]
        assert torch.equal(network(volume, "head_ct"), before(volume, "head_ct"))


@pytest.fixture(scope="module")
def any_pose(volumes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same volumes, found in any pose, and a model of them."""
    output = tmp_path_factory.mktemp("any_pose")
    data = with_mean_shapes(Datalist.load(volumes), any_pose=True)
    workflow_of(data.save(output / "data.json"), output).run()
    return output


def test_a_model_of_volumes_in_any_pose_is_trained_evaluated_and_keeps_their_shape(any_pose: Path) -> None:
    shape = Datalist.load(any_pose / "data.json").domains["head_ct"].mean_shape
    assert shape is not None
    assert ModelCard.load(any_pose / "model.pt").domains["head_ct"].mean_shape == shape
    summary = json.loads((any_pose / "report" / "summary.json").read_text())
    assert summary["failures"] == []


def test_the_bundle_sees_volumes_in_any_pose_as_prediction_does(any_pose: Path, volumes: Path, tmp_path: Path) -> None:
    image = next((volumes.parent / "head_ct").glob("*.nii.gz"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / image.name).write_bytes(image.read_bytes())
    monai.bundle.run(
        run_id="predicting",
        config_file=config("inference.json"),
        dataset_dir=str(tmp_path / "images"),
        checkpoint=str(any_pose / "model.pt"),
        output_dir=str(tmp_path),
        device="$torch.device('cpu')",
        backend="torch",
        logging_file=False,
    )
    written = tmp_path / "prediction" / f"{image.name}.json"
    found = load(any_pose / "model.pt", backend="torch").predict(image)
    points = [[each[axis] for axis in "xyz"] for each in json.loads(written.read_text())["landmarks"]]
    np.testing.assert_allclose(points, found.points_index, atol=1e-3)
    assert found.orientation.startswith("turned by ")
