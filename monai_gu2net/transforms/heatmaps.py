# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks as Gaussian heatmaps, and heatmaps as sub-pixel landmarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Literal

import torch
from monai.data import MetaTensor
from torch import Tensor
from torch.nn import functional

Refinement = Literal["quadratic", "none"]


def plain_tensor(tensor: Tensor) -> Tensor:
    """The same tensor without MONAI's metadata, whose affine says nothing of points or losses.

    Args:
        tensor: any shape.

    Returns:
        A view of the same memory, connected to the same graph; the tensor itself unless it is a MetaTensor.
    """
    # Not for every tensor: torch.export and torch.compile cannot trace as_subclass.
    return tensor.as_subclass(Tensor) if isinstance(tensor, MetaTensor) else tensor


def gaussian_profiles(points: Tensor, spatial_size: Sequence[int], *, sigma: float) -> list[Tensor]:
    """One-dimensional Gaussians whose outer product is the heatmap of a landmark.

    Args:
        points: (..., N, D) in pixels, the first pixel's centre is 0; a row that is not finite is an absent
            landmark.
        spatial_size: number of pixels along each of the D axes.
        sigma: standard deviation in pixels.

    Returns:
        D tensors; the d-th is (..., N, spatial_size[d]), at least float32, zero for an absent landmark.

    Raises:
        ValueError: ``points`` and ``spatial_size`` disagree on D, or ``sigma`` is not positive.
    """
    if points.shape[-1] != len(spatial_size):
        raise ValueError(
            f"points must have one coordinate for each axis of {tuple(spatial_size)}; "
            f"got shape {tuple(points.shape)}. Pass points as (..., N, {len(spatial_size)})."
        )
    if not sigma > 0:
        raise ValueError(f"sigma must be positive; got {sigma}. Give it in pixels, such as 3.0.")
    points = plain_tensor(points.detach())
    points = points.to(torch.promote_types(points.dtype, torch.float32))
    present = points.isfinite().all(dim=-1, keepdim=True)
    profiles = []
    for axis, size in enumerate(spatial_size):
        pixels = torch.arange(size, device=points.device, dtype=points.dtype)
        scaled = (pixels - points[..., axis, None]) / sigma
        profiles.append(torch.where(present, torch.exp(-0.5 * scaled * scaled), 0.0))
    return profiles


def gaussian_heatmaps(points: Tensor, spatial_size: Sequence[int], *, sigma: float) -> Tensor:
    """Heatmap of each landmark: a Gaussian of height 1 around its sub-pixel position, over the whole image.

    Args:
        points: (..., N, D) in pixels, the first pixel's centre is 0; a row that is not finite is an absent
            landmark.
        spatial_size: number of pixels along each of the D axes.
        sigma: standard deviation in pixels.

    Returns:
        (..., N, *spatial_size), at least float32, on the points' device; all zero for an absent landmark.

    Raises:
        ValueError: ``points`` and ``spatial_size`` disagree on D, or ``sigma`` is not positive.

    Example:
        >>> gaussian_heatmaps(torch.tensor([[1.0, 0.0]]), (3, 1), sigma=1.0).squeeze().tolist()
        [0.6065306663513184, 1.0, 0.6065306663513184]

    Source: Zhu et al., MICCAI 2021, equation 1 without its constant factor.
    """
    heatmaps, *others = gaussian_profiles(points, spatial_size, sigma=sigma)
    for axis, profile in enumerate(others, start=1):
        heatmaps = heatmaps.unsqueeze(-1) * profile.unflatten(-1, (1,) * axis + (profile.shape[-1],))
    return heatmaps


def decode_heatmaps(
    maps: Tensor, *, sigmoid: bool = True, refine: Refinement = "quadratic", min_confidence: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Sub-pixel position of the maximum of each heatmap.

    The logarithm of a Gaussian is a parabola. The vertex of the parabola through the three pixels at the
    maximum, axis by axis, is therefore its exact centre, also at the border of the image, where the three
    nearest pixels inside are taken. The vertex stays within one pixel of the maximum, whatever the noise; an
    axis of fewer than three pixels, or on which the heatmap has no peak, keeps the whole pixel. No gradient
    flows through.

    Args:
        maps: (B, N, X, Y) or (B, N, X, Y, Z), any floating type.
        sigmoid: they are the network's logits, whose sigmoid is the heatmap; False: the heatmaps, from 0 to 1.
        refine: "quadratic" for sub-pixel positions, "none" for the pixel of the maximum.
        min_confidence: a landmark of lower confidence is called absent.

    Returns:
        Points (B, N, D) in pixels and confidence (B, N), the heatmap's value at the maximum, both float32.
        The point is NaN where the landmark is absent: where the confidence is too low, the map is constant
        (of more than one pixel), or the map contains NaN (the confidence is NaN then as well).

    Raises:
        ValueError: ``maps`` has neither 4 nor 5 dimensions, or no pixel; ``refine`` is not known.

    Example:
        >>> heatmap = gaussian_heatmaps(torch.tensor([[[3.3, 6.8]]]), (8, 9), sigma=2.0)
        >>> points, confidence = decode_heatmaps(heatmap.logit())
        >>> [round(value, 3) for value in points.flatten().tolist()]
        [3.3, 6.8]
    """
    points, peak = _decode(maps, functional.logsigmoid if sigmoid else torch.log, refine)
    confidence = peak.sigmoid() if sigmoid else peak
    return torch.where((confidence >= min_confidence).unsqueeze(-1), points, torch.nan), confidence


def _decode(maps: Tensor, log: Callable[[Tensor], Tensor], refine: Refinement) -> tuple[Tensor, Tensor]:
    """Points, and the maps at their maxima; ``log`` turns a value of the maps into the log heatmap."""
    if maps.ndim not in (4, 5) or maps.shape[2:].numel() == 0:
        raise ValueError(
            "heatmaps must be (B, N, X, Y) or (B, N, X, Y, Z) with at least one pixel; got "
            f"{tuple(maps.shape)}. Add a batch dimension to a single sample."
        )
    if refine not in ("quadratic", "none"):
        raise ValueError(f"refine must be 'quadratic' or 'none'; got {refine!r}. Choose one of the two.")
    maps = plain_tensor(maps.detach())
    spatial_size = maps.shape[2:]
    flat = maps.flatten(2)
    peak, index = flat.max(dim=-1)
    peak = peak.float()
    points = []
    for axis, size in enumerate(spatial_size):
        stride = prod(spatial_size[axis + 1 :])
        pixel = index // stride % size
        if refine == "none" or size < 3:
            points.append(pixel.float())
            continue
        centre = pixel.clamp(1, size - 2)
        middle = index + (centre - pixel) * stride
        before, at, after = (
            log(flat.gather(-1, (middle + step * stride).unsqueeze(-1)).squeeze(-1).float()) for step in (-1, 0, 1)
        )
        curvature = before - 2 * at + after
        vertex = centre + (before - after) / (2 * curvature)
        usable = (curvature < 0) & vertex.isfinite()
        points.append(torch.where(usable, vertex.clamp(pixel - 1, pixel + 1), pixel.float()))
    located = ~peak.isnan()
    if flat.shape[-1] > 1:
        located &= flat.amin(dim=-1).float() < peak
    return torch.where(located.unsqueeze(-1), torch.stack(points, dim=-1), torch.nan), peak
