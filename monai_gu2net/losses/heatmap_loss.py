# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Binary cross-entropy between heatmaps and landmarks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from monai_gu2net.data.domain import Domain
from monai_gu2net.transforms.heatmaps import gaussian_profiles, plain_tensor


def heatmap_bce_with_logits(logits: Tensor, heatmaps: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy, summed over pixels and averaged over the present landmarks of the batch.

    Args:
        logits: (B, N, *spatial); their sigmoid is the predicted heatmap.
        heatmaps: (B, N, *spatial) targets from 0 to 1.
        present: (B, N) bool; an absent landmark gives neither loss nor gradient.

    Returns:
        Scalar in float32. 0, with a gradient of 0, if no landmark is present.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> logits = torch.zeros(1, 2, 2, 2)
        >>> round(heatmap_bce_with_logits(logits, logits, torch.tensor([[True, False]])).item(), 4)
        2.7726

    Source: Zhu et al., MICCAI 2021, equation 2.
    """
    if logits.shape != heatmaps.shape or logits.shape[:2] != present.shape:
        raise ValueError(
            "logits and heatmaps must be (B, N, *spatial) and present (B, N); got "
            f"{tuple(logits.shape)}, {tuple(heatmaps.shape)} and {tuple(present.shape)}. "
            "Check that the landmarks are those of the batch's domain."
        )
    with torch.autocast(logits.device.type, enabled=False):
        pixels = functional.binary_cross_entropy_with_logits(
            plain_tensor(logits).float(), plain_tensor(heatmaps).float(), reduction="none"
        )
        return _mean_over_present(pixels.flatten(2).sum(dim=-1), present)


class HeatmapLoss(nn.Module):
    """Heatmap loss from points: no target heatmap is stored, neither by the data loader nor here.

    With logits z and targets t the cross-entropy of a pixel is softplus(z) - z t, and t is a product of
    one-dimensional Gaussians, so the sum of z t is a chain of small products. Its gradient is written out too.

    Args:
        sigma: standard deviation of the target Gaussians in pixels, one for all domains, or those of domains by name
            for points whose ``meta`` names theirs, as :class:`~monai_gu2net.engines.PrepareDomainBatch` makes them.
        positive_weight: how much more the peak of a target weighs than the background; a pixel's weight is
            1 + (positive_weight - 1) t. 1 is the paper's loss.
        all_processes: average over the landmarks of all processes' batches, also where one has fewer: the mean of the
            processes' losses, and of their gradients, is that of one batch. Every process must call it.

    Raises:
        ValueError: ``sigma`` or ``positive_weight`` is not positive.

    Example:
        >>> loss = HeatmapLoss(sigma=3.0)
        >>> points = torch.tensor([[[2.5, 4.0], [float("nan"), float("nan")]]])
        >>> round(loss(torch.zeros(1, 2, 8, 8), points).item(), 4)
        44.3614
    """

    def __init__(
        self, sigma: float | Mapping[str, float] = 3.0, *, positive_weight: float = 1.0, all_processes: bool = False
    ) -> None:
        super().__init__()
        if not all(each > 0 for each in (sigma.values() if isinstance(sigma, Mapping) else [sigma])):
            raise ValueError(f"sigma must be positive; got {sigma}. Give it in pixels, such as 3.0.")
        if not positive_weight > 0:
            raise ValueError(f"positive_weight must be positive; got {positive_weight}. 1 is the paper's loss.")
        self.sigma, self.positive_weight, self.all_processes = sigma, positive_weight, all_processes

    def forward(self, logits: Tensor, points: Tensor) -> Tensor:
        """Compare predicted heatmaps with landmarks.

        Args:
            logits: (B, N, *spatial); their sigmoid is the predicted heatmap.
            points: (B, N, D) landmarks in pixels of the logits; a row that is not finite is an absent
                landmark, which gives neither loss nor gradient.

        Returns:
            Scalar in float32, whatever autocast says: summed over pixels, averaged over the present landmarks
            of the batch. 0, with a gradient of 0, if no landmark is present.

        Raises:
            ValueError: the shapes do not fit each other.
        """
        if logits.shape[:2] != points.shape[:2] or logits.ndim - 2 != points.shape[-1]:
            raise ValueError(
                f"points must be (B, N, D) for logits (B, N, *D axes); got {tuple(points.shape)} for "
                f"{tuple(logits.shape)}. Check that the landmarks are those of the batch's domain."
            )
        with torch.autocast(logits.device.type, enabled=False):
            logits = plain_tensor(logits).float()
            sigma = _of_domain(self.sigma, points.meta.get("domain") if isinstance(points, MetaTensor) else None)
            points = plain_tensor(points).to(device=logits.device, dtype=torch.float32)
            profiles = gaussian_profiles(points, logits.shape[2:], sigma=sigma)
            # a compiler writes its own backward pass, which does as much
            compute = _losses if torch.compiler.is_compiling() else _CrossEntropy.apply
            losses = compute(logits, self.positive_weight, *profiles)
            return _mean_over_present(losses, points.isfinite().all(dim=-1), all_processes=self.all_processes)


def prior_of(sigma: float | Mapping[str, float], domains: Mapping[str, Domain]) -> float:
    """The mean of a target heatmap at the domains' input sizes, the smallest one of them.

    Args:
        sigma: of the targets in pixels, see :class:`HeatmapLoss`.
        domains: by name, at least one.

    Raises:
        ValueError: ``sigma`` lacks a domain.

    Example:
        >>> round(prior_of(3.0, {"head": Domain("head", ("a",), (512, 416))}), 6)
        0.000265
    """
    return min(
        (2 * math.pi) ** (domain.dims / 2) * _of_domain(sigma, name) ** domain.dims / math.prod(domain.size)
        for name, domain in domains.items()
    )


def _of_domain(sigma: float | Mapping[str, float], domain: str | None) -> float:
    if not isinstance(sigma, Mapping):
        return sigma
    if domain is None or domain not in sigma:
        raise ValueError(
            f"sigma must be one for all, or name the points' domain (in their meta); got {domain!r}, and sigma of "
            f"{list(sigma)}. Name it there."
        )
    return sigma[domain]


def _losses(logits: Tensor, weight: float, *profiles: Tensor) -> Tensor:
    """(B, N) sums over the pixels of (1 + (w - 1) t) (softplus(z) - z t), where t is the profiles' outer product."""
    sums = []
    for z, p, q in _in_cache(logits, profiles):
        background = functional.softplus(z)
        loss = background.sum(dim=(1, 2)) - _overlap(z, p, q)
        if weight != 1:  # the same with every pixel times t; t squared is an outer product as well
            loss = loss + (weight - 1) * (_overlap(background, p, q) - _overlap(z, p * p, q * q))
        sums.append(loss)
    return torch.cat(sums).unflatten(0, logits.shape[:2])


class _CrossEntropy(torch.autograd.Function):
    """:func:`_losses` with its derivative, (1 + (w - 1) t) (sigmoid(z) - t), in one pass and one map."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, weight: float, *profiles: Tensor) -> Tensor:
        ctx.weight = weight
        ctx.save_for_backward(logits, *profiles)
        return _losses(logits, weight, *profiles)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        logits, *profiles = ctx.saved_tensors
        for_logits = torch.empty_like(logits, memory_format=torch.contiguous_format)
        maps = zip(_in_cache(for_logits, profiles), _in_cache(logits, profiles), strict=True)
        factors = gradient.flatten().split(_slice(logits))
        for factor, ((out, _, _), (z, p, q)) in zip(factors, maps, strict=True):
            torch.sigmoid(z, out=out)
            target = p.unsqueeze(2) * q.unsqueeze(1)
            out.sub_(target)
            if ctx.weight != 1:
                out.mul_(target.mul_(ctx.weight - 1).add_(1))
            out.mul_(factor[:, None, None])
        return for_logits, None, *(None for _ in profiles)


def _in_cache(maps: Tensor, profiles: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The maps as (n, X, rest) matrices with their profiles (n, X) and (n, rest)."""
    rows, *others = (profile.flatten(0, 1) for profile in profiles)
    columns = others[0]
    for other in others[1:]:
        columns = (columns.unsqueeze(2) * other.unsqueeze(1)).flatten(1)
    matrices = maps.flatten(0, 1).flatten(2)
    return zip(*(tensor.split(_slice(maps)) for tensor in (matrices, rows, columns)), strict=True)


def _slice(maps: Tensor) -> int:
    """How many maps to compute at once: on a processor one, while it lies in the cache."""
    return 1 if maps.is_cpu and not torch.compiler.is_compiling() else maps.shape[0] * maps.shape[1]


def _overlap(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(n,) sums over the pixels of (n, X, rest) maps times the outer product of (n, X) rows and (n, rest) columns."""
    return (rows.unsqueeze(1) @ maps @ columns.unsqueeze(2)).flatten()


def _mean_over_present(per_landmark: Tensor, present: Tensor, *, all_processes: bool = False) -> Tensor:
    total, count = torch.where(present, per_landmark, 0.0).sum(), present.sum()
    if all_processes and distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(count)
        total = total * distributed.get_world_size()
    return total / count.clamp(min=1)
