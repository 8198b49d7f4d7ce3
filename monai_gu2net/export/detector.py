# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A whole detector in one graph: pixels of a file in, points in pixels of that file out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from monai_gu2net.transforms.heatmaps import decode_heatmaps
from monai_gu2net.transforms.outliers import CLIP_PASSES, FARTHEST
from monai_gu2net.transforms.resize import HALF

__all__ = ["LandmarkDetector"]

_LEAST_SIGMA = 1e-6  # a Gaussian as narrow as that is the pixel itself
_TRUNCATED = 4.0  # of MONAI's GaussianFilter


class LandmarkDetector(nn.Module):
    """Finds the landmarks in images as their files have them: normalising, resizing, network and decoding.

    What :class:`~monai_gu2net.transforms.RadiographPreprocessing` does to values and size is done by operations that
    every engine has, for any size of image: resizing with MONAI's Gaussian before it is a product with one matrix for
    each axis. So whoever runs the graph has no rule to follow but the layout.

    Of a domain with a target spacing the graph is given the spacing of the image as well, and sees ``size`` pixels of
    the target spacing: the whole image where it is not larger, padded as in training, else the part from ``start`` on.

    Args:
        network: takes the image alone, as ``specialize`` of a network or of an ensemble gives it, in evaluation mode.
        size: (D,) of the domain in pixels, at which the network runs.
        target_spacing: (D,) of the domain: the network sees ``size`` pixels of this length. None: the image is resized.
        min_confidence: a landmark of lower confidence is called absent.

    Example:
        >>> detector = LandmarkDetector(nn.Identity(), (32, 40))
        >>> x, y = torch.meshgrid(torch.arange(64.0), torch.arange(60.0), indexing="ij")
        >>> blob = torch.exp(-((x - 20.5) ** 2 + (y - 30.5) ** 2) / 32)
        >>> points, confidence = detector(blob[None, None])
        >>> [round(value, 1) for value in points.flatten().tolist()]
        [20.5, 30.5]
    """

    def __init__(
        self,
        network: nn.Module,
        size: Sequence[int],
        *,
        target_spacing: Sequence[float] | None = None,
        min_confidence: float = 0.0,
    ) -> None:
        super().__init__()
        self.network = network
        self.size = tuple(size)
        self.target_spacing = None if target_spacing is None else tuple(target_spacing)
        self.min_confidence = min_confidence
        # buffers, and not made where they are used, which would fix the device in the graph
        for axis, length in enumerate(self.size):
            self.register_buffer(f"pixels_{axis}", torch.arange(length, dtype=torch.float32), persistent=False)

    def forward(
        self, image: Tensor, spacing: Tensor | None = None, start: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Landmarks of images of one size.

        Args:
            image: (B, C, X, Y[, Z]) float32, width first; values of any scale and offset. A volume has its axes as its
                domain's ``orientation`` says.
            spacing: (D,) mm per pixel of the images; with a target spacing only.
            start: (D,) with a target spacing only: where the part that is seen starts, in steps of the target spacing
                from the first pixel. An axis on which all of the image is seen does not read it.

        Returns:
            Points (B, N, D) in pixels of the image, whole numbers at pixels' centres, the first one's 0, NaN where a
            landmark is absent; and confidence (B, N) from 0 to 1.
        """
        axes = range(2, image.ndim)
        # the indices of the image's pixels along each axis, on its device
        pixels = [torch.ones_like(image.transpose(0, axis)[:, 0].flatten(1)[:, 0]).cumsum(0) - 1 for axis in axes]
        x = _normalised(image, pixels)
        for _ in range(CLIP_PASSES if image.ndim == 4 else 0):  # as ClipOutliersd, which leaves volumes as they are
            x = _normalised(x.clamp(-FARTHEST, FARTHEST), pixels)
        lengths = [(line[-1:] + 1).double() for line in pixels]  # as whole numbers are rounded in FitToDomaind
        if spacing is None or start is None or self.target_spacing is None:
            scale = torch.cat([target / n for target, n in zip(self.size, lengths, strict=True)]).amin(dim=0)
            inners = [(n * scale).round().clamp(1, target) for n, target in zip(lengths, self.size, strict=True)]
            factors = [(n / inner).float() for n, inner in zip(lengths, inners, strict=True)]
            befores = [((t - inner) / 2).floor().float() for t, inner in zip(self.size, inners, strict=True)]
            shift = 0.5  # the outer edges of the first pixels stay together
        else:
            steps = [spacing[axis : axis + 1].double() / target for axis, target in enumerate(self.target_spacing)]
            # as in FitToDomaind, where a half is left out
            inners = [((n - 1) * step + 1.5 - HALF).floor() for n, step in zip(lengths, steps, strict=True)]
            factors = [(1 / step).float() for step in steps]
            befores = [
                torch.where(inner <= t, ((t - inner) / 2).floor(), -start[axis : axis + 1].double()).float()
                for axis, (t, inner) in enumerate(zip(self.size, inners, strict=True))
            ]
            shift = 0.0  # the centres do
        inside = torch.ones_like(x[:1, :1].flatten(2)[..., 0]).bool()
        for axis, (line, factor, before, inner) in enumerate(zip(pixels, factors, befores, inners, strict=True)):
            places = getattr(self, f"pixels_{axis}") - before
            last = inner.float() - 1
            nearest = torch.minimum(places.clamp(min=0), last)  # so that the lowest value is one of the inner ones
            x = _resized(x.movedim(axis + 2, -1), line, (nearest + shift) * factor - shift, factor)
            x = x.movedim(-1, axis + 2)
            inside = inside.unsqueeze(-1) & ((places >= 0) & (places <= last))
        # as FitToDomaind pads: a volume with the lowest value of each channel
        outside = x.amin(dim=list(range(2, x.ndim)), keepdim=True) if len(self.size) == 3 else 0.0
        points, confidence = decode_heatmaps(
            self.network(torch.where(inside, x, outside)), min_confidence=self.min_confidence
        )
        return (points - torch.cat(befores) + shift) * torch.cat(factors) - shift, confidence


def _normalised(image: Tensor, pixels: Sequence[Tensor]) -> Tensor:
    """Each image and channel with mean 0 and deviation 1."""
    x = image - _mean(image, pixels)
    x = x - _mean(x, pixels)  # what rounding left
    deviation = _mean(x * x, pixels).sqrt()
    return x / torch.where(deviation > 0, deviation, 1.0)


def _mean(image: Tensor, pixels: Sequence[Tensor]) -> Tensor:
    """Of each image and channel, (B, C, 1, 1[, 1]).

    Axis by axis, as products: OpenVINO 2026.4 and ONNX Runtime 1.32 add up millions of float32 numbers one after the
    other in a mean, which is wrong in the fourth digit then.
    """
    for axis, line in enumerate(pixels, start=2):
        share = torch.ones_like(line) / (line[-1:] + 1)
        image = torch.matmul(image.movedim(axis, -1), share.unsqueeze(-1)).movedim(-1, axis)
    return image


def _resized(x: Tensor, pixels: Tensor, source: Tensor, factor: Tensor) -> Tensor:
    """The last axis smoothed and interpolated linearly, as MONAI's ``Resize(anti_aliasing=True)`` does it.

    Args:
        x: (..., n).
        pixels: (n,) 0 to n - 1.
        source: (t,) where the pixels of the result are on the axis; beyond its ends as at them.
        factor: (1,) their distance.
    """
    sigma = ((factor - 1) / 2).clamp(min=_LEAST_SIGMA)
    tail = ((sigma * _TRUNCATED).clamp(min=0.5) + 0.5).floor()
    source = source.clamp(min=0)
    first = torch.minimum(source.floor(), pixels[-1:])
    second = torch.minimum(first + 1, pixels[-1:])
    share = (source - first).clamp(max=1).unsqueeze(-1)
    weights = (1 - share) * _gaussian(pixels - first.unsqueeze(-1), sigma, tail)
    weights = weights + share * _gaussian(pixels - second.unsqueeze(-1), sigma, tail)
    return torch.matmul(x, weights.transpose(0, 1))


def _gaussian(offsets: Tensor, sigma: Tensor, tail: Tensor) -> Tensor:
    """Integrals of a Gaussian over pixels so far from its centre; 0 beyond the tail."""
    scale = 0.70710678 / sigma  # as MONAI's gaussian_1d
    integrals = 0.5 * (torch.erf(scale * (offsets + 0.5)) - torch.erf(scale * (offsets - 0.5)))
    return torch.where(offsets.abs() <= tail, integrals, 0.0)
