# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from monai_gu2net import load
from monai_gu2net.__main__ import main
from monai_gu2net.data import Domain
from monai_gu2net.export import DETECTOR_FORMATS, LandmarkDetector, export_detectors
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "bundles" / "gu2net" / "models" / "model.pt"
FORMATS = ["onnx", "openvino", "pt2", "torchscript"]
TINY: dict[str, Any] = {"features": (4, 8), "global_features": 4, "dilations": (1, 2)}


def tiny_model(path: Path, domains: dict[str, Domain], *, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    counts = {name: len(domain.landmarks) for name, domain in domains.items()}
    channels = {name: domain.in_channels for name, domain in domains.items()}
    dims = len(next(iter(domains.values())).size)
    network = GU2Net(dims, channels, counts, prior=0.2, **TINY)
    return save_model(path, network, ModelCard(domains, network.description))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the file of a format to be opened, of the shipped weights' head; each is written when it is asked for."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def file_of(name: str) -> Path:
        [written] = export_detectors([SHIPPED], folder, domains=["head"], formats=[name])
        assert written.off_px < 0.01
        assert written.off_confidence < 1e-4
        return written.files[0]

    return file_of


@pytest.fixture(scope="module")
def images(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A head of the phantom, moved and darkened, for a batch; one of 16 bits and a radiograph's size; and that with
    wild pixels; another head."""
    folder = tmp_path_factory.mktemp("images")
    first, second, *_ = sorted((tiny_phantom.parent / "head").glob("*.png"))
    grey = np.asarray(Image.open(first))
    large = np.asarray(Image.fromarray(grey).resize((1101, 1333), Image.Resampling.BICUBIC))
    arrays = (grey, np.roll(grey, 9, axis=1), (grey.astype(float) ** 2 / 300).astype(np.uint8))
    wild = large.astype(np.uint16) * 16
    wild[::53, ::29] = 65535
    for index, array in enumerate((*arrays, large.astype(np.uint16) * 200 + 5000, wild)):
        Image.fromarray(array).save(folder / f"{index}.png")
    return [*sorted(folder.iterdir()), second]


@pytest.fixture(scope="module")
def expected(images: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
    predictor = load(SHIPPED)
    found = [predictor.predict(path, "head") for path in images]
    return [(each.points_index, each.confidence) for each in found]


def pixels(path: Path) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(Image.open(path), dtype=np.float32).T[None, None])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_points_of_predict_in_pixels_of_the_file(
    name: str, shipped: Callable[[str], Path], images: list[Path], expected: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    run = DETECTOR_FORMATS[name].load(shipped(name))
    for path, (points, confidence) in zip(images, expected, strict=True):
        found, sure = run(pixels(path))
        np.testing.assert_allclose(found[0], points, rtol=0, atol=0.01)
        np.testing.assert_allclose(sure[0], confidence, rtol=0, atol=1e-4)
    found, sure = run(np.concatenate([pixels(path) for path in images[:3]]))
    np.testing.assert_allclose(found, [points for points, _ in expected[:3]], rtol=0, atol=0.01)
    np.testing.assert_allclose(sure, [confidence for _, confidence in expected[:3]], rtol=0, atol=1e-4)


def _of_onnx(path: Path) -> str:
    import onnx

    return {each.key: each.value for each in onnx.load(path).metadata_props}["monai_gu2net"]


def _of_openvino(path: Path) -> str:
    import openvino

    return str(openvino.Core().read_model(path).get_rt_info("monai_gu2net").astype(str))


def _of_archive(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("landmark_detector.json")]
        return archive.read(name).decode()


DESCRIPTIONS: dict[str, Callable[[Path], str]] = {
    "onnx": _of_onnx,
    "openvino": _of_openvino,
    "pt2": _of_archive,
    "torchscript": _of_archive,
}


def test_every_format_holds_one_description(shipped: Callable[[str], Path]) -> None:
    texts = [DESCRIPTIONS[name](shipped(name)) for name in FORMATS]
    assert len(set(texts)) == 1
    about = json.loads(texts[0])
    card = ModelCard.load(SHIPPED)
    assert (about["format"], about["format_version"], about["domain"]) == ("landmark detector", 1, "head")
    assert about["landmarks"] == list(card.domains["head"].landmarks)
    assert about["input"]["image"]["shape"] == ["B", 1, "X", "Y"]
    assert about["output"]["points"]["shape"] == ["B", 19, 2]
    assert about["done_inside"]["network_size"] == list(card.domains["head"].size)
    assert about["calibration"] == card.calibration["head"]
    assert about["weights"] == [{"file": "model.pt", "sha256": hashlib.sha256(SHIPPED.read_bytes()).hexdigest()}]
    assert "spacing" not in about["scale_and_measurements"]  # of the images trained on, not of others


def test_onnx_names_its_axes(shipped: Callable[[str], Path]) -> None:
    import onnx

    graph = onnx.load(shipped("onnx")).graph
    shapes = {
        value.name: [dimension.dim_param or dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"image": ["B", 1, "X", "Y"], "points": ["B", 19, 2], "confidence": ["B", 19]}


@pytest.mark.parametrize("name", FORMATS)
def test_volumes_and_colour_are_exported_too(name: str, tmp_path: Path, rng: np.random.Generator) -> None:
    domain = Domain("knee", ("a", "b", "c"), (16, 20, 24), in_channels=2)
    model = tiny_model(tmp_path / "m.pt", {"knee": domain})
    [written] = export_detectors([model], tmp_path / "out", formats=[name])
    run = DETECTOR_FORMATS[name].load(written.files[0])
    volume = rng.random((3, 2, 21, 33, 24), dtype=np.float32)
    points, confidence = run(volume)
    assert points.shape == (3, 3, 3)
    assert written.off_px < 0.01
    for index in range(3):
        one, sure = run(volume[index : index + 1])
        np.testing.assert_allclose(one[0], points[index], atol=0.01)
        np.testing.assert_allclose(sure[0], confidence[index], atol=1e-4)


def test_a_domain_that_is_looked_at_in_several_poses_is_refused(tmp_path: Path) -> None:
    shape = ((0.0, 0, 0), (4.0, 0, 0), (0, 3.0, 0))
    posed = Domain("skull", ("a", "b", "c"), (16, 16, 16), target_spacing=(1, 1, 1), mean_shape=shape)
    model = tiny_model(tmp_path / "m.pt", {"skull": posed, "knee": Domain("knee", ("a",), (16, 16, 16))})
    with pytest.raises(ValueError, match=r"at one look; got \['skull'\], .* or export others: \['knee'\]"):
        export_detectors([model], tmp_path / "out", formats=["pt2"])
    assert export_detectors([model], tmp_path / "out", formats=["pt2"], domains=["knee"])


@pytest.mark.parametrize("name", FORMATS)
def test_a_domain_with_a_target_spacing_takes_spacing_and_start_in_every_format(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    size, target = (16, 20, 12), (1.0, 1.0, 2.0)
    domain = Domain("knee", ("a", "b"), size, orientation="LPS", target_spacing=target)
    model = tiny_model(tmp_path / "m.pt", {"knee": domain})
    [written] = export_detectors([model], tmp_path / "out", formats=[name])
    assert written.off_px < 0.01
    about = json.loads(DESCRIPTIONS[name](written.files[0]))
    assert list(about["input"]) == ["image", "spacing", "start"]
    assert "LPS" in about["input"]["image"]["axes"]
    assert about["done_inside"]["target_spacing"] == list(target)
    run = DETECTOR_FORMATS[name].load(written.files[0])
    network, _ = load_model(model)
    detector = LandmarkDetector(network.specialize("knee"), size, target_spacing=target).eval()
    # smaller, as large, larger along the first axis, and of other spacings than those that it was recorded with
    for shape, spacing, start in (
        ((11, 12, 9), (1.0, 1.0, 2.0), (0, 0, 0)),
        ((31, 17, 20), (0.5, 0.7, 1.1), (0, 0, 0)),
        ((40, 20, 12), (1.0, 1.0, 2.0), (13, 0, 0)),
    ):
        coarse = torch.from_numpy(rng.random((2, 1, 4, 4, 4), dtype=np.float32))
        inputs = [
            torch.nn.functional.interpolate(coarse, size=shape, mode="trilinear").numpy(),
            np.array(spacing, np.float32),
            np.array(start, np.float32),
        ]
        points, confidence = run(*inputs)
        with torch.no_grad():
            expected, sure = (each.numpy() for each in detector(*map(torch.from_numpy, inputs)))
        # an untrained network has peaks that are nearly flat: of the four most agree
        assert np.median(np.abs(points - expected).max(axis=-1)) < 0.01
        np.testing.assert_allclose(confidence, sure, atol=1e-3)


def test_several_models_become_one_file_of_their_mean(tmp_path: Path, rng: np.random.Generator) -> None:
    domains = {"knee": Domain("knee", ("a", "b"), (32, 40)), "hip": Domain("hip", ("c",), (40, 32))}
    models = [tiny_model(tmp_path / f"{seed}.pt", domains, seed=seed) for seed in (1, 2)]
    written = export_detectors(models, tmp_path / "out", formats=["onnx"], min_confidence=0.2)
    assert [each.files[0].name for each in written] == ["1.knee.onnx", "1.hip.onnx"]
    picture = tmp_path / "picture.png"
    Image.fromarray(rng.integers(0, 255, (70, 50), dtype=np.uint8)).save(picture)
    found = load(models, min_confidence=0.2).predict(picture, "knee")
    points, confidence = DETECTOR_FORMATS["onnx"].load(written[0].files[0])(pixels(picture))
    np.testing.assert_allclose(points[0], found.points_index, atol=0.01)
    np.testing.assert_allclose(confidence[0], found.confidence, atol=1e-4)
    about = json.loads(_of_onnx(written[0].files[0]))
    assert [weights["file"] for weights in about["weights"]] == ["1.pt", "2.pt"]
    assert about["min_confidence"] == 0.2


def test_a_package_that_is_absent_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))
    with pytest.raises(ImportError, match=r'openvino is absent. Run: pip install "monai_gu2net\[fast\]"'):
        export_detectors([SHIPPED], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_domain_or_format_that_is_not_there_is_refused(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "m.pt", {"knee": Domain("knee", ("a",), (32, 40))})
    with pytest.raises(ValueError, match=r"must be one of the model's \['knee'\]; got 'head'"):
        export_detectors([model], tmp_path, domains=["head"])
    with pytest.raises(ValueError, match=r"format must be among .*; got 'tflite'"):
        export_detectors([model], tmp_path, formats=["tflite"])


def test_a_file_that_does_not_give_what_pytorch_gives_takes_no_files_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(tmp_path / "m.pt", {"knee": Domain("knee", ("a", "b"), (32, 40))})
    earlier = tmp_path / "out" / "m.knee.ts"
    earlier.parent.mkdir()
    earlier.write_text("earlier")
    sound = DETECTOR_FORMATS["torchscript"]

    def shifted(path: Path) -> Any:
        run = sound.load(path)
        return lambda image: (run(image)[0] + np.float32(0.2), run(image)[1])

    monkeypatch.setitem(DETECTOR_FORMATS, "torchscript", dataclasses.replace(sound, load=shifted))
    with pytest.raises(ValueError, match=r"m.knee.ts must give what PyTorch gives; got points 0.283 px"):
        export_detectors([model], tmp_path / "out", formats=["torchscript"])
    assert [path.read_text() for path in earlier.parent.iterdir()] == ["earlier"]


def test_the_command_says_what_it_wrote_and_how_far_off_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    domains = {"knee": Domain("knee", ("a",), (32, 40)), "hip": Domain("hip", ("c",), (40, 32))}
    model = tiny_model(tmp_path / "m.pt", domains)
    arguments = ["export", "-m", str(model), "-o", str(tmp_path / "out"), "--formats", "torchscript"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        f"Wrote {tmp_path / 'out' / f'm.{domain}.ts'}" for domain in domains
    ]
    assert all("MB; beside PyTorch points 0 px, confidences 0)" in line for line in lines)
    shutil.rmtree(tmp_path / "out")
    assert main([*arguments, "--domain", "hip"]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.hip.ts"]
    assert main([*arguments, "--domain", "head"]) == 2
    assert "The domain must be one of the model's ['knee', 'hip']; got 'head'" in capsys.readouterr().err


@pytest.mark.integration
def test_exporting_says_nothing_but_its_own(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "m.pt", {"knee": Domain("knee", ("a",), (32, 40))})
    done = subprocess.run(
        [sys.executable, "-m", "monai_gu2net", "export", "-m", str(model), "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    assert len(done.stdout.splitlines()) == 4
    *bar, whole = [line for line in done.stderr.replace("\r", "\n").splitlines() if line]
    assert {line.partition(":")[0] for line in bar} == {"exporting"}
    assert re.fullmatch(r"4 file\(s\) in [\d.]+ s, [\d.]+ files per second", whole)
