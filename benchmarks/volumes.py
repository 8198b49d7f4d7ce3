# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of volumes: a step of training and a prediction, and what would fit a GPU.

    python benchmarks/volumes.py > docs/performance/volumes.md

Each figure is of a process of its own: the shortest of some runs after one that is not counted, and the most memory
that the process ever had. What would not fit into the memory that is free is not tried. Nothing was run on a GPU: what
fits one is computed from the sizes of the tensors that a step keeps.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from monai_gu2net.data import Domain
from monai_gu2net.engines import keep_freed_memory, wait_passively
from monai_gu2net.inferers import TTAInferer
from monai_gu2net.inferers.windows import free_memory
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.networks import GU2Net, ready_to_train

GIB = 2**30
GPUS = (16, 24, 80)
SHARE = 0.8  # of a GPU's memory for what a step keeps; the rest for weights, work space and fragments


def main() -> None:
    """Measure, and print Markdown."""
    options = _options()
    if options.one is not None:
        sys.stdout.write(json.dumps(_measured(options)))
        return
    print(f"{os.cpu_count()} processors, {options.threads} threads, load of the last minute {os.getloadavg()[0]:.2f}")
    print(f"Features {tuple(options.features)}, {options.landmarks} landmarks, one volume at a time, float32.\n")
    print("| | seconds | times the first | memory of the process |\n|---|---|---|---|")
    windowed = [("windows", side, options.patch) for side in options.sides if side > options.patch]
    rows = [
        *(("step", side, side) for side in sorted({options.patch, *options.sides})),
        *(("recomputed step", side, side) for side in options.sides),
        *(("prediction", side, side) for side in options.sides),
        *windowed,
    ]
    base = 0.0  # what a process has that computes nothing
    first: dict[str, float] = {}
    per_voxel: dict[str, float] = {}
    for kind, side, window in rows:
        words = _words(kind, side, window)
        # a process of a smaller volume of the same kind says what this one takes
        expected = base + per_voxel.get(kind, 0.0) * side**3
        free = free_memory(torch.device("cpu"))
        if free is not None and expected > free:
            print(f"| {words} | does not fit | | about {expected / GIB:.0f} GiB |", flush=True)
            continue
        found = _in_a_process(options, kind, side, window)
        base = found["base"]
        per_voxel[kind] = (found["memory"] - base) / side**3
        ratio = (
            f"{found['seconds'] / first.setdefault('prediction' if kind == 'windows' else kind, found['seconds']):.1f}"
        )
        print(f"| {words} | {found['seconds']:.2f} | {ratio} | {found['memory'] / GIB:.2f} GiB |", flush=True)
    print(f"\n{_plan(options)}")


def _words(kind: str, side: int, window: int) -> str:
    names = {
        "step": "a step of training",
        "recomputed step": "a step with gradient checkpointing",
        "prediction": "a prediction, the whole at once",
        "windows": f"a prediction in windows of {window} x {window} x {window}",
    }
    return f"{names[kind]}, {side} x {side} x {side}"


def _in_a_process(options: argparse.Namespace, kind: str, side: int, window: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", kind, "--sides", str(side), "--patch", str(window)]
    for name in ("landmarks", "threads", "rounds"):
        command += [f"--{name}", str(getattr(options, name))]
    command += ["--features", *map(str, options.features)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measured(options: argparse.Namespace) -> dict[str, float]:
    """Of one kind of run, in this process."""
    keep_freed_memory()
    wait_passively()
    torch.set_num_threads(options.threads)
    base = _most_memory()
    task = _task(options.one, options.sides[0], options)
    task()
    seconds = []
    for _ in range(options.rounds):
        began = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - began)
    return {"seconds": min(seconds), "memory": _most_memory(), "base": base}


def _most_memory() -> int:
    """Bytes that the process had at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _task(kind: str, side: int, options: argparse.Namespace) -> Callable[[], Any]:
    network = GU2Net(3, 1, {"volume": options.landmarks}, features=options.features)
    image = torch.randn(1, 1, side, side, side)
    if kind in ("step", "recomputed step"):
        ready_to_train(network, device="cpu", grad_checkpointing=kind == "recomputed step").train()
        points = torch.rand(1, options.landmarks, 3) * side
        loss, optimizer = HeatmapLoss(2.0), torch.optim.AdamW(network.parameters())

        def step() -> None:
            optimizer.zero_grad()
            loss(network(image, "volume"), points).backward()
            optimizer.step()

        return step
    names = tuple(f"landmark {index}" for index in range(options.landmarks))
    domain = Domain("volume", names, (options.patch,) * 3, target_spacing=(1.0, 1.0, 1.0))
    inferer = TTAInferer(domains={"volume": domain})
    network.eval()

    @torch.no_grad()
    def predict() -> None:
        inferer(image, network, "volume")

    return predict


def _plan(options: argparse.Namespace) -> str:
    """How many windows of a size a GPU's memory would hold in a step, as a table."""
    sides = (48, 64, 96, 128)
    lines = [
        "Volumes in a step of training on a GPU, computed and not measured: from the sizes of the tensors that a step "
        f"in float32 keeps for its backward pass, and three more of the size of the heatmaps; {SHARE:.0%} of the "
        "memory.\n",
        "| window | kept for a volume | " + " | ".join(f"{size} GB" for size in GPUS) + " |",
        "|---|---|" + "---|" * len(GPUS),
    ]
    for side in sides:
        kept = _kept(side, options) + 3 * 4 * options.landmarks * side**3
        fits = [str(int(SHARE * size * 1e9 / kept)) for size in GPUS]
        lines.append(f"| {side} x {side} x {side} | {kept / GIB:.2f} GiB | " + " | ".join(fits) + " |")
    return "\n".join(lines)


def _kept(side: int, options: argparse.Namespace) -> int:
    """Bytes of the tensors that a step keeps, by tensors that have a size and no memory: on the way that a GPU goes."""
    with torch.device("meta"):
        network = GU2Net(3, 1, {"volume": options.landmarks}, features=options.features).train()
        image = torch.empty(1, 1, side, side, side)
    kept: dict[int, tuple[int, Any]] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if not isinstance(tensor, torch.nn.Parameter):
            kept[storage._cdata] = (storage.nbytes(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        network(image, "volume")
    return sum(size for size, _ in kept.values())


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", type=int, default=[64, 128, 256], help="voxels (default 64 128 256)")
    parser.add_argument("--patch", type=int, default=64, help="what the network sees at once (default %(default)s)")
    parser.add_argument("--features", nargs="+", type=int, default=[16, 32, 64, 128], help="of the local network")
    parser.add_argument("--landmarks", type=int, default=51, help="(default %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="(default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs, of which the shortest counts (default 3)")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
