# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Two convolution blocks in a row, and the U-shaped body made of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Pool
from torch import Tensor, nn

from monai_gu2net.networks.blocks.domain_conv import SHARING, Sharing
from monai_gu2net.networks.blocks.recompute import is_trained, recomputed


class DoubleConv(nn.Module):
    """Two convolution blocks of one degree of sharing.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the input.
        mid_channels: channels between the two.
        out_channels: channels of the output.
        n_domains: number of domains.
        sharing: what the domains share, see :class:`UShapedBody`.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        mid_channels: int,
        out_channels: int,
        n_domains: int,
        *,
        sharing: Sharing,
    ) -> None:
        super().__init__()
        block = SHARING[sharing]
        self.first = block(spatial_dims, in_channels, mid_channels, n_domains)
        self.second = block(spatial_dims, mid_channels, out_channels, n_domains)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """(B, in_channels, X, Y[, Z]) to (B, out_channels, X, Y[, Z])."""
        return self.second(self.first(x, domain), domain)

    def joined(self, parts: Sequence[Tensor], domain: int) -> Tensor:
        """``forward`` of the parts' channels together."""
        return self.second(self.first.joined(parts, domain), domain)


class UShapedBody(nn.Module):
    """Encoder with maximum pooling, decoder with linear upsampling, and skips between them.

    Args:
        spatial_dims: 2 or 3.
        features: channels per level, from full size down; each level after the first halves the size.
        n_domains: number of domains.
        sharing: "separable": channel-wise convolutions and batch norms per domain, point-wise ones shared;
            "shared": everything shared; "per_domain": nothing shared.
    """

    def __init__(self, spatial_dims: int, features: Sequence[int], n_domains: int, *, sharing: Sharing) -> None:
        super().__init__()
        self.recompute = False
        self.mode = "bilinear" if spatial_dims == 2 else "trilinear"
        self.pool = Pool[Pool.MAX, spatial_dims](kernel_size=2)
        self.encoder = nn.ModuleList()
        before = features[0]
        for width in features:
            self.encoder.append(DoubleConv(spatial_dims, before, width, width, n_domains, sharing=sharing))
            before = width
        self.decoder = nn.ModuleList()
        for level in range(len(features) - 2, -1, -1):
            joined = features[level] + before
            after = features[max(level - 1, 0)]
            self.decoder.append(DoubleConv(spatial_dims, joined, joined // 2, after, n_domains, sharing=sharing))
            before = after

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """(B, features[0], X, Y[, Z]) to the same shape; each axis at least 2 ** (levels - 1)."""
        if not torch.jit.is_scripting():  # noqa: SIM102 - TorchScript leaves out the branch only if it stands alone
            if is_trained(self.training) and (x.is_cpu or self.recompute):
                return self._trained(x, domain)
        levels: list[Tensor] = []
        for index, encode in enumerate(self.encoder):
            x = encode(x if index == 0 else self.pool(x), domain)
            levels.append(x)
        levels.pop()
        for decode in self.decoder:
            skip = levels.pop()
            x = F.interpolate(x, scale_factor=2.0, mode=self.mode, align_corners=True)
            x = decode(torch.cat([skip, _pad_to(x, skip)], dim=1), domain)
        return x

    def _trained(self, x: Tensor, domain: int) -> Tensor:
        """``forward`` in a step of training: no concatenation, and less is kept for the backward pass."""
        levels: list[Tensor] = []
        for index, encode in enumerate(self.encoder):
            x = self._run(encode, domain, x if index == 0 else self.pool(x))
            levels.append(x)
        levels.pop()
        for decode in self.decoder:
            skip = levels.pop()
            x = F.interpolate(x, scale_factor=2.0, mode=self.mode, align_corners=True)
            x = self._run(decode, domain, skip, _pad_to(x, skip))
        return x

    def _run(self, convs: nn.Module, domain: int, *parts: Tensor) -> Tensor:
        assert isinstance(convs, DoubleConv)
        if not self.recompute:
            return convs.joined(parts, domain)
        return recomputed(lambda *parts: convs.joined(parts, domain), *parts, norms=convs)


def _pad_to(x: Tensor, skip: Tensor) -> Tensor:
    """Zeros around x, which is up to one pixel smaller than the skip where an odd size was halved."""
    # Padding by nothing still copies; a graph that is recorded pads always, so that it holds for other sizes too.
    if not _is_recorded() and x.shape[2:] == skip.shape[2:]:
        return x
    padding: list[int] = []
    for axis in range(x.dim() - 1, 1, -1):
        missing = skip.shape[axis] - x.shape[axis]
        padding += [missing // 2, missing - missing // 2]
    return F.pad(x, padding)


def _is_recorded() -> bool:
    """Whether a trace or an export is being made of what runs."""
    if not torch.jit.is_scripting():  # TorchScript compiles this only if the condition stands alone
        return torch.jit.is_tracing() or torch.compiler.is_exporting()
    return False
