# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Points and the affine of the image they lie on, as tensors."""

from __future__ import annotations

import torch

__all__ = ["apply_affine", "pixels_per_unit", "spatial_affine", "world_to_lps"]


def spatial_affine(affine: torch.Tensor, dims: int) -> torch.Tensor:
    """The part of an affine that concerns D spatial axes.

    Args:
        affine: (K+1, K+1) with K >= D; MONAI's 2-D images carry 3x3 or 4x4.
        dims: D.

    Returns:
        (D+1, D+1) float64.
    """
    keep = [*range(dims), affine.shape[-1] - 1]
    return torch.as_tensor(affine, dtype=torch.float64)[keep][:, keep]


def apply_affine(points: torch.Tensor, affine: torch.Tensor) -> torch.Tensor:
    """Map points.

    Args:
        points: (..., D); NaN rows stay NaN.
        affine: (K+1, K+1) with K >= D.

    Returns:
        (..., D) float64 on the points' device.
    """
    dims = points.shape[-1]
    matrix = spatial_affine(affine, dims).to(points.device)
    return points.double() @ matrix[:dims, :dims].T + matrix[:dims, dims]


def pixels_per_unit(affine: torch.Tensor, dims: int) -> float:
    """How many pixels are as long as the world's unit; where pixels are not square, the geometric mean of the axes.

    Args:
        affine: (K+1, K+1) with K >= D, pixels to the world.
        dims: D.
    """
    volume = torch.linalg.det(spatial_affine(affine, dims)[:dims, :dims]).abs()
    return float(volume ** (-1 / dims))


def world_to_lps(points: torch.Tensor) -> torch.Tensor:
    """Points of a sample's world as Slicer and DICOM count: to the left, to the back, upwards.

    The world of a radiograph is its image plane, which is shown as LPS; that of a volume is RAS, as MONAI's readers
    give it.

    Args:
        points: (..., D) in mm, D 2 or 3; NaN stays NaN.

    Returns:
        (..., D) float64.

    Example:
        >>> world_to_lps(torch.tensor([[12.0, 24.0, 38.0]])).tolist()
        [[-12.0, -24.0, 38.0]]
    """
    signs = torch.ones(2) if points.shape[-1] == 2 else torch.tensor([-1.0, -1.0, 1.0])
    return points.double() * signs.to(points.device)
