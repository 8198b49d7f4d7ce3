# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The scripts of ``docs/how_to/export.md``, run where this package cannot be imported, and MONAI's own commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_gu2net import load
from monai_gu2net.data import Domain
from monai_gu2net.export import export_detectors
from monai_gu2net.networks import ModelCard, UShapedNet, load_model, save_model

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "bundles" / "gu2net"
SHIPPED = BUNDLE / "models" / "model.pt"
PAGE = (ROOT / "docs" / "how_to" / "export.md").read_text(encoding="utf-8")
SCRIPTS = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))
# Python's -I leaves out the script's folder, the working directory and PYTHONPATH; the finder what is installed
WITHOUT = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("monai_gu2net", "monai"):
            raise ImportError(f"{name} is not to be imported")

sys.meta_path.insert(0, Refuse())
script, *sys.argv = sys.argv[1], *sys.argv[1:]
runpy.run_path(script, run_name="__main__")
"""


@pytest.mark.parametrize("name", ["onnx", "openvino", "pt2", "torchscript"])
def test_the_script_of_the_page_goes_from_a_file_to_points_in_it_without_this_package(
    name: str, tiny_phantom: Path, tmp_path: Path
) -> None:
    assert len([line for line in SCRIPTS[name].splitlines() if line]) <= 15
    [exported] = export_detectors([SHIPPED], tmp_path, domains=["hand"], formats=[name])
    (tmp_path / "script.py").write_text(SCRIPTS[name])
    (tmp_path / "without.py").write_text(WITHOUT)
    image = sorted((tiny_phantom.parent / "hand").glob("*.png"))[0]
    command = [sys.executable, "-I", "without.py", "script.py", str(exported.files[0]), str(image)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split(",") for line in done.stdout.splitlines()]
    found = load(SHIPPED).predict(image, "hand")
    assert [line[0] for line in lines] == list(found.domain.landmarks)
    numbers = np.array([[float(number) for number in line[1:]] for line in lines])
    np.testing.assert_allclose(numbers[:, :2], found.points_index, atol=0.01)
    np.testing.assert_allclose(numbers[:, 2], found.confidence, atol=1e-4)


@pytest.mark.parametrize("shape", [(30, 22, 26), (60, 22, 26)], ids=["all at once", "in parts"])
def test_the_script_for_volumes_gives_the_millimetres_of_predict_for_a_file_that_lies_as_it_will(
    shape: tuple[int, ...], tmp_path: Path, rng: np.random.Generator
) -> None:
    """The network finds the brightest place, for which parts and windows see the same."""
    nibabel = pytest.importorskip("nibabel")
    domain = Domain("skull", ("bright",), (20, 24, 16), orientation="LPS", target_spacing=(1.5, 1.0, 2.0))
    network = UShapedNet(3, 1, {"skull": 1}, features=(1,))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("conv.weight") or "norm" not in name:
                weight.zero_()
            if weight.ndim == 5:
                weight[..., weight.shape[2] // 2, weight.shape[3] // 2, weight.shape[4] // 2] = 1
        network.exit.domains[0].bias.fill_(-10)  # type: ignore[union-attr, operator]
    model = save_model(tmp_path / "m.pt", network, ModelCard({"skull": domain}, network.description))
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    place = np.array([shape[0] - 9.6, 12.1, 13.4])
    # a paraboloid, of which the vertex is found whatever the grid
    squares = (((grid - place) * (1.0, 1.25, 0.75)) ** 2).sum(axis=-1)
    values = (500 - np.minimum(squares, 100)).astype(np.float32)
    turn, _ = np.linalg.qr(np.eye(3) + 0.1 * rng.standard_normal((3, 3)))
    # the file's axes lead up, to the left and to the front
    axes = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = np.abs(np.sign(np.diag(turn))) * turn @ axes * (1.0, 1.25, 0.75), (40.0, -9.0, 3.0)
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "volume.nii.gz")

    [exported] = export_detectors([model], tmp_path, formats=["onnx"])
    (tmp_path / "script.py").write_text(SCRIPTS["volume"])
    (tmp_path / "without.py").write_text(WITHOUT)
    command = [sys.executable, "-I", "without.py", "script.py", str(exported.files[0]), "volume.nii.gz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split(",") for line in done.stdout.splitlines()]
    found = load(model).predict(tmp_path / "volume.nii.gz", "skull")
    assert found.unit == "mm"
    assert [line[0] for line in lines] == ["bright"]
    numbers = np.array([[float(number) for number in line[1:]] for line in lines])
    np.testing.assert_allclose(numbers[:, :3], found.points, atol=0.1)
    np.testing.assert_allclose(numbers[:, :3], nibabel.affines.apply_affine(affine, [place]), atol=0.15)
    np.testing.assert_allclose(numbers[:, 3], found.confidence, atol=0.02)


def test_a_script_cannot_import_this_package_there(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import monai_gu2net")
    (tmp_path / "without.py").write_text(WITHOUT)
    command = [sys.executable, "-I", "without.py", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert "ImportError: monai_gu2net is not to be imported" in done.stderr


def commands_of_the_page() -> dict[str, list[str]]:
    """The arguments of MONAI's commands, by name."""
    lines = re.sub(r"\\\n\s*", "", PAGE).splitlines()
    found = [re.findall(r'"[^"]*"|\S+', line) for line in lines if line.startswith("python -m monai.bundle")]
    return {words[3]: [word.strip('"') for word in words[3:]] for words in found}


@pytest.mark.parametrize("name", ["onnx_export", "ckpt_export"])
def test_monais_own_export_gives_the_logits_of_the_network_for_any_batch_and_size(name: str, tmp_path: Path) -> None:
    arguments = commands_of_the_page()[name]
    file = tmp_path / Path(arguments[arguments.index("--filepath") + 1]).name
    arguments[arguments.index("--filepath") + 1] = str(file)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "monai.bundle", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-4000:]
    network, _ = load_model(SHIPPED)
    run = run_of(file)
    for shape in ((1, 1, 192, 256), (3, 1, 65, 94)):
        image = torch.randn(shape)
        with torch.no_grad():
            torch.testing.assert_close(run(image), network(image, "hand"), rtol=1e-4, atol=1e-3)


def run_of(file: Path) -> Any:
    if file.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return lambda image: torch.from_numpy(session.run(["logits"], {"image": image.numpy()})[0])
    extra = {"metadata.json": ""}
    module = torch.jit.load(str(file), _extra_files=extra)
    assert "network_data_format" in json.loads(extra["metadata.json"])
    return module


@pytest.mark.parametrize("bundle", ["gu2net_spine"])
def test_the_commands_of_a_bundles_own_page_work_in_its_folder(bundle: str, tmp_path: Path) -> None:
    """With its own weights, and by MONAI's defaults: the size is that of the metadata."""
    text = (ROOT / "bundles" / bundle / "docs" / "README.md").read_text()
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    [command] = [line.strip() for line in lines if "monai.bundle onnx_export" in line]
    words = command.replace("model.onnx", str(tmp_path / "model.onnx")).split()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-4000:]
    import onnxruntime

    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    network, _ = load_model(ROOT / "bundles" / bundle / "models" / "model.pt")
    image = torch.randn(1, 1, 128, 128)
    [logits] = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(logits), network(image, "spine"), rtol=1e-4, atol=1e-3)
