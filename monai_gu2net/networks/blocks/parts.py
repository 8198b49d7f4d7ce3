# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions of channels that lie in several tensors, which are never put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from monai_gu2net.networks.blocks.recompute import recomputed
from monai_gu2net.networks.blocks.volume_conv import convolve_volume


def convolution_of_parts(conv: nn.Module, parts: Sequence[Tensor]) -> Tensor:
    """``conv(torch.cat(parts, dim=1))``, as the sum of the convolutions of the parts.

    Args:
        conv: a convolution of one group.
        parts: (B, channels, X, Y[, Z]) each; their channels add up to those of the convolution.
    """
    return _sum(_share(conv, part, start, bias=start == 0) for part, start in _with_starts(parts))


def separable_convolution_of_parts(channelwise: nn.Module, pointwise: nn.Module, parts: Sequence[Tensor]) -> Tensor:
    """``pointwise(channelwise(torch.cat(parts, dim=1)))``; between the two nothing is kept for the backward pass.

    Args:
        channelwise: a convolution with one group for each channel.
        pointwise: a convolution of one group.
        parts: (B, channels, X, Y[, Z]) each; their channels add up to those of the convolutions.
    """

    def share(part: Tensor, start: int) -> Tensor:
        return _share(pointwise, _channelwise(channelwise, part, start), start, bias=start == 0)

    return _sum(recomputed(lambda x, start=start: share(x, start), part) for part, start in _with_starts(parts))


def _share(conv: nn.Module, part: Tensor, start: int, *, bias: bool) -> Tensor:
    """The convolution of some channels of the input, from ``start`` on."""
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    convolve = F.conv2d if isinstance(conv, nn.Conv2d) else convolve_volume
    weight = conv.weight[:, start : start + part.shape[1]]
    return convolve(part, weight, conv.bias if bias else None, padding=conv.padding, dilation=conv.dilation)


def _channelwise(conv: nn.Module, part: Tensor, start: int) -> Tensor:
    assert isinstance(conv, nn.Conv2d | nn.Conv3d)
    assert conv.bias is not None
    convolve = F.conv2d if isinstance(conv, nn.Conv2d) else convolve_volume
    own = slice(start, start + part.shape[1])
    options: Any = {"padding": conv.padding, "dilation": conv.dilation, "groups": part.shape[1]}
    return convolve(part, conv.weight[own], conv.bias[own], **options)


def _with_starts(parts: Sequence[Tensor]) -> list[tuple[Tensor, int]]:
    """Each part with the number of its first channel."""
    return [(part, sum(before.shape[1] for before in parts[:index])) for index, part in enumerate(parts)]


def _sum(shares: Iterable[Tensor]) -> Tensor:
    total = None
    for share in shares:
        total = share if total is None else total.add_(share)
    assert total is not None
    return total
