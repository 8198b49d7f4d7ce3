# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Convolution, batch norm, activation, in three degrees of sharing between domains.

The three classes begin with the same arguments and have the same methods, so a network takes any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from monai.networks.layers.factories import Norm
from monai.networks.layers.utils import get_act_layer
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from monai_gu2net.networks.blocks.domain_switch import DomainModule, DomainSwitch
from monai_gu2net.networks.blocks.parts import convolution_of_parts, separable_convolution_of_parts
from monai_gu2net.networks.blocks.recompute import is_trained
from monai_gu2net.networks.blocks.volume_conv import conv_type

Sharing = Literal["separable", "shared", "per_domain"]

LEAKY_RELU: tuple[str, dict[str, Any]] = ("leakyrelu", {"negative_slope": 0.01, "inplace": True})
RELU: tuple[str, dict[str, Any]] = ("relu", {"inplace": True})


class DomainSeparableConv(DomainModule):
    """Separable convolution whose channel-wise part belongs to a domain and whose point-wise part is shared.

    Channel-wise 3x3 (per domain), point-wise 1x1 (shared), batch norm (per domain), LeakyReLU.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        n_domains: number of domains.

    Source: Zhu et al., "You Only Learn Once: Universal Anatomical Landmark Detection", MICCAI 2021.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, n_domains: int) -> None:
        super().__init__()
        conv, norm = conv_type(spatial_dims), Norm[Norm.BATCH, spatial_dims]
        self.channelwise = DomainSwitch(
            conv(in_channels, in_channels, 3, padding=1, groups=in_channels) for _ in range(n_domains)
        )
        self.pointwise: nn.Module = conv(in_channels, out_channels, 1)
        self.norm = DomainSwitch(norm(out_channels) for _ in range(n_domains))
        self.act = get_act_layer(LEAKY_RELU)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """(B, in_channels, X, Y[, Z]) to (B, out_channels, X, Y[, Z])."""
        if not torch.jit.is_scripting():  # noqa: SIM102 - TorchScript leaves out the branch only if it stands alone
            if is_trained(self.training) and x.is_cpu:
                return self.joined([x], domain)
        return self.act(self.norm(self.pointwise(self.channelwise(x, domain)), domain))

    def joined(self, parts: Sequence[Tensor], domain: int) -> Tensor:
        """``forward`` of the parts' channels together; what is kept for a backward pass is less."""
        mixed = separable_convolution_of_parts(self.channelwise.domains[domain], self.pointwise, parts)
        return self.act(self.norm(mixed, domain))

    def keep_only(self, domain: int) -> None:
        norm = self.norm.domains[domain]
        self.channelwise.keep_only(domain)
        self.pointwise = _fold(self.pointwise, norm)
        self.norm = DomainSwitch([nn.Identity()])


class DomainConv(DomainModule):
    """Plain 3x3 convolution, batch norm and activation, everything per domain.

    Args:
        spatial_dims, in_channels, out_channels, n_domains: see :class:`DomainSeparableConv`.
        dilation: of the convolution, one for all domains or one for each; its padding follows, so the size stays.
        act: the activation as MONAI names it, with its arguments.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        n_domains: int,
        *,
        dilation: int | Sequence[int] = 1,
        act: tuple[str, dict[str, Any]] = LEAKY_RELU,
    ) -> None:
        super().__init__()
        conv, norm = conv_type(spatial_dims), Norm[Norm.BATCH, spatial_dims]
        dilations = [dilation] * n_domains if isinstance(dilation, int) else dilation
        self.conv = DomainSwitch(conv(in_channels, out_channels, 3, padding=each, dilation=each) for each in dilations)
        self.norm = DomainSwitch(norm(out_channels) for _ in range(n_domains))
        self.act = get_act_layer(act)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """(B, in_channels, X, Y[, Z]) to (B, out_channels, X, Y[, Z])."""
        return self.act(self.norm(self.conv(x, domain), domain))

    def joined(self, parts: Sequence[Tensor], domain: int) -> Tensor:
        """``forward`` of the parts' channels together."""
        return self.act(self.norm(convolution_of_parts(self.conv.domains[domain], parts), domain))

    def keep_only(self, domain: int) -> None:
        conv, norm = self.conv.domains[domain], self.norm.domains[domain]
        self.conv = DomainSwitch([_fold(conv, norm)])
        self.norm = DomainSwitch([nn.Identity()])


class SharedConv(DomainModule):
    """Plain 3x3 convolution, batch norm and ReLU, everything shared, as in the U-Net that the paper compares with.

    Args:
        spatial_dims, in_channels, out_channels: see :class:`DomainSeparableConv`.
        n_domains: number of domains; it changes nothing here.
    """

    def __init__(self, spatial_dims: int, in_channels: int, out_channels: int, n_domains: int) -> None:
        super().__init__()
        self.conv: nn.Module = conv_type(spatial_dims)(in_channels, out_channels, 3, padding=1)
        self.norm = Norm[Norm.BATCH, spatial_dims](out_channels)
        self.act = get_act_layer(RELU)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """(B, in_channels, X, Y[, Z]) to (B, out_channels, X, Y[, Z]), the same for every domain."""
        return self.act(self.norm(self.conv(x)))

    def joined(self, parts: Sequence[Tensor], domain: int) -> Tensor:
        """``forward`` of the parts' channels together."""
        return self.act(self.norm(convolution_of_parts(self.conv, parts)))

    def keep_only(self, domain: int) -> None:
        self.conv = _fold(self.conv, self.norm)
        self.norm = nn.Identity()


def _fold(conv: nn.Module, norm: nn.Module) -> nn.Module:
    """A convolution that does what the two do in evaluation mode."""
    assert isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d)
    folded: nn.Module = fuse_conv_bn_eval(conv, norm)  # type: ignore[type-var]
    return folded


SHARING: dict[Sharing, type[DomainSeparableConv] | type[DomainConv] | type[SharedConv]] = {
    "separable": DomainSeparableConv,
    "shared": SharedConv,
    "per_domain": DomainConv,
}
