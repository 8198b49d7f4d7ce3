# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions of volumes, as a processor computes them fast."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from monai_gu2net.networks.blocks.recompute import runs_eagerly


class VolumeConv(nn.Conv3d):
    """``nn.Conv3d``, which on a processor runs as :func:`convolve_volume` unless it is recorded."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, in_channels, X, Y, Z) to (B, out_channels, X, Y, Z)."""
        if not torch.jit.is_scripting():  # noqa: SIM102 - TorchScript leaves out the branch only if it stands alone
            if runs_eagerly() and self.stride == (1, 1, 1) and self.padding_mode == "zeros":
                return convolve_volume(
                    input, self.weight, self.bias, padding=self.padding, dilation=self.dilation, groups=self.groups
                )
        return self._conv_forward(input, self.weight, self.bias)


def conv_type(spatial_dims: int) -> type[nn.Conv2d] | type[VolumeConv]:
    """The class of convolutions over 2 or 3 axes."""
    return nn.Conv2d if spatial_dims == 2 else VolumeConv


def convolve_volume(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    padding: str | tuple[int, ...] = (0, 0, 0),
    dilation: tuple[int, ...] = (1, 1, 1),
    groups: int = 1,
) -> Tensor:
    """``F.conv3d``, which on a processor computes point-wise and channel-wise ones with the channels last in memory.

    PyTorch 2.13 takes 10 times as long for a step with a channel-wise 3x3x3 convolution as this does, and twice as long
    for one with a point-wise convolution of channels last: oneDNN has fast kernels for these forward and in two
    dimensions, not for their gradients in three. All other kinds go to ``F.conv3d``.

    Args:
        x: (B, C, X, Y, Z).
        weight: (out_channels, C / groups, kernel along X, Y, Z).
        bias: (out_channels,), or None.
        padding: along each axis, or "same" or "valid".
        dilation: along each axis.
        groups: of channels.
    """
    if x.is_cpu and groups == 1 and weight.shape[2:] == (1, 1, 1):
        flat = F.conv2d(_slices(x), weight[..., 0], bias)
        return flat.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
    if x.is_cpu and groups > 1 and weight.shape == (x.shape[1], 1, 3, 3, 3) and padding == dilation == (1, 1, 1):
        if torch.is_autocast_enabled(x.device.type):  # which does not reach into what has a gradient of its own
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        convolved: Tensor = _ChannelwiseConv.apply(x, weight, bias)
        return convolved
    return F.conv3d(x, weight, bias, padding=padding, dilation=dilation, groups=groups)


class _ChannelwiseConv(torch.autograd.Function):
    """A channel-wise 3x3x3 convolution; its gradients by operations that oneDNN has fast kernels for."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = _channels_last(x)
        ctx.save_for_backward(x, weight)
        return F.conv3d(x, weight, bias, padding=1, groups=x.shape[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        gradient = _channels_last(gradient)
        for_x, for_weight, for_bias = ctx.needs_input_grad
        return (
            F.conv3d(gradient, weight.flip(2, 3, 4), padding=1, groups=x.shape[1]) if for_x else None,
            _weight_gradient(x, gradient) if for_weight else None,
            gradient.sum(dim=(0, 2, 3, 4)) if for_bias else None,
        )


def _weight_gradient(x: Tensor, gradient: Tensor) -> Tensor:
    """(C, 1, 3, 3, 3), one slice after the other as a convolution of slices that lie so far apart along X."""
    length, channels = x.shape[2], x.shape[1]
    found = []
    for shift in (-1, 0, 1):
        before, after = max(0, -shift), max(0, shift)
        pair = (gradient[:, :, before : length - after], x[:, :, after : length - before])
        # the values of the weight are not read
        *_, slice_gradient, _ = torch.ops.aten.convolution_backward(
            *map(_slices, pair),
            x.new_empty(channels, 1, 3, 3),
            None,
            *([1, 1],) * 3,
            False,
            [0, 0],
            channels,
            [False, True, False],
        )
        found.append(slice_gradient)
    return torch.stack(found, dim=2)


def _channels_last(x: Tensor) -> Tensor:
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def _slices(x: Tensor) -> Tensor:
    """(B X, C, Y, Z) with the channels last in memory."""
    return x.movedim(1, -1).contiguous().flatten(0, 1).movedim(-1, 1)
