# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Time and memory of a training step and of inference, as ratios within one run.

    python benchmarks/speed.py [--size 416x512] [--repeats 5]

Every variant runs in a process of its own, so that peak memory belongs to it. The first row of each table is the
network as it comes: contiguous float32, freed memory given back to the system.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from monai_gu2net.engines import keep_freed_memory
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.networks import GU2Net

VARIANTS = ("plain", "kept memory", "channels_last", "channels_last bfloat16", "channels_last folded")
DOMAINS = {"head": 19, "hand": 37, "chest": 6}


def measure(task: str, variant: str, size: tuple[int, int], repeats: int) -> dict[str, float]:
    """Median seconds and peak memory in MiB of one variant."""
    if variant != "plain":
        keep_freed_memory()
    torch.manual_seed(0)
    layout = torch.channels_last if "channels_last" in variant else torch.contiguous_format
    network = GU2Net(2, 1, DOMAINS, default_domain="head").to(memory_format=layout)
    batch = 4 if task == "training" else 1
    image = torch.randn(batch, 1, *size).to(memory_format=layout)
    points = torch.rand(batch, DOMAINS["head"], 2) * torch.tensor(size)
    optimizer, loss = torch.optim.AdamW(network.parameters(), lr=1e-4), HeatmapLoss()
    module = network.specialize("head").to(memory_format=layout) if "folded" in variant else network
    module.train(task == "training")
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        with torch.set_grad_enabled(task == "training"), torch.autocast("cpu", enabled="bfloat16" in variant):
            logits = module(image)
        if task == "training":
            optimizer.zero_grad(set_to_none=True)
            loss(logits, points).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": statistics.median(seconds[1:]), "peak_mib": peak}


def main() -> None:
    """Print a table for training and one for inference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="416x512")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("TASK", "VARIANT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.one:
        sys.stdout.write(json.dumps(measure(*options.one, (width, height), options.repeats)))
        return
    for task in ("training", "inference"):
        sys.stdout.write(f"\n{task}, {options.size}, {torch.get_num_threads()} threads\n")
        first = None
        for variant in VARIANTS:
            if task == "training" and "folded" in variant:
                continue
            command = [sys.executable, __file__, "--size", options.size, "--repeats", str(options.repeats)]
            done = subprocess.run([*command, "--one", task, variant], capture_output=True, text=True, check=True)
            result = json.loads(done.stdout)
            first = first or result["seconds"]
            sys.stdout.write(
                f"{variant:24} {result['seconds']:7.3f} s  {first / result['seconds']:5.2f} x"
                f"  peak {result['peak_mib']:6.0f} MiB\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
