# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from monai_gu2net.networks import GlobalNet, GU2Net, UShapedNet

LANDMARKS = {"head": 3, "hand": 5}


@pytest.fixture
def network() -> GU2Net:
    return GU2Net(2, 1, LANDMARKS, features=(4, 8, 8), global_features=8).eval()


def test_the_heatmap_is_the_product_of_the_two_heatmaps(network: GU2Net) -> None:
    image = torch.randn(2, 1, 20, 24)
    assert network.local_net is not None
    assert network.global_net is not None
    with torch.no_grad():
        local_logits = network.local_net(image, "hand")
        global_logits = network.global_net(image, "hand", local_logits)
        heatmap = network(image, "hand").sigmoid()
    torch.testing.assert_close(heatmap, local_logits.sigmoid() * global_logits.sigmoid(), rtol=1e-5, atol=1e-9)


def test_under_mixed_precision_the_product_is_taken_in_float32(network: GU2Net) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(1, 1, 16, 16), "head").dtype == torch.float32


def test_the_global_network_sees_the_local_heatmap(network: GU2Net) -> None:
    assert network.global_net is not None
    image = torch.randn(1, 1, 16, 16)
    empty, full = (network.global_net(image, "head", torch.full((1, 3, 16, 16), z)) for z in (-20.0, 20.0))
    assert (empty - full).abs().max() > 1e-4


def test_a_global_network_without_its_local_heatmap_is_refused(network: GU2Net) -> None:
    assert network.global_net is not None
    with pytest.raises(ValueError, match="local_logits must be given to a network that sees a heatmap; got None"):
        network.global_net(torch.zeros(1, 1, 16, 16), "head")


@pytest.mark.parametrize("downsample", [1, 2, 3, 4])
def test_the_global_network_reads_every_nth_pixel_and_answers_in_cells(downsample: int) -> None:
    network = GlobalNet(2, 1, LANDMARKS, features=4, downsample=downsample).eval()
    image = torch.randn(1, 1, 4 * downsample, 6 * downsample)
    logits = network(image, "head")
    cells = logits[..., ::downsample, ::downsample]
    expanded = cells.repeat_interleave(downsample, -1).repeat_interleave(downsample, -2)
    torch.testing.assert_close(logits, expanded, rtol=0, atol=0)
    between = image.clone()
    between[..., downsample - 1 :: downsample, :] += float(downsample > 1)
    torch.testing.assert_close(network(between, "head"), logits, rtol=0, atol=0)


@pytest.mark.parametrize(("dilations", "reach"), [((1, 2, 5, 2, 1), 12), ((1, 2, 5), 9), ((1,), 2)])
def test_the_global_network_reaches_as_far_as_its_dilations_and_the_first_convolution(
    dilations: tuple[int, ...], reach: int
) -> None:
    network = GlobalNet(2, 1, LANDMARKS, features=8, dilations=dilations, downsample=1).double().eval()
    image = torch.randn(1, 1, 41, 41, dtype=torch.float64, requires_grad=True)
    network(image, "head")[0, :, 20, 20].sum().backward()
    assert image.grad is not None
    seen = image.grad[0, 0].abs().amax(0).nonzero().flatten()
    assert (20 - seen.min().item(), seen.max().item() - 20) == (reach, reach)


def test_the_batch_is_a_batch_of_independent_images(network: GU2Net) -> None:
    images = torch.randn(3, 1, 16, 20)
    together = network(images, "head")
    alone = torch.cat([network(image[None], "head") for image in images])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_a_few_steps_fit_one_pixel() -> None:
    network = GU2Net(2, 1, LANDMARKS, features=(8, 8), global_features=8)
    image = torch.zeros(2, 1, 16, 16)
    image[0, 0, 5, 9] = image[1, 0, 11, 3] = 1.0
    target = image.expand(-1, 3, -1, -1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(image, "head"), target, reduction="sum")
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("sharing", ["separable", "shared", "per_domain"])
def test_the_number_of_levels_is_free(sharing: str) -> None:
    for features in ((3,), (3, 5), (3, 4, 5, 6, 7, 8)):
        network = UShapedNet(2, 1, LANDMARKS, features=features, sharing=sharing)  # type: ignore[arg-type]
        assert network(torch.zeros(2, 1, 35, 64), "head").shape == (2, 3, 35, 64)
        assert network.min_size == 2 ** (len(features) - 1)
