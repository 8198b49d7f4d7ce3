# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Two processes do together what one does alone: a training step, an evaluation, a calibration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from monai_gu2net.data import Datalist
from monai_gu2net.engines import calibrate_model, evaluate_model
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.networks import GU2Net, ModelCard, save_model, synchronize_norms

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
DOMAINS = {"head": 3, "hand": 2}

SHARE = """
import json, sys
from datetime import timedelta
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[3])
import test_two_processes as tests
from monai_gu2net.data import Datalist
from monai_gu2net.engines import calibrate_model, evaluate_model

folder, rank = Path(sys.argv[1]), int(sys.argv[2])
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2, timeout=timedelta(seconds=150)
)
image, points = tests.batch()
state, loss = tests.step(image[2 * rank : 2 * rank + 2], points[2 * rank : 2 * rank + 2])
torch.save((state, loss), folder / f"step{rank}.pt")
data, model = Datalist.load(sys.argv[4]), folder / "model.pt"
result = evaluate_model(model, data, output_dir=folder / "together")
calibrate_model(model, data, split="training", output=folder / "together.pt", required=False)
(folder / f"rows{rank}.json").write_text(result.table.to_json())
torch.distributed.destroy_process_group()
"""


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Four heads with 3, 1, 2 and 3 landmarks."""
    torch.manual_seed(1)
    image, points = torch.randn(4, 1, 32, 40), 30 * torch.rand(4, 3, 2)
    points[1, 1:] = points[2, 0] = float("nan")
    return image, points


def step(image: torch.Tensor, points: torch.Tensor) -> tuple[dict[str, torch.Tensor], float]:
    """One step on a batch of heads; the network's state afterwards, and the loss."""
    torch.manual_seed(0)
    network = GU2Net(2, 1, DOMAINS, features=(4, 8), global_features=4, dilations=(1, 2)).train()
    together = torch.distributed.is_initialized()
    trained: Any = network
    if together:
        trained = DistributedDataParallel(synchronize_norms(network), find_unused_parameters=True)
    # plain steps along the gradient, which do not depend on its sign alone as a first step of Adam does
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e-3, weight_decay=0.1)
    loss = HeatmapLoss(sigma=2.0, all_processes=together)(trained(image, "head"), points)
    loss.backward()
    optimizer.step()
    return network.state_dict(), loss.item()


@pytest.fixture(scope="module")
def data(tiny_phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images of two domains, of which one file cannot be read."""
    data = Datalist.load(tiny_phantom).only(list(DOMAINS))
    data.domains.update({name: domain.resized((48, 64)) for name, domain in data.domains.items()})
    folder = tmp_path_factory.mktemp("data")
    spoilt = folder / "spoilt.png"
    spoilt.write_bytes(b"no image")
    data.test[1]["image"] = str(spoilt)  # type: ignore[index]
    return data.save(folder / "data.json")


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("two")
    opened = Datalist.load(data)
    torch.manual_seed(0)
    network = GU2Net(2, 1, opened.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    save_model(folder / "model.pt", network, ModelCard(dict(opened.domains), network.description))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SHARE, str(folder), str(rank), str(Path(__file__).parent), str(data)],
            env=environment,
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=250) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    return folder


def test_one_step_of_two_processes_is_one_step_of_the_doubled_batch(folder: Path) -> None:
    (first, loss), (second, other) = (torch.load(folder / f"step{rank}.pt", weights_only=True) for rank in range(2))
    expected, whole = step(*batch())
    torch.manual_seed(0)
    begin = GU2Net(2, 1, DOMAINS, features=(4, 8), global_features=4, dilations=(1, 2)).state_dict()
    assert (loss + other) / 2 == pytest.approx(whole, rel=1e-6)
    moved = 0
    for name, value in expected.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], value, rtol=2e-4, atol=2e-6)
        moved += not torch.equal(value, begin[name])
        if ".domains.1." in name:  # the hand had no batch: neither its weights decay nor its statistics move
            assert torch.equal(first[name], begin[name])
    assert moved > 20


def test_an_evaluation_of_two_processes_is_that_of_one(folder: Path, data: Path) -> None:
    alone = evaluate_model(folder / "model.pt", Datalist.load(data), output_dir=folder / "alone")
    assert len(alone.failures) == 1
    for rank in range(2):
        assert (folder / f"rows{rank}.json").read_text() == alone.table.to_json()
    files = {path.relative_to(folder / "alone") for path in (folder / "alone").rglob("*") if path.is_file()}
    assert files == {
        path.relative_to(folder / "together") for path in (folder / "together").rglob("*") if path.is_file()
    }
    for name in files:
        if name.suffix in (".csv", ".json", ".md"):
            assert (folder / "together" / name).read_text() == (folder / "alone" / name).read_text()
    summary = json.loads((folder / "together" / "summary.json").read_text())
    assert [failure["domain"] for failure in summary["failures"]] == ["head"]


def test_a_calibration_by_two_processes_is_that_of_one(folder: Path, data: Path) -> None:
    path, _ = calibrate_model(
        folder / "model.pt", Datalist.load(data), split="training", output=folder / "alone.pt", required=False
    )
    calibration = ModelCard.load(path).calibration
    assert set(calibration) == set(DOMAINS)
    assert ModelCard.load(folder / "together.pt").calibration == calibration
