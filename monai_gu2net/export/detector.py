# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A whole detector in one graph: pixels of a file in, points in pixels of that file out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_gu2net.transforms.heatmaps import decode_heatmaps

__all__ = ["LandmarkDetector"]

_LEAST_SIGMA = 1e-6  # a Gaussian as narrow as that is the pixel itself
_TRUNCATED = 4.0  # of MONAI's GaussianFilter


class LandmarkDetector(nn.Module):
    """Finds the landmarks in images as their files have them: normalising, resizing, network and decoding.

    What :class:`~monai_gu2net.transforms.RadiographPreprocessing` does to values and size is done by operations that
    every engine has, for any size of image: resizing with MONAI's Gaussian before it is a product with one matrix for
    each axis. So whoever runs the graph has no rule to follow but the layout.

    Args:
        network: takes the image alone, as ``specialize`` of a network or of an ensemble gives it, in evaluation mode.
        size: (D,) of the domain in pixels, at which the network runs.
        min_confidence: a landmark of lower confidence is called absent.

    Example:
        >>> detector = LandmarkDetector(nn.Identity(), (32, 40))
        >>> x, y = torch.meshgrid(torch.arange(64.0), torch.arange(60.0), indexing="ij")
        >>> blob = torch.exp(-((x - 20.5) ** 2 + (y - 30.5) ** 2) / 32)
        >>> points, confidence = detector(blob[None, None])
        >>> [round(value, 1) for value in points.flatten().tolist()]
        [20.5, 30.5]
    """

    def __init__(self, network: nn.Module, size: Sequence[int], *, min_confidence: float = 0.0) -> None:
        super().__init__()
        self.network = network
        self.size = tuple(size)
        self.min_confidence = min_confidence
        # buffers, and not made where they are used, which would fix the device in the graph
        for axis, length in enumerate(self.size):
            self.register_buffer(f"pixels_{axis}", torch.arange(length, dtype=torch.float32), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks of images of one size.

        Args:
            image: (B, C, X, Y[, Z]) float32, width first; values of any scale and offset.

        Returns:
            Points (B, N, D) in pixels of the image, whole numbers at pixels' centres, the first one's 0, NaN where a
            landmark is absent; and confidence (B, N) from 0 to 1.
        """
        axes = range(2, image.ndim)
        # the indices of the image's pixels along each axis, on its device
        pixels = [torch.ones_like(image.transpose(0, axis)[:, 0].flatten(1)[:, 0]).cumsum(0) - 1 for axis in axes]
        x = image - _mean(image, pixels)
        x = x - _mean(x, pixels)  # what rounding left
        deviation = _mean(x * x, pixels).sqrt()
        x = x / torch.where(deviation > 0, deviation, 1.0)
        lengths = [(line[-1:] + 1).double() for line in pixels]  # as whole numbers are rounded in FitToDomaind
        scale = torch.cat([target / n for target, n in zip(self.size, lengths, strict=True)]).amin(dim=0)
        factors, befores = [], []
        for axis, (n, line, target) in enumerate(zip(lengths, pixels, self.size, strict=True)):
            inner = (n * scale).round().clamp(1, target)
            before = ((target - inner) / 2).floor().float()
            factor = (n / inner).float()
            x = _resized(x.movedim(axis + 2, -1), line, getattr(self, f"pixels_{axis}") - before, factor, inner.float())
            x = x.movedim(-1, axis + 2)
            factors.append(factor)
            befores.append(before)
        points, confidence = decode_heatmaps(self.network(x), min_confidence=self.min_confidence)
        return (points - torch.cat(befores) + 0.5) * torch.cat(factors) - 0.5, confidence


def _mean(image: Tensor, pixels: Sequence[Tensor]) -> Tensor:
    """Of each image and channel, (B, C, 1, 1[, 1]).

    Axis by axis, as products: OpenVINO 2026.4 and ONNX Runtime 1.32 add up millions of float32 numbers one after the
    other in a mean, which is wrong in the fourth digit then.
    """
    for axis, line in enumerate(pixels, start=2):
        share = torch.ones_like(line) / (line[-1:] + 1)
        image = torch.matmul(image.movedim(axis, -1), share.unsqueeze(-1)).movedim(-1, axis)
    return image


def _resized(x: Tensor, pixels: Tensor, places: Tensor, factor: Tensor, inner: Tensor) -> Tensor:
    """The last axis smoothed and interpolated linearly, as MONAI's ``Resize(anti_aliasing=True)`` does it.

    Args:
        x: (..., n).
        pixels: (n,) 0 to n - 1.
        places: (t,) where the pixels of the result are among the ``inner`` that the axis becomes; 0 outside of them.
        factor: (1,) n / inner.
        inner: (1,).
    """
    sigma = ((factor - 1) / 2).clamp(min=_LEAST_SIGMA)
    tail = ((sigma * _TRUNCATED).clamp(min=0.5) + 0.5).floor()
    source = ((places + 0.5) * factor - 0.5).clamp(min=0)
    first = torch.minimum(source.floor(), pixels[-1:])
    second = torch.minimum(first + 1, pixels[-1:])
    share = (source - first).unsqueeze(-1)
    weights = (1 - share) * _gaussian(pixels - first.unsqueeze(-1), sigma, tail)
    weights = weights + share * _gaussian(pixels - second.unsqueeze(-1), sigma, tail)
    inside = (places >= 0) & (places < inner)
    return torch.matmul(x, torch.where(inside.unsqueeze(-1), weights, 0.0).transpose(0, 1))


def _gaussian(offsets: Tensor, sigma: Tensor, tail: Tensor) -> Tensor:
    """Integrals of a Gaussian over pixels so far from its centre; 0 beyond the tail."""
    scale = 0.70710678 / sigma  # as MONAI's gaussian_1d
    integrals = 0.5 * (torch.erf(scale * (offsets + 0.5)) - torch.erf(scale * (offsets - 0.5)))
    return torch.where(offsets.abs() <= tail, integrals, 0.0)
