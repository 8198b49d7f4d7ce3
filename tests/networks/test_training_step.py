# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A step of training goes shorter ways than the network as it is recorded, and comes to the same."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from monai_gu2net.losses import HeatmapLoss, heatmap_bce_with_logits
from monai_gu2net.losses.heatmap_loss import _CrossEntropy
from monai_gu2net.networks import GU2Net, UShapedNet, ready_to_train
from monai_gu2net.networks.blocks import DomainConv, DomainSeparableConv, SharedConv
from monai_gu2net.networks.blocks.cell_product import combine_logits, combine_with_cells
from monai_gu2net.networks.blocks.recompute import is_trained
from monai_gu2net.transforms import gaussian_heatmaps

SIZES = [(35, 46), (32, 48), (17, 16, 19)]


def network_for(size: tuple[int, ...]) -> GU2Net:
    torch.manual_seed(0)
    options = {"features": (8, 16, 8), "global_features": 16, "dilations": (1, 2)}
    return GU2Net(len(size), 1, {"head": 3, "hand": 4}, **options).train()  # type: ignore[arg-type]


def written_out(network: GU2Net, image: Tensor, domain: int) -> Tensor:
    """The network as the paper has it: every tensor made, every concatenation done, the cells spread."""
    local, other = network.local_net, network.global_net
    assert local is not None
    assert other is not None
    assert other.heatmap_entry is not None

    def block(conv: nn.Module, x: Tensor) -> Tensor:
        assert isinstance(conv, DomainSeparableConv)
        x = conv.pointwise(conv.channelwise.domains[domain](x))
        return F.leaky_relu(conv.norm.domains[domain](x), 0.01)

    x, skips = local.entry.domains[domain](image), []
    for index, convs in enumerate(local.body.encoder):
        x = x if index == 0 else (F.max_pool2d(x, 2) if image.ndim == 4 else F.max_pool3d(x, 2))
        x = block(convs.second, block(convs.first, x))
        skips.append(x)
    for convs, skip in zip(local.body.decoder, skips[-2::-1], strict=True):
        up = F.interpolate(x, scale_factor=2, mode=local.body.mode, align_corners=True)
        padding: list[int] = []
        for ours, theirs in zip(up.shape[:1:-1], skip.shape[:1:-1], strict=True):
            padding += [(theirs - ours) // 2, theirs - ours - (theirs - ours) // 2]
        x = block(convs.second, block(convs.first, torch.cat([skip, F.pad(up, padding)], dim=1)))
    logits = local.exit.domains[domain](x)
    coarse = [F.interpolate(x, scale_factor=0.25) for x in (image, logits)]
    y = torch.cat(
        [other.entry.domains[domain](coarse[0]), other.heatmap_entry.domains[domain](coarse[1].sigmoid())], dim=1
    )
    for conv in other.convs:
        y = torch.relu(conv.norm.domains[domain](conv.conv.domains[domain](y)))
    y = F.interpolate(other.exit.domains[domain](y), size=image.shape[2:])
    return combine_logits(logits, y)


def step(network: GU2Net, forward: Callable[..., Tensor], image: Tensor, points: Tensor) -> tuple[float, list[Tensor]]:
    """Loss by its definition for what is written out, by the loss otherwise, and the gradients of a step."""
    network.zero_grad()
    logits = forward(image, 1)
    if forward == network:
        loss = HeatmapLoss(3.0)(logits, points)
    else:
        targets = gaussian_heatmaps(points, image.shape[2:], sigma=3.0)
        loss = heatmap_bce_with_logits(logits, targets, points.isfinite().all(dim=-1))
    loss.backward()
    return loss.item(), [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recompute", [False, True])
def test_loss_gradients_and_statistics_are_those_of_the_network_written_out(
    size: tuple[int, ...], recompute: bool
) -> None:
    network = network_for(size).double().set_grad_checkpointing(recompute)
    other = copy.deepcopy(network)
    image = torch.randn(2, 1, *size, dtype=torch.float64)
    points = torch.rand(2, 4, len(size)) * 15
    points[0, 2] = torch.nan
    loss, gradients = step(network, network, image, points)
    expected, expected_gradients = step(other, lambda *x: written_out(other, *x), image, points)
    assert loss == pytest.approx(expected, rel=1e-5)  # both losses are computed in float32
    assert len(gradients) == len(expected_gradients)
    scale = max(gradient.abs().max() for gradient in expected_gradients)
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7 * scale.item())
    for ours, theirs in zip(network.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_in_single_precision_the_step_is_the_same_to_five_digits() -> None:
    network = network_for((64, 48))
    other = copy.deepcopy(network)
    image, points = torch.randn(4, 1, 64, 48), torch.rand(4, 4, 2) * 40
    loss, gradients = step(network, network, image, points)
    expected, expected_gradients = step(other, lambda *x: written_out(other, *x), image, points)
    assert loss == pytest.approx(expected, rel=1e-5)
    ours, theirs = (torch.cat([gradient.flatten() for gradient in g]) for g in (gradients, expected_gradients))
    assert (ours - theirs).norm() < 1e-5 * theirs.norm()


def curve(kind: str, *, bfloat16: bool) -> Tensor:
    """The losses of thirty steps on one batch, from the same start."""
    network = network_for((32, 32)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    image, points = torch.randn(4, 1, 32, 32), torch.rand(4, 4, 2) * 31
    losses = []
    for _ in range(30):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = network(image, 1) if kind == "now" else written_out(network, image, 1)
        loss = HeatmapLoss(3.0)(logits, points)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


def test_the_loss_curve_is_that_of_the_network_written_out() -> None:
    expected = curve("written out", bfloat16=False)
    torch.testing.assert_close(curve("now", bfloat16=False), expected, rtol=5e-3, atol=0)
    noise = (curve("written out", bfloat16=True) / expected - 1).abs().mean()
    assert (curve("now", bfloat16=True) / expected - 1).abs().mean() < 2 * noise + 0.002
    assert expected[-1] < 0.7 * expected[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("block_class", [DomainSeparableConv, DomainConv, SharedConv])
def test_parts_that_are_not_put_together_give_what_their_concatenation_gives(
    block_class: type[DomainConv], size: tuple[int, ...]
) -> None:
    block = block_class(len(size), 5, 4, n_domains=2).double()
    parts = [torch.randn(2, n, *size, dtype=torch.float64, requires_grad=True) for n in (3, 2)]
    joined = block.joined(parts, 1)
    weights = torch.randn_like(joined)
    ours = torch.autograd.grad((joined * weights).sum(), [*parts, *block.parameters()], allow_unused=True)
    whole = torch.cat(parts, dim=1)
    with torch.no_grad():
        expected = copy.deepcopy(block)
        plain = expected(whole, 1)
    torch.testing.assert_close(joined, plain, rtol=1e-12, atol=1e-12)
    theirs = torch.autograd.grad((block(whole, 1) * weights).sum(), [*parts, *block.parameters()], allow_unused=True)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("size", "cells"), [((9, 8), (2, 2)), ((5, 8, 6), (1, 2, 1)), ((7, 6), (7, 6))])
def test_the_gradient_of_the_product_with_cells_is_the_numerical_one(
    size: tuple[int, ...], cells: tuple[int, ...]
) -> None:
    a = torch.randn(2, 3, *size, dtype=torch.float64).mul(5).requires_grad_()
    b = torch.randn(2, 3, *cells, dtype=torch.float64).mul(5).requires_grad_()
    expected = combine_logits(a, F.interpolate(b, size=size))
    torch.testing.assert_close(combine_with_cells(a, b), expected, rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(combine_with_cells, (a, b))


@pytest.mark.parametrize("far", [20.0, 1e4])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_saturated_logits_give_finite_gradients_that_know_which_of_the_two_is_to_blame(
    far: float, signs: tuple[int, int]
) -> None:
    a, b = (torch.full((1, 1, 2, 2), far * sign, requires_grad=True) for sign in signs)
    combine_with_cells(a, b).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    # the smaller logit counts; equal and large, each half; equal and small, the logits add up
    expected = {(1, 1): (0.5, 0.5), (1, -1): (0.0, 1.0), (-1, 1): (1.0, 0.0), (-1, -1): (1.0, 1.0)}[signs]
    assert (a.grad.mean().item(), b.grad.mean().item()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("positive_weight", [1.0, 4.0])
@pytest.mark.parametrize("size", [(9, 8), (5, 6, 4)])
def test_the_gradient_of_the_loss_is_the_numerical_one(size: tuple[int, ...], positive_weight: float) -> None:
    logits = torch.randn(2, 3, *size, dtype=torch.float64).mul(3).requires_grad_()
    profiles = [torch.rand(2, 3, n, dtype=torch.float64) for n in size]
    assert torch.autograd.gradcheck(lambda z: _CrossEntropy.apply(z, positive_weight, *profiles), (logits,))


class Concatenations(TorchDispatchMode):
    """How many maps are concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += func is torch.ops.aten.cat.default and args[0][0].ndim == 4
        return func(*args, **(kwargs or {}))


def test_the_decoder_of_a_step_concatenates_nothing_and_that_of_a_prediction_does() -> None:
    network, image = UShapedNet(2, 1, {"a": 3}, features=(4, 4, 4)), torch.randn(1, 1, 16, 16)
    counts = []
    for mode in (True, False):
        with Concatenations() as seen:
            network.train(mode)(image)
        counts.append(seen.count)
    assert counts == [0, 2]


def test_what_is_kept_for_the_backward_pass_is_less_with_checkpointing() -> None:
    kept = {}
    for recompute in (False, True):
        network = network_for((32, 32)).set_grad_checkpointing(recompute)
        tensors: dict[int, int] = {}

        def keep(tensor: Tensor, tensors: dict[int, int] = tensors) -> Tensor:
            tensors[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network(torch.randn(2, 1, 32, 32), "head")
        kept[recompute] = sum(tensors.values())
    assert kept[True] < 0.67 * kept[False]


def test_only_an_eager_step_is_one() -> None:
    assert is_trained(True)
    assert not is_trained(False)
    with torch.no_grad():
        assert not is_trained(True)
    compiled = torch.compile(lambda x: x + is_trained(True), backend="eager", fullgraph=True)
    assert compiled(torch.zeros(1)).item() == 0


@pytest.mark.parametrize("recompute", [False, True])
def test_frozen_norms_keep_their_statistics_and_the_rest_learns(recompute: bool) -> None:
    network = network_for((16, 16)).set_grad_checkpointing(recompute)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(".exit." in name)
    before = [buffer.clone() for buffer in network.buffers()]
    network.train()(torch.randn(2, 1, 16, 16), "hand").sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(network.buffers(), before, strict=True))
    learned = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert learned == {
        f"{net}.exit.domains.1.{what}" for net in ("local_net", "global_net") for what in ("weight", "bias")
    }


def test_a_compiled_step_is_the_eager_one() -> None:
    network = network_for((16, 16))
    image = torch.randn(2, 1, 16, 16)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(image, 1), network(image, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_network_that_is_made_ready_stays_itself(compiled: bool) -> None:
    network = network_for((16, 16))
    keys = list(network.state_dict())
    ready = ready_to_train(network, device="cpu", grad_checkpointing=True, compiled=compiled)
    assert ready is network
    assert list(ready.state_dict()) == keys
    assert ready.local_net is not None
    assert ready.local_net.body.recompute
    assert (ready._compiled_call_impl is not None) is compiled
    assert copy.deepcopy(ready)._compiled_call_impl is None  # such as the average, which is validated
