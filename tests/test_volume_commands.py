# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The commands on volumes, with a tiny model that finds the brightest place of each."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from monai_gu2net import load
from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist, Domain
from monai_gu2net.networks import ModelCard, UShapedNet, load_model, save_model

SIZE, TARGET, FILE_SPACING = (20, 16, 12), (1.5, 1.5, 2.0), (1.0, 1.25, 0.75)
DOMAIN = Domain("skull", ("bright",), SIZE, orientation="LPS", target_spacing=TARGET)


def brightest_network(seed_bias: float = -8.0) -> UShapedNet:
    """Passes the image through: the logits are its values of deviation 1, moved down."""
    network = UShapedNet(3, 1, {"skull": 1}, features=(1,))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "norm" not in name:
                weight.zero_()
            if weight.ndim == 5:
                weight[..., weight.shape[2] // 2, weight.shape[3] // 2, weight.shape[4] // 2] = 1
        network.exit.domains[0].bias.fill_(seed_bias)  # type: ignore[union-attr, operator]
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, and a datalist of volumes of anisotropic voxels whose landmark is where a paraboloid has its vertex."""
    folder = tmp_path_factory.mktemp("volumes")
    network = brightest_network()
    save_model(folder / "model.pt", network, ModelCard({"skull": DOMAIN}, network.description))
    rng = np.random.default_rng(0)
    cases: dict[str, list[dict[str, object]]] = {"training": [], "validation": [], "test": []}
    for index in range(16):
        split = "test" if index < 4 else "validation"
        # every third is larger than what is seen at once, and the others smaller
        shape = (44, 22, 26) if index % 3 == 0 else (26, 18, 30)
        place = np.array([rng.uniform(8, shape[0] - 9), rng.uniform(6, shape[1] - 7), rng.uniform(9, shape[2] - 10)])
        grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        squares = (((grid - place) * FILE_SPACING) ** 2).sum(axis=-1)
        # the axes lead to the back, to the right and downwards
        affine = np.zeros((4, 4))
        affine[1, 0], affine[0, 1], affine[2, 2], affine[3, 3] = -1.0, 1.25, -0.75, 1.0
        affine[:3, 3] = (30.0, -20.0, 7.0)
        path = folder / f"case{index}.nii.gz"
        nibabel.save(nibabel.Nifti1Image((900 - np.minimum(squares, 90)).astype(np.float32), affine), path)
        annotated = place + np.array([0.0, 0.0, rng.normal(0, 0.8)]) if split == "validation" else place
        cases[split].append(
            {"image": str(path), "domain": "skull", "case": path.name[:-7], "landmarks": [annotated.tolist()]}
        )
    content = {"name": "paraboloids", "domains": {"skull": DOMAIN.to_dict()}, **cases}
    (folder / "datalist.json").write_text(json.dumps(content))
    return folder


def places(folder: Path) -> dict[str, np.ndarray]:
    """Of the test cases, in RAS mm, by nibabel."""
    return {
        str(case["case"]): nibabel.affines.apply_affine(
            nibabel.load(case["image"]).affine, np.array(case["landmarks"], dtype=float)
        )
        for case in Datalist.load(folder / "datalist.json").test
    }


def lps_of(folder: Path, case: str) -> list[float]:
    """The place that a file for Slicer has, which is LPS."""
    [markups] = json.loads((folder / f"{case}.mrk.json").read_text())["markups"]
    assert markups["coordinateSystem"] == "LPS"
    position: list[float] = markups["controlPoints"][0]["position"]
    return position


def test_predict_finds_the_place_in_the_voxels_and_millimetres_of_each_file(folder: Path, tmp_path: Path) -> None:
    images = [str(case["image"]) for case in Datalist.load(folder / "datalist.json").test]
    assert main(["predict", "-m", str(folder / "model.pt"), "-o", str(tmp_path), *images, "--formats", "mrk.json"]) == 0
    for case, world in places(folder).items():
        np.testing.assert_allclose(lps_of(tmp_path, case), world[0] * (-1, -1, 1), atol=0.2)


@pytest.mark.parametrize(
    "options", [["--backend", "torch"], ["--backend", "openvino"], ["--backend", "onnxruntime"], ["--tta", "3"]]
)
def test_engines_and_augmentation_find_the_same_places(folder: Path, tmp_path: Path, options: list[str]) -> None:
    images = [str(case["image"]) for case in Datalist.load(folder / "datalist.json").test[:2]]
    assert (
        main(
            ["predict", "-m", str(folder / "model.pt"), "-o", str(tmp_path), *options, *images, "--formats", "mrk.json"]
        )
        == 0
    )
    for image in images:
        case = Path(image).name[:-7]
        np.testing.assert_allclose(lps_of(tmp_path, case), places(folder)[case][0] * (-1, -1, 1), atol=0.4)


def test_a_volume_is_evaluated_in_millimetres_and_calibrated_by_a_sphere(folder: Path, tmp_path: Path) -> None:
    calibrated = tmp_path / "calibrated.pt"
    arguments = ["-m", str(folder / "model.pt"), "--datalist", str(folder / "datalist.json")]
    assert main(["calibrate", *arguments, "-o", str(calibrated)]) == 0
    images = [str(case["image"]) for case in Datalist.load(folder / "datalist.json").test]
    found = load(calibrated).predict(images[1])
    assert found.radius is not None
    assert found.spread is not None
    calibration = ModelCard.load(calibrated).calibration["skull"]
    # the radius is one length in mm, whatever the lengths of the voxels
    quantile, scale = calibration["quantiles"]["0.9"], calibration["scales"][0]
    np.testing.assert_allclose(found.radius, quantile * scale * found.spread, rtol=1e-6)
    np.testing.assert_allclose(found.radius_index, found.radius[:, None] / [FILE_SPACING], rtol=1e-5)

    report = tmp_path / "report"
    assert main(["evaluate", "-m", str(calibrated), *arguments[2:], "-o", str(report)]) == 0
    with (report / "landmarks.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert {row["unit"] for row in rows} == {"mm"}
    # the grid of 1.5, 1.5 and 2 mm is interpolated linearly: 0.2 mm along each axis
    assert max(float(row["error"]) for row in rows) < 0.35
    affine = nibabel.load(images[0]).affine
    for row in rows:
        predicted = nibabel.affines.apply_affine(affine, [float(row[f"predicted_{axis}"]) for axis in "xyz"])
        distance = np.linalg.norm(predicted - places(folder)[row["case"]][0])
        assert float(row["error"]) == pytest.approx(distance, abs=1e-3)

    other = tmp_path / "other"
    assert main(["evaluate", *arguments, "-o", str(other), "--tta", "2"]) == 0
    assert main(["report", "compare", str(report), str(other), "-o", str(tmp_path / "compared")]) == 0
    assert main(["info", str(calibrated)]) == 0


# MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names, and warns of every config that it runs
@pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")
@pytest.mark.integration
def test_a_new_domain_of_volumes_leaves_what_the_model_finds_in_the_other(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "datalist.json").read_text())
    cases = [{**case, "domain": "jaw"} for case in content["validation"]]
    jaw = {
        "name": "jaws",
        "domains": {"jaw": DOMAIN.to_dict()},
        "training": cases[:4],
        "validation": cases[4:6],
        "test": [],
    }
    (tmp_path / "jaw.json").write_text(json.dumps(jaw))
    arguments = ["-m", str(folder / "model.pt"), "--datalist", str(tmp_path / "jaw.json"), "-o", str(tmp_path / "new")]
    bundle = Path(__file__).parents[1] / "bundles" / "gu2net_volume" / "configs" / "train.json"
    quick = ["--config-file", str(bundle), "--max-epochs", "1", "--batches-per-epoch", "1", "--batch-size", "1"]
    assert main(["add-domain", *arguments, *quick]) == 0
    network, card = load_model(tmp_path / "new" / "model.pt")
    before, _ = load_model(folder / "model.pt")
    assert list(card.domains) == ["skull", "jaw"]
    assert network.spatial_dims == 3
    image = torch.linspace(-1, 1, 20 * 16 * 12).reshape(1, 1, 20, 16, 12).sin()
    with torch.no_grad():
        torch.testing.assert_close(network(image, "skull"), before(image, "skull"), atol=1e-4, rtol=1e-4)


def test_the_spread_in_millimetres_follows_the_lengths_of_the_voxels() -> None:
    from monai_gu2net.transforms import gaussian_heatmaps
    from monai_gu2net.uncertainty import heatmap_spread, spread_in_world

    points = torch.tensor([[[15.0, 15.0, 15.0]]])
    logits = gaussian_heatmaps(points, (31, 31, 31), sigma=2.0).clamp(1e-9, 1 - 1e-6).logit()
    affine = torch.tensor([[0.0, 0.5, 0.0, 3.0], [-1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 3.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    # of independent axes the squares add up: 2 px times 1, 0.5 and 3 mm
    expected = 2 * np.sqrt(1 + 0.25 + 9)
    assert spread_in_world(heatmap_spread(logits, points), affine).item() == pytest.approx(expected, rel=0.05)
