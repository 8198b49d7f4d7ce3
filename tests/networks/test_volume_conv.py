# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Convolutions of volumes against PyTorch's own in double precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from monai_gu2net.networks.blocks.volume_conv import VolumeConv

KINDS: dict[str, dict[str, Any]] = {
    "channel-wise": {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1, "groups": 4},
    "point-wise": {"in_channels": 4, "out_channels": 3, "kernel_size": 1},
    "of one channel": {"in_channels": 1, "out_channels": 3, "kernel_size": 1},
    "dilated": {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "padding": 2, "dilation": 2},
    "of groups": {"in_channels": 4, "out_channels": 8, "kernel_size": 3, "padding": 1, "groups": 4},
    "without padding": {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "groups": 4},
    "without bias": {"in_channels": 4, "out_channels": 4, "kernel_size": 3, "padding": 1, "groups": 4, "bias": False},
}


@pytest.mark.parametrize("size", [(5, 6, 7), (3, 4, 8)])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_convolution_and_its_gradients_are_those_of_double_precision(
    kind: str, channels_last: bool, size: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    conv = VolumeConv(**KINDS[kind])
    image = torch.randn(2, conv.in_channels, *size)
    image = image.to(memory_format=torch.channels_last_3d) if channels_last else image
    for ours, theirs in zip(_results(conv, image), _oracle(conv, image), strict=True):
        torch.testing.assert_close(ours, theirs.float(), rtol=1e-4, atol=1e-4)


def test_a_volume_of_one_slice_has_gradients_of_that_slice_alone() -> None:
    conv = VolumeConv(3, 3, 3, padding=1, groups=3)
    image = torch.randn(1, 3, 1, 4, 5)
    for ours, theirs in zip(_results(conv, image), _oracle(conv, image), strict=True):
        torch.testing.assert_close(ours, theirs.float(), rtol=1e-4, atol=1e-4)


def test_under_autocast_a_convolution_computes_in_bfloat16_and_its_weights_get_float32_gradients() -> None:
    conv = VolumeConv(4, 4, 3, padding=1, groups=4)
    image = torch.randn(1, 4, 5, 6, 7)
    with torch.autocast("cpu", torch.bfloat16):
        out = conv(image)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert conv.weight.grad is not None
    assert conv.weight.grad.dtype == torch.float32
    *_, weight, _ = _oracle(conv, image, gradient=torch.ones(1, 4, 5, 6, 7))
    torch.testing.assert_close(conv.weight.grad, weight.float(), rtol=0.05, atol=0.3)


def test_what_needs_no_gradient_gets_none() -> None:
    conv = VolumeConv(4, 4, 3, padding=1, groups=4)
    conv.weight.requires_grad_(False)
    image = torch.randn(1, 4, 5, 6, 7)
    conv(image).sum().backward()
    assert image.grad is None
    assert conv.weight.grad is None
    assert conv.bias is not None
    torch.testing.assert_close(conv.bias.grad, torch.full((4,), 5.0 * 6 * 7))


def _results(conv: VolumeConv, image: Tensor) -> list[Tensor]:
    """The output, and the gradients of the sum of its squares: for the image, the weight and the bias."""
    image = image.detach().requires_grad_()
    out = conv(image)
    out.square().sum().backward()
    return [out.detach(), *(each.grad for each in (image, *conv.parameters()) if each.grad is not None)]


def _oracle(conv: VolumeConv, image: Tensor, gradient: Tensor | None = None) -> list[Tensor]:
    """The same by torch.nn.Conv3d in double precision."""
    bias = conv.bias is not None
    fields = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, bias)
    other = torch.nn.Conv3d(conv.in_channels, conv.out_channels, *fields).double()  # type: ignore[arg-type]
    other.load_state_dict(conv.state_dict())
    image = image.detach().double().requires_grad_()
    out = other(image)
    out.backward(2 * out.detach() if gradient is None else gradient.double())
    return [out.detach(), *(each.grad for each in (image, *other.parameters()) if each.grad is not None)]


@pytest.mark.parametrize("options", [{"stride": 2, "padding": 1}, {"padding": 1, "padding_mode": "circular"}])
def test_what_the_fast_way_does_not_know_goes_the_usual_one(options: dict[str, Any]) -> None:
    conv = VolumeConv(4, 4, 3, groups=4, **options)
    image = torch.randn(1, 4, 6, 5, 7)
    expected = nn.Conv3d(4, 4, 3, groups=4, **options)
    expected.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv(image), expected(image))
