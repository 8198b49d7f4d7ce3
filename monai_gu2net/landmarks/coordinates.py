# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From pixel indices to millimetres and back.

Component d of a point belongs to spatial axis d. In the index frame whole numbers are pixel centres and the
first pixel's centre is 0; the affine carries a point from the index frame to mm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["image_plane_affine", "index_to_mm", "mm_to_index"]


def image_plane_affine(spacing: Sequence[float]) -> np.ndarray:
    """Affine of a radiograph without patient geometry.

    Origin at the first pixel's centre, x to the right, y down.

    Args:
        spacing: (sx, sy) mm per pixel.

    Returns:
        (4, 4) diag(sx, sy, 1, 1).

    Raises:
        ValueError: spacing is not two positive numbers.

    Example:
        >>> image_plane_affine((0.1, 0.2)).diagonal().tolist()
        [0.1, 0.2, 1.0, 1.0]
    """
    values = tuple(float(s) for s in spacing)
    if len(values) != 2 or not all(0 < s < float("inf") for s in values):
        raise ValueError(
            f"spacing must be two positive numbers (mm per pixel in x and y); got {values}. "
            "Where it is not known, use the identity and report pixels."
        )
    return np.diag([*values, 1.0, 1.0])


def index_to_mm(points_index: ArrayLike, affine: ArrayLike) -> np.ndarray:
    """Points in mm of points in pixel indices.

    Args:
        points_index: (..., D) points; NaN: absent.
        affine: (D+1, D+1), index to mm; for D = 2 also (4, 4), if it keeps the image plane apart from the
            third axis.

    Returns:
        (..., D) float64 points in mm; NaN stays NaN.

    Raises:
        ValueError: the shapes do not fit, or the image plane is tilted out of the first two axes.

    Example:
        >>> index_to_mm([[10.0, 20.0]], image_plane_affine((0.1, 0.5))).tolist()
        [[1.0, 10.0]]
    """
    points = np.asarray(points_index, dtype=np.float64)
    matrix, shift = _matrix_and_shift(affine, points.shape)
    return np.asarray(points @ matrix.T + shift)


def mm_to_index(points_mm: ArrayLike, affine: ArrayLike) -> np.ndarray:
    """Points in pixel indices of points in mm; the inverse of :func:`index_to_mm`.

    Args:
        points_mm: (..., D) points; NaN: absent.
        affine: (D+1, D+1), index to mm; for D = 2 also (4, 4), if it keeps the image plane apart from the
            third axis.

    Returns:
        (..., D) float64 points in pixel indices, not rounded; NaN stays NaN.

    Raises:
        ValueError: the shapes do not fit, the plane is tilted, or the affine has no inverse.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    matrix, shift = _matrix_and_shift(affine, points.shape)
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"affine must have an inverse; got {matrix.tolist()}. Check the spacing: no axis may have 0."
        ) from error
    return np.asarray((points - shift) @ inverse.T)


def _matrix_and_shift(affine: ArrayLike, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The (D, D) and (D,) parts of the affine that act on points of this shape."""
    matrix = np.asarray(affine, dtype=np.float64)
    dims = shape[-1] if shape else 0
    if dims not in (2, 3):
        raise ValueError(f"points must have shape (..., 2) or (..., 3); got {shape}. Put the coordinates last.")
    if matrix.shape not in {(dims + 1, dims + 1), (4, 4)}:
        raise ValueError(
            f"affine must have shape {(dims + 1, dims + 1)} for points of {dims} coordinates; got "
            f"{matrix.shape}. Give a homogeneous matrix from index to mm."
        )
    if matrix.shape[0] > dims + 1 and not np.allclose(matrix[2, :2], 0.0, atol=1e-6 * np.abs(matrix[:2, :2]).max()):
        raise ValueError(
            f"affine must keep a 2-D image in the plane of its first two axes; got a third row "
            f"{matrix[2].tolist()}. Give 3-D points for an image that is tilted in space."
        )
    return matrix[:dims, :dims], matrix[:dims, -1]
