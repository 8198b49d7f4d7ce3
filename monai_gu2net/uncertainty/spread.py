# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How widely a predicted heatmap lies about the point decoded from it, in pixels and in the world's unit."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from monai_gu2net.landmarks.coordinates import spatial_affine

__all__ = ["heatmap_spread", "pixels_per_unit", "spread_in_world"]


def heatmap_spread(logits: Tensor, points: Tensor, *, window: int = 16, floor: float = 0.01) -> Tensor:
    """Second moment of each heatmap about its landmark, the heatmap taken as a distribution over the pixels.

    The mean of (q - p)(q - p)^T over the pixels q near the landmark p, weighted by the heatmap: the covariance of a
    heatmap with one peak, and more where a second peak is near. Values below ``floor`` times the largest do not count,
    for a faint background outweighs a peak by its area; of a Gaussian that takes 2 percent of the root of the moment.
    To that a pixel's own area adds 1/12 on the diagonal. No gradient flows through.

    Args:
        logits: (B, N, *spatial), any floating type; their sigmoid is the heatmap.
        points: (B, N, D) landmarks in pixels, as ``decode_heatmaps`` gives them; NaN rows are absent.
        window: pixels at most this far from the landmark's pixel along each axis count.
        floor: smallest value that counts, relative to the largest in the window.

    Returns:
        (B, N, D, D) in square pixels, float32; NaN where the landmark is absent.

    Raises:
        ValueError: the shapes do not fit each other.

    Example:
        >>> heatmap = torch.tensor([[[[0.0], [0.5], [0.5], [0.0]]]])
        >>> spread = heatmap_spread(heatmap.logit(), torch.tensor([[[1.5, 0.0]]]))
        >>> [round(value, 3) for value in spread.flatten().tolist()]
        [0.333, 0.0, 0.0, 0.083]
    """
    if logits.shape[:2] != points.shape[:-1] or logits.ndim != 2 + points.shape[-1]:
        raise ValueError(
            "points must be (B, N, D), one for each heatmap of the logits (B, N, *spatial); got "
            f"{tuple(points.shape)} and {tuple(logits.shape)}. Pass the points decoded from these logits."
        )
    logits, points = (tensor.detach().as_subclass(Tensor) for tensor in (logits, points))
    points = points.double()
    dims = points.shape[-1]
    steps = torch.arange(-window, window + 1, device=logits.device)
    near = torch.stack(torch.meshgrid([steps] * dims, indexing="ij"), dim=-1).flatten(0, -2)
    pixels = points.nan_to_num().round().long().unsqueeze(-2) + near  # (B, N, P, D)
    size = torch.tensor(logits.shape[2:], device=logits.device)
    inside = ((pixels >= 0) & (pixels < size)).all(dim=-1)
    stride = torch.tensor([prod(logits.shape[3 + axis :]) for axis in range(dims)], device=logits.device)
    index = (torch.minimum(pixels.clamp(min=0), size - 1) * stride).sum(dim=-1)
    weights = logits.flatten(2).gather(-1, index).double().sigmoid() * inside
    weights = weights.where(weights >= floor * weights.amax(dim=-1, keepdim=True), 0.0)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    offsets = pixels - points.unsqueeze(-2)
    moments = torch.einsum("bnp,bnpi,bnpj->bnij", weights, offsets, offsets)
    return (moments + torch.eye(dims, device=logits.device) / 12).float()


def spread_in_world(spread: Tensor, affine: Tensor) -> Tensor:
    """Root of the trace of spreads as the affine maps them: the root mean square distance from the landmark.

    Args:
        spread: (..., D, D) in square pixels, from :func:`heatmap_spread`.
        affine: (K+1, K+1) with K >= D, pixels to the world.

    Returns:
        (...,) in the world's unit, float32; NaN stays NaN. A Gaussian of sigma 3 px on pixels of 0.1 mm in two
        dimensions has 3 * sqrt(2) * 0.1 mm.
    """
    dims = spread.shape[-1]
    matrix = spatial_affine(affine, dims)[:dims, :dims].to(spread.device)
    mapped = matrix @ spread.double() @ matrix.T
    return mapped.diagonal(dim1=-2, dim2=-1).sum(dim=-1).sqrt().float()


def pixels_per_unit(affine: Tensor, dims: int) -> float:
    """How many pixels are as long as the world's unit; where pixels are not square, the geometric mean of the axes.

    A radius times it is a radius in pixels: that of the square pixel of equal area.

    Args:
        affine: (K+1, K+1) with K >= D, pixels to the world.
        dims: D.

    Example:
        >>> pixels_per_unit(torch.diag(torch.tensor([0.25, 1.0, 1.0])), 2)
        2.0
    """
    volume = torch.linalg.det(spatial_affine(affine, dims)[:dims, :dims]).abs()
    return float(volume ** (-1 / dims))
