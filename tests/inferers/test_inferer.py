# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import MetaTensor

from monai_gu2net.inferers import LandmarkInferer
from monai_gu2net.inferers import inferer as inferer_module


class Recorder(torch.nn.Module):
    """A convolution that remembers what it was called with."""

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        self.conv = (torch.nn.Conv2d if dims == 2 else torch.nn.Conv3d)(2, 3, 1)
        self.arguments: tuple[Any, ...] = ()

    def forward(self, image: torch.Tensor, *others: Any) -> torch.Tensor:
        self.arguments = (image, *others)
        return self.conv(image)


@pytest.fixture
def image() -> MetaTensor:
    return MetaTensor(torch.randn(2, 2, 5, 4))


def test_the_network_gets_a_plain_tensor_in_channels_last_and_the_other_arguments(image: MetaTensor) -> None:
    network = Recorder()
    logits = LandmarkInferer(precision="float32")(image, network, "head", 7)
    passed, *others = network.arguments
    assert type(passed) is torch.Tensor
    assert passed.is_contiguous(memory_format=torch.channels_last)
    assert not passed.is_contiguous()
    assert others == ["head", 7]
    torch.testing.assert_close(passed, image.as_tensor())
    torch.testing.assert_close(logits, network.conv(image.as_tensor()))
    assert logits.dtype == torch.float32


def test_a_volume_keeps_its_layout() -> None:
    network = Recorder(dims=3)
    volume = torch.randn(1, 2, 4, 3, 5)
    assert LandmarkInferer(precision="float32")(volume, network).shape == (1, 3, 4, 3, 5)
    assert network.arguments[0] is volume


def test_gradients_flow_through_it(image: MetaTensor) -> None:
    network = Recorder()
    LandmarkInferer(precision="float32")(image, network).sum().backward()
    assert network.conv.weight.grad is not None


@pytest.mark.parametrize(
    ("precision", "prefers_bfloat16", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("float32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
    ],
)
def test_auto_is_bfloat16_where_the_processor_computes_in_it(
    image: MetaTensor,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    prefers_bfloat16: bool,
    expected: torch.dtype,
) -> None:
    monkeypatch.setattr(inferer_module, "processor_prefers_bfloat16", lambda: prefers_bfloat16)
    network = Recorder()
    logits = LandmarkInferer(precision=precision)(image, network)
    assert logits.dtype == expected
    torch.testing.assert_close(logits.float(), network.conv(image.as_tensor()), atol=0.05, rtol=0.02)


@pytest.mark.parametrize(("bfloat16", "expected"), [(0.5, True), (0.9, False), (2.0, False)])
def test_bfloat16_must_win_clearly(monkeypatch: pytest.MonkeyPatch, bfloat16: float, expected: bool) -> None:
    seconds = {torch.bfloat16: bfloat16, torch.float32: 1.0}
    monkeypatch.setattr(inferer_module, "_seconds", seconds.__getitem__)
    assert inferer_module.processor_prefers_bfloat16.__wrapped__() is expected


def test_the_processor_is_tried_once() -> None:
    inferer_module.processor_prefers_bfloat16.cache_clear()
    first = inferer_module.processor_prefers_bfloat16()
    assert inferer_module.processor_prefers_bfloat16() is first
    assert inferer_module.processor_prefers_bfloat16.cache_info().misses == 1


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision must be 'auto', 'bfloat16' or 'float32'; got 'half'"):
        LandmarkInferer(precision="half")
