# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which way the axes of a volume lead."""

from __future__ import annotations

import itertools

import numpy as np

__all__ = ["nearest_axes"]

_DIGITS = 6  # of cosines; rounding in the file's affine is less


def nearest_axes(affine: np.ndarray) -> np.ndarray:
    """Where the axes of a volume lead most nearly: right, front or head, or the other way.

    Of all ways to give each axis of the file one of the world's, that with the largest sum of cosines. It is the same
    for a volume and for its copy with other axes first or the other way round, which that of nibabel 5.4 is not, and
    with it MONAI's ``Orientation``: it gives the first axis its nearest one, and the others what is left, so that a
    volume that lies askew is seen another way round when its axes change places. Where two ways are as near, at 45
    degrees, it is the one whose axes, as it orders them, have the larger first different number.

    Args:
        affine: (4, 4) index to RAS; its axes may be sheared, and of any lengths.

    Returns:
        (3, 3) of 0 and one 1 or -1 in each row, the world's axis, and each column, the file's.

    Example:
        >>> nearest_axes(np.diag([-2.0, 3.0, 1.0, 1.0])).astype(int).tolist()
        [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(columns)
    directions = left @ right  # without the shear
    best: tuple[float, list[float]] | None = None
    found = np.eye(3)
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            ordered = directions[:, order] * signs
            rank = round(float(np.trace(ordered)), _DIGITS), ordered.round(_DIGITS).ravel().tolist()
            if best is None or rank > best:
                best, found = rank, np.zeros((3, 3))
                found[range(3), order] = signs
    return found
