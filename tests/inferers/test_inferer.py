# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import MetaTensor

from monai_gu2net.inferers import LandmarkInferer


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


@pytest.mark.parametrize(("precision", "expected"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_the_network_computes_in_the_precision_told(image: MetaTensor, precision: str, expected: torch.dtype) -> None:
    network = Recorder()
    logits = LandmarkInferer(precision=precision)(image, network)
    assert logits.dtype == expected
    torch.testing.assert_close(logits.float(), network.conv(image.as_tensor()), atol=0.05, rtol=0.02)


@pytest.mark.parametrize(("mark", "expected"), [("hand", "hand"), (["hand", "hand"], "hand")])
def test_a_batch_goes_to_the_domain_that_its_images_are_marked_with(mark: Any, expected: str) -> None:
    network = Recorder()
    LandmarkInferer()(MetaTensor(torch.zeros(2, 2, 5, 4), meta={"gu2net_domain": mark}), network)
    assert network.arguments[1:] == (expected,)


def test_a_batch_marked_with_two_domains_is_refused() -> None:
    batch = MetaTensor(torch.zeros(2, 2, 5, 4), meta={"gu2net_domain": ["hand", "head"]})
    with pytest.raises(ValueError, match=r"batch must be of one domain; its images are marked \['hand', 'head'\]"):
        LandmarkInferer()(batch, Recorder())


@pytest.mark.parametrize("precision", ["half", "auto"])
def test_another_precision_is_refused(precision: str) -> None:
    with pytest.raises(ValueError, match=f"precision must be 'bfloat16' or 'float32'; got '{precision}'"):
        LandmarkInferer(precision=precision)
