# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From one set of heatmaps to points in several ways: what the decoding alone is worth.

    python benchmarks/accuracy/decoding.py MODEL --datalist DATA.json [--split validation]

Prints mean and median radial error of each domain by

- whole pixel: the maximum's pixel
- quadratic: the vertex of parabolas through the logarithm at the maximum, which is what the package does
- DARK: the same on the heatmap smoothed by a Gaussian (Zhang et al., CVPR 2020)
- centroid: the heatmap's mean position within 3, and 5, pixels of the point, found by iteration (local soft-argmax)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.transforms import Compose
from torch import Tensor
from torch.nn.functional import conv1d

from monai_gu2net.data import Datalist
from monai_gu2net.engines import keep_freed_memory
from monai_gu2net.inferers import LandmarkInferer
from monai_gu2net.landmarks import apply_affine
from monai_gu2net.networks import load_model
from monai_gu2net.transforms import RadiographPreprocessing, decode_heatmaps


def dark(logits: Tensor, *, sigma: float = 2.0) -> Tensor:
    """Points of the smoothed heatmaps."""
    offsets = torch.arange(-4 * round(sigma), 4 * round(sigma) + 1)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    maps = logits.sigmoid()
    for axis in (-2, -1):
        lines = maps.movedim(axis, -1)
        smooth = conv1d(lines.reshape(-1, 1, lines.shape[-1]), (kernel / kernel.sum())[None, None], padding="same")
        maps = smooth.reshape(lines.shape).movedim(-1, axis)
    return decode_heatmaps(maps, sigmoid=False)[0]


def centroid(logits: Tensor, *, radius: float) -> Tensor:
    """The mean position within a square about the point, which moves with it."""
    maps, points = logits.sigmoid(), decode_heatmaps(logits)[0]
    x, y = (torch.arange(size, dtype=torch.float32) for size in maps.shape[2:])
    for _ in range(4):
        near_x, near_y = (((axis - points[..., d, None]).abs() <= radius) for d, axis in enumerate((x, y)))
        window = maps * near_x[..., :, None] * near_y[..., None, :]
        mass = window.sum(dim=(-2, -1))
        points = torch.stack([(window.sum(dim=-1) @ x) / mass, (window.sum(dim=-2) @ y) / mass], dim=-1)
    return points


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "whole pixel": lambda logits: decode_heatmaps(logits, refine="none")[0],
    "quadratic": lambda logits: decode_heatmaps(logits)[0],
    "DARK": dark,
    "centroid, 3 px": lambda logits: centroid(logits, radius=3),
    "centroid, 5 px": lambda logits: centroid(logits, radius=5),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--datalist", type=Path, required=True)
    parser.add_argument("--split", default="validation")
    options = parser.parse_args()
    keep_freed_memory()
    network, card = load_model(options.model)
    data = Datalist.load(options.datalist)
    card.domains |= {name: data.domains[name].resized(card.domains[name].size) for name in data.domains}
    prepare, infer = Compose([RadiographPreprocessing(card.domains)]), LandmarkInferer()
    errors: dict[tuple[str, str], list[float]] = {}
    for case in getattr(data, options.split):
        sample = prepare(dict(case))
        with torch.no_grad():
            logits = infer(sample["image"][None], network, sample["domain"])
        for way, decode in WAYS.items():
            found = apply_affine(decode(logits)[0], sample["image"].affine)
            error = (found - sample["landmarks"]).norm(dim=-1)
            errors.setdefault((f"{sample['domain']} ({sample['unit']})", way), []).extend(error.tolist())
    sys.stdout.write("| domain | decoding | MRE | median |\n|---|---|---:|---:|\n")
    for (domain, way), values in sorted(errors.items(), key=lambda entry: (entry[0][0], list(WAYS).index(entry[0][1]))):
        sys.stdout.write(f"| {domain} | {way} | {np.nanmean(values):.3f} | {np.nanmedian(values):.3f} |\n")


if __name__ == "__main__":
    main()
