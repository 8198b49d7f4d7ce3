# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers that say what kind of picture an image is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["FEATURE_WEIGHTS", "changed_versions", "picture_features"]

_SIDE = 80  # pixels of the square that an image is looked at in
_CELLS, _ANGLES = 5, 8
_LEVELS = 5
_OVERALL = _LEVELS - 1 + 2 + 1
_LONGEST = 160  # pixels of what is turned and cropped, and in which a border is looked for
_EVEN = 0.015  # deviation along a line that is even, as a share of the picture's range
_FEWEST_LINES, _ROUNDS = 16, 3

FEATURE_WEIGHTS = np.array([1.0] * (_CELLS * _CELLS * _ANGLES) + [3.0] * _OVERALL)
"""(D,) how much each feature counts: a few say something of the picture as a whole, among very many of its parts."""

Array = NDArray[np.float64]


def picture_features(image: Tensor) -> Array:
    """What a picture looks like, whatever its size, brightness, contrast and even border; its negative looks the same.

    Args:
        image: (C, X, Y); of several channels their mean is looked at.

    Returns:
        (D,): how much of the edges in each of 5 x 5 cells runs in each of 8 directions; how the strength of edges
        changes as details are blurred; how much of it the strongest twentieth and quarter of the pixels have; and the
        logarithm of width over height.

    Source: Dalal and Triggs, "Histograms of oriented gradients", CVPR 2005, for the first ones.
    """
    picture = _within_border(image.float().mean(dim=0))
    width, height = picture.shape
    square = functional.interpolate(picture[None, None], (_SIDE, _SIDE), mode="bilinear", antialias=True)[0, 0].double()
    levels = [square]
    while len(levels) < _LEVELS:
        levels.append(functional.avg_pool2d(levels[-1][None], 2)[0])
    strengths = [_edges(level)[0] for level in levels]
    means = torch.stack([strength.square().mean().sqrt() for strength in strengths])
    means = means + 1e-6 * means.max() + 1e-12
    fine = strengths[0].flatten().sort(descending=True).values
    shares = torch.stack([fine[: len(fine) // part].sum() for part in (20, 4)]) / (fine.sum() + 1e-12)
    overall = [(means[1:] / means[:-1]).log(), (shares + 1e-3).log(), torch.tensor([width / height]).double().log()]
    return torch.cat([_directions(levels[1]), *overall]).numpy()


def changed_versions(image: Tensor) -> Iterator[Tensor]:
    """A picture as it is, turned, with a border, and cropped, so that few images show what else may come.

    Args:
        image: (C, X, Y).

    Yields:
        (1, X, Y).
    """
    yield image.float().mean(dim=0, keepdim=True)
    scale = min(1.0, _LONGEST / max(image.shape[1:]))
    size = [max(8, round(length * scale)) for length in image.shape[1:]]
    grey = image.float().mean(dim=0)[None, None]
    small = functional.interpolate(grey, size, mode="bilinear", antialias=True)[0]
    darkest = small.min()
    for degrees in (-12, -6, 6, 12):
        angle = torch.deg2rad(torch.tensor(float(degrees)))
        stretch = size[1] / size[0]  # grid_sample's axes both go from -1 to 1
        turn = torch.tensor([[angle.cos(), -angle.sin() / stretch, 0], [angle.sin() * stretch, angle.cos(), 0]])
        grid = functional.affine_grid(turn[None], [1, 1, *size], align_corners=False)
        turned = functional.grid_sample((small - darkest)[None], grid, align_corners=False)[0]
        yield turned + darkest
    border = round(0.08 * max(size))
    yield functional.pad(small, [border] * 4, value=float(darkest))
    for left, top, right, bottom in ((0.06, 0.04, 0.03, 0.06), (0.12, 0, 0, 0.03), (0, 0.08, 0.12, 0)):
        x, y = (round(share * length) for share, length in zip((left, top), size, strict=True))
        to_x, to_y = (length - round(s * length) for s, length in zip((right, bottom), size, strict=True))
        yield small[:, x:to_x, y:to_y]


def _within_border(picture: Tensor) -> Tensor:
    """(X, Y) without the lines at its sides that are even, as those of a border or beyond a collimator."""
    sizes = [min(length, _LONGEST) for length in picture.shape]
    small = functional.interpolate(picture[None, None], sizes, mode="bilinear", antialias=True)[0, 0]
    even = _EVEN * (small.max() - small.min())
    first, last = [0, 0], list(sizes)
    for axis in (0, 1) * _ROUNDS:  # a line is even or not for what lies between the other two sides
        deviations = small[first[0] : last[0], first[1] : last[1]].std(dim=1 - axis, correction=0)
        uneven = (deviations > even).nonzero().flatten().tolist()
        if len(uneven) < _FEWEST_LINES:
            return picture
        # where a border ends, two lines are of both
        begin = uneven[0] and uneven[0] + 2
        end = len(deviations) if uneven[-1] == len(deviations) - 1 else uneven[-1] - 1
        first[axis], last[axis] = first[axis] + begin, first[axis] + end
    parts = []
    for start, end, size, length in zip(first, last, sizes, picture.shape, strict=True):
        parts.append(slice(-(-start * length // size), end * length // size))
    return picture[parts[0], parts[1]]


def _edges(picture: Tensor) -> tuple[Tensor, Tensor]:
    """(X, Y) strength of the edges, and their direction from 0 to 1, half a turn."""
    along_x, along_y = torch.gradient(picture)
    return torch.hypot(along_x, along_y), (torch.atan2(along_y, along_x) / torch.pi) % 1


def _directions(picture: Tensor) -> Tensor:
    """(cells * cells * angles,) root of the share of each direction in each cell."""
    strength, direction = _edges(picture)
    place = direction * _ANGLES
    low = place.floor()
    part = place - low
    at = (torch.arange(len(picture)).double() + 0.5) / len(picture) * _CELLS - 0.5
    near = (1 - (at.clamp(0, _CELLS - 1)[:, None] - torch.arange(_CELLS)).abs()).clamp(min=0)
    cells = torch.stack(
        [
            near.T @ (strength * ((low % _ANGLES == angle) * (1 - part) + ((low + 1) % _ANGLES == angle) * part)) @ near
            for angle in range(_ANGLES)
        ],
        dim=-1,
    )
    size = torch.linalg.vector_norm(cells, dim=-1, keepdim=True)
    return (cells / (size + size.mean() / 2 + 1e-9)).sqrt().flatten()
