# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Time of inference against the size of the image and the batch."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from timing.results import Results

__all__ = ["plot", "times_by_size"]

MARKS = "os^vDP"


def times_by_size(results: Results, device: str) -> dict[str, dict[tuple[tuple[int, int], int], float]]:
    """Median seconds per image, by variant, then by size (width, height) and batch."""
    runs: dict[str, dict[tuple[tuple[int, int], int], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in results.of("sizes", device=device):
        if "failed" not in row:
            width, height = row["size"]
            runs[row["variant"]][(width, height), row["batch"]].append(row["seconds"] / row["batch"])
    return {name: {case: statistics.median(s) for case, s in cases.items()} for name, cases in runs.items()}


def plot(results: Results, path: Path) -> None:
    """A PNG with a line for each variant and batch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    series: dict[str, dict[float, float]] = defaultdict(dict)
    for device in ("cpu", "cuda"):
        for name, times in times_by_size(results, device).items():
            for ((width, height), batch), seconds in times.items():
                series[f"{name}, batch {batch}{', CUDA' * (device == 'cuda')}"][width * height / 1e6] = 1000 * seconds
    for number, (label, line) in enumerate(series.items()):
        axes.plot(
            sorted(line), [line[pixels] for pixels in sorted(line)], marker=MARKS[number % len(MARKS)], label=label
        )
    axes.set(xscale="log", yscale="log", xlabel="image (megapixels)", ylabel="time per image (ms)")
    ticks = sorted({pixels for line in series.values() for pixels in line})
    axes.set_xticks(ticks, [f"{tick:.2f}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if series:
        axes.legend()
    figure.savefig(path, dpi=110, format="png", metadata={"Software": None})
