# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from torch import nn

from monai_gu2net.networks.blocks import DomainConv, DomainSeparableConv, DomainSwitch, SharedConv, keep_only

BLOCKS = [DomainSeparableConv, DomainConv, SharedConv]


def randomize_norms(module: nn.Module) -> None:
    """Batch norms that do something, as those of a trained network do."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.normal_(part.weight, 1.0, 0.3)
            nn.init.normal_(part.bias, 0.0, 0.3)
            nn.init.normal_(part.running_mean, 0.0, 0.3)
            nn.init.uniform_(part.running_var, 0.5, 2.0)


def test_a_switch_runs_the_module_of_the_domain() -> None:
    switch = DomainSwitch([nn.Identity(), nn.Flatten(), nn.ReLU()])
    x = torch.tensor([[[-1.0, 2.0]]])
    assert switch(x, 0).tolist() == [[[-1.0, 2.0]]]
    assert switch(x, 1).tolist() == [[-1.0, 2.0]]
    assert switch(x, 2).tolist() == [[[0.0, 2.0]]]


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_separable_block_is_correlation_by_channel_then_a_matrix(spatial_dims: int) -> None:
    block = DomainSeparableConv(spatial_dims, 3, 4, n_domains=2).double().eval()
    randomize_norms(block)
    x = torch.randn((1, 3, *(5, 6, 7)[:spatial_dims]), dtype=torch.float64)
    channelwise, norm = block.channelwise.domains[1], block.norm.domains[1]
    maps = np.stack(
        [
            correlate(x[0, c].numpy(), channelwise.weight[c, 0].detach().numpy(), mode="same")
            + channelwise.bias[c].item()
            for c in range(3)
        ]
    )
    weight = block.pointwise.weight.detach().numpy().reshape(4, 3)
    column = (4,) + (1,) * spatial_dims
    mixed = np.tensordot(weight, maps, axes=1) + block.pointwise.bias.detach().numpy().reshape(column)
    mean, variance, scale, shift = (
        tensor.detach().numpy().reshape(column)
        for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    normed = (mixed - mean) / np.sqrt(variance + norm.eps) * scale + shift
    expected = np.where(normed > 0, normed, 0.01 * normed)
    with torch.no_grad():
        np.testing.assert_allclose(block(x, 1)[0].numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("block_class", BLOCKS)
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_size_stays(block_class: type[DomainConv], spatial_dims: int) -> None:
    size = (7, 9, 4)[:spatial_dims]
    assert block_class(spatial_dims, 2, 6, n_domains=2)(torch.randn(2, 2, *size), 1).shape == (2, 6, *size)


@pytest.mark.parametrize(("spatial_dims", "dilation"), [(2, 5), (3, 2)])
def test_the_size_stays_at_every_dilation(spatial_dims: int, dilation: int) -> None:
    size = (7, 9, 4)[:spatial_dims]
    block = DomainConv(spatial_dims, 2, 6, n_domains=2, dilation=dilation)
    assert block(torch.randn(2, 2, *size), 1).shape == (2, 6, *size)


@pytest.mark.parametrize(
    ("block_class", "shared"),
    [
        (DomainSeparableConv, {"pointwise.weight", "pointwise.bias"}),
        (DomainConv, set()),
        (SharedConv, {"conv.weight", "conv.bias", "norm.weight", "norm.bias"}),
    ],
)
def test_a_batch_trains_its_own_domain_and_what_is_shared(block_class: type[DomainConv], shared: set[str]) -> None:
    block = block_class(2, 2, 3, n_domains=2)
    block(torch.randn(2, 2, 8, 8), 1).sum().backward()
    trained = {name for name, parameter in block.named_parameters() if parameter.grad is not None}
    assert trained == shared | {name for name, _ in block.named_parameters() if ".domains.1." in name}


@pytest.mark.parametrize("block_class", BLOCKS)
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_one_domain_with_its_norm_folded_in_computes_the_same(block_class: type[DomainConv], spatial_dims: int) -> None:
    block = block_class(spatial_dims, 3, 5, n_domains=3).eval()
    randomize_norms(block)
    x = torch.randn((2, 3, *(6, 8, 5)[:spatial_dims]))
    with torch.no_grad():
        expected = block(x, 2)
        keep_only(block, 2)
        torch.testing.assert_close(block(x, 0), expected, rtol=0, atol=1e-5)
    assert not any(isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d) for part in block.modules())
