# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How a training step and inference slow down beside busy processes, by how OpenMP's threads wait.

    python benchmarks/shared_machine.py [--size 256x320] [--beside 0 1 3] [--rounds 5]

Every figure is the median over rounds of the median seconds of a process of its own; the variants take turns within a
round. The machine must be quiet: what else runs is told by the load, which is printed, and counts as a busy process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict

# the last is what the package does where PyTorch is loaded already, as in a bundle
VARIANTS: dict[str, dict[str, str]] = {
    "as OpenMP comes": {},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "second team": {},
}
TASKS = ("inference", "training", "openvino")
REPEATS = {"inference": 10, "training": 2, "openvino": 10}
BUSY = "while True: pass"


def measure(task: str, variant: str, size: tuple[int, int]) -> float:
    """Median seconds of a task in this process, whose environment is the variant's."""
    import torch

    from monai_gu2net.engines import keep_freed_memory, wait_passively
    from monai_gu2net.losses import HeatmapLoss
    from monai_gu2net.networks import GU2Net

    keep_freed_memory()
    if variant == "second team" and not wait_passively():
        raise SystemExit("No second team was made: set neither OMP_WAIT_POLICY nor GOMP_SPINCOUNT.")
    torch.manual_seed(0)
    batch = 4 if task == "training" else 1
    network = GU2Net(2, 1, {"head": 19}, default_domain="head").to(memory_format=torch.channels_last)
    image = torch.randn(batch, 1, *size).to(memory_format=torch.channels_last)
    points = torch.rand(batch, 19, 2) * torch.tensor(size)
    optimizer, loss = torch.optim.AdamW(network.parameters(), lr=1e-4), HeatmapLoss()
    folded = network.eval().specialize("head").to(memory_format=torch.channels_last)
    network.train()

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(network(image), points).backward()
        optimizer.step()

    if task == "openvino":
        from monai_gu2net.export import Backend

        compiled = Backend("openvino")(folded, image)
    run = {"inference": lambda: folded(image), "training": train, "openvino": lambda: compiled(image)}[task]
    seconds = []
    with torch.set_grad_enabled(task == "training"):
        for _ in range(REPEATS[task] + 1):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def measured_apart(task: str, variant: str, size: str) -> float:
    """The same in a process of its own."""
    settings = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    command = [sys.executable, __file__, "--size", size, "--one", task, variant]
    done = subprocess.run(command, env={**settings, **VARIANTS[variant]}, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print a table for each task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="256x320", help="of the network's input (default %(default)s)")
    parser.add_argument("--beside", type=int, nargs="+", default=[0, 1, 3], help="numbers of busy processes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--one", nargs=2, metavar=("TASK", "VARIANT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    if options.one:
        sys.stdout.write(str(measure(*options.one, (width, height))))
        return
    load = os.getloadavg()[0]
    quiet = "quiet" if load < 0.3 else "NOT QUIET: take the figures as relative"
    print(f"{os.cpu_count()} processors, load of the last minute {load:.2f}: {quiet}")
    for task in options.tasks:
        found = defaultdict(list)
        for _ in range(options.rounds):
            for beside in options.beside:
                busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(beside)]
                try:
                    for variant in VARIANTS:
                        found[variant, beside].append(measured_apart(task, variant, options.size))
                finally:
                    for process in busy:
                        process.kill()
                        process.wait()
        print(f"\n| {task}, {options.size}, ms |" + "".join(f" beside {beside} busy |" for beside in options.beside))
        print("|---|" + "---|" * len(options.beside))
        for variant in VARIANTS:
            cells = [1000 * statistics.median(found[variant, beside]) for beside in options.beside]
            print(f"| {variant} |" + "".join(f" {cell:.0f} |" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
