# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From bodies to the voxels of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from monai_gu2net.phantom.solids import Body, Floats, Solid, shadow

__all__ = ["attenuation_in_voxels"]

_FINER = 3


def attenuation_in_voxels(bodies: Sequence[Body], first: Floats, size: Sequence[int], spacing: Floats) -> Floats:
    """Mean attenuation in each voxel of a grid.

    A voxel on a surface gets its share of both sides, counted at 27 points of it.

    Args:
        bodies: what is in the grid, in mm along its axes. Here a body is truly the union of its solids, wherever they
            lie.
        first: (3,) centre of the grid's first voxel in mm.
        size: number of voxels along each axis.
        spacing: (3,) mm per voxel along each axis.

    Returns:
        (X, Y, Z) sums over the bodies of attenuation times the share of the voxel that they fill, in 1/mm.
    """
    within = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    places = [
        start + length * np.add.outer(np.arange(n), within).ravel()
        for start, n, length in zip(first, size, spacing, strict=True)
    ]
    fine = np.zeros([len(along) for along in places], dtype=np.float32)
    inside = np.zeros(fine.shape, dtype=bool)
    for body in bodies:
        boxes = []
        for solid in body.solids:
            box, filled = _filled(solid, places)
            inside[box] |= filled
            boxes.append(box)
        for solid in body.carved:
            box, filled = _filled(solid, places)
            inside[box] &= ~filled
        around = tuple(
            slice(min(part.start for part in along), max(part.stop for part in along))
            for along in zip(*boxes, strict=True)
        )
        fine[around] += np.float32(body.attenuation) * inside[around]
        inside[around] = False
    for _ in size:
        last_first = np.moveaxis(fine, -1, 0)
        fine = np.mean([last_first[start::_FINER] for start in range(_FINER)], axis=0)
    return fine.astype(np.float64)


def _filled(solid: Solid, places: Sequence[Floats]) -> tuple[tuple[slice, slice, slice], npt.NDArray[np.bool_]]:
    """The box of places around a solid, and which of them it holds."""
    x, y, z = places
    columns, rows = shadow(solid, x, y)
    near, far = solid.interval(x[columns, None], y[None, rows])
    layers = slice(
        int(np.searchsorted(z, near.min(initial=np.inf))),
        int(np.searchsorted(z, far.max(initial=-np.inf), side="right")),
    )
    depth = z[layers]
    return (columns, rows, layers), (near[..., None] <= depth) & (depth <= far[..., None])
