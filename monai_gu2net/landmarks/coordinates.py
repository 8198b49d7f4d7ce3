# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From pixel indices to millimetres and back.

Component d of a point belongs to spatial axis d. In the index frame whole numbers are pixel centres and the
first pixel's centre is 0; the affine carries a point from the index frame to mm. What takes arrays and tensors gives
back what it was given, on the same device, and needs no PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "apply_affine",
    "image_plane_affine",
    "index_to_mm",
    "mm_to_index",
    "spatial_affine",
    "voxel_lengths",
    "world_to_lps",
]

Array = TypeVar("Array", np.ndarray, "Tensor")


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


def spatial_affine(affine: Array, dims: int) -> Array:
    """The part of an affine that concerns D spatial axes.

    Args:
        affine: (D+1, D+1), an array or a tensor; for D = 2 also (4, 4), which MONAI's 2-D images carry, if it keeps the
            image plane apart from the third axis.
        dims: D, 2 or 3.

    Returns:
        (D+1, D+1) float64.

    Raises:
        ValueError: the affine has another shape, or the image plane is tilted out of the first two axes.

    Example:
        >>> spatial_affine(np.diag([0.1, 0.2, 3.0, 1.0]), 2).diagonal().tolist()
        [0.1, 0.2, 1.0]
    """
    matrix = _checked(affine, dims)
    keep = [*range(dims), matrix.shape[0] - 1]
    return matrix[keep][:, keep]


def voxel_lengths(affine: Array, dims: int) -> Array:
    """Length of a pixel or voxel along each axis.

    Args:
        affine: see :func:`spatial_affine`.
        dims: D, 2 or 3.

    Returns:
        (D,) float64 in mm.

    Example:
        >>> voxel_lengths(np.array([[0.0, 3, 0, 0], [-2, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1]]), 3).tolist()
        [2.0, 3.0, 5.0]
    """
    directions: Array = spatial_affine(affine, dims)[:dims, :dims]
    return (directions**2).sum(0) ** 0.5


def apply_affine(points: Array, affine: Array) -> Array:
    """Map points.

    Args:
        points: (..., D), an array or a tensor; NaN rows stay NaN.
        affine: see :func:`spatial_affine`.

    Returns:
        (..., D) float64, on the points' device.

    Raises:
        ValueError: the shapes do not fit, or the image plane is tilted out of the first two axes.

    Example:
        >>> apply_affine(np.array([[10.0, 20.0]]), image_plane_affine((0.1, 0.5))).tolist()
        [[1.0, 10.0]]
    """
    points, dims = _float64(points), _dimensions(points)
    matrix = _like(_checked(affine, dims), points)
    return points @ matrix[:dims, :dims].T + matrix[:dims, -1]


def index_to_mm(points_index: ArrayLike, affine: ArrayLike) -> np.ndarray:
    """Points in mm of points in pixel indices: :func:`apply_affine` of whatever is an array to NumPy."""
    return apply_affine(np.asarray(points_index), np.asarray(affine))


def mm_to_index(points_mm: ArrayLike, affine: ArrayLike) -> np.ndarray:
    """Points in pixel indices of points in mm; the inverse of :func:`index_to_mm`.

    Args:
        points_mm: (..., D) points; NaN: absent.
        affine: index to mm, see :func:`spatial_affine`.

    Returns:
        (..., D) float64 points in pixel indices, not rounded; NaN stays NaN.

    Raises:
        ValueError: the shapes do not fit, the plane is tilted, or the affine has no inverse.
    """
    points = np.asarray(points_mm, dtype=np.float64)
    dims = _dimensions(points)
    matrix = spatial_affine(np.asarray(affine), dims)
    try:
        inverse = np.linalg.inv(matrix[:dims, :dims])
    except np.linalg.LinAlgError as error:
        raise ValueError(
            f"affine must have an inverse; got {matrix[:dims, :dims].tolist()}. Check the spacing: no axis may have 0."
        ) from error
    return np.asarray((points - matrix[:dims, dims]) @ inverse.T)


def world_to_lps(points: Array) -> Array:
    """Points of a sample's world as Slicer and DICOM count: to the left, to the back, upwards.

    The world of a radiograph is its image plane, which is shown as LPS; that of a volume is RAS, as MONAI's readers
    give it.

    Args:
        points: (..., D) in mm, an array or a tensor, D 2 or 3; NaN stays NaN.

    Returns:
        (..., D) float64.

    Example:
        >>> world_to_lps(np.array([[12.0, 24.0, 38.0]])).tolist()
        [[-12.0, -24.0, 38.0]]
    """
    points, dims = _float64(points), _dimensions(points)
    return points * _like(np.array([1.0, 1.0] if dims == 2 else [-1.0, -1.0, 1.0]), points)


def _checked(affine: Any, dims: int) -> Any:
    """An affine that fits points of D coordinates, float64."""
    matrix = _float64(affine)
    if tuple(matrix.shape) not in {(dims + 1, dims + 1), (4, 4)}:
        raise ValueError(
            f"affine must have shape {(dims + 1, dims + 1)} for points of {dims} coordinates; got "
            f"{tuple(matrix.shape)}. Give a homogeneous matrix from index to mm."
        )
    if matrix.shape[0] > dims + 1 and not (abs(matrix[2, :2]) <= 1e-6 * abs(matrix[:2, :2]).max()).all():
        raise ValueError(
            f"affine must keep a 2-D image in the plane of its first two axes; got a third row "
            f"{matrix[2].tolist()}. Give 3-D points for an image that is tilted in space."
        )
    return matrix


def _float64(values: Any) -> Any:
    return values.double() if hasattr(values, "double") else np.asarray(values, dtype=np.float64)


def _like(values: Any, points: Any) -> Any:
    """Numbers as the kind of the points, on their device."""
    if not hasattr(points, "new_tensor"):
        return np.asarray(values)
    return points.new_tensor(values) if isinstance(values, np.ndarray) else values.to(points.device)


def _dimensions(points: Any) -> int:
    shape = tuple(points.shape)
    if not shape or shape[-1] not in (2, 3):
        raise ValueError(f"points must have shape (..., 2) or (..., 3); got {shape}. Put the coordinates last.")
    return int(shape[-1])
