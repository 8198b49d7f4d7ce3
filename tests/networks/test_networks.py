# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What every network keeps: shapes, the door, domains that leave each other alone, one domain taken out."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from monai_gu2net.networks import GlobalNet, GU2Net, UShapedNet
from monai_gu2net.networks.nets import DomainNetwork

LANDMARKS = {"head": 3, "hand": 5}
FEATURES = (4, 6, 8)
Build = Callable[..., DomainNetwork]


def both(spatial_dims: int, in_channels: Any = 1, **options: Any) -> DomainNetwork:
    return GU2Net(spatial_dims, in_channels, LANDMARKS, features=FEATURES, global_features=8, **options)


def local_branch(spatial_dims: int, in_channels: Any = 1, **options: Any) -> DomainNetwork:
    return GU2Net(spatial_dims, in_channels, LANDMARKS, features=FEATURES, branches="local", **options)


def global_branch(spatial_dims: int, in_channels: Any = 1, **options: Any) -> DomainNetwork:
    return GU2Net(spatial_dims, in_channels, LANDMARKS, global_features=8, branches="global", **options)


def u_net(spatial_dims: int, in_channels: Any = 1, **options: Any) -> DomainNetwork:
    return UShapedNet(spatial_dims, in_channels, LANDMARKS, features=FEATURES, sharing="shared", **options)


def tri_unet(spatial_dims: int, in_channels: Any = 1, **options: Any) -> DomainNetwork:
    return UShapedNet(spatial_dims, in_channels, LANDMARKS, features=FEATURES, sharing="per_domain", **options)


def global_net(spatial_dims: int, in_channels: Any = 1, **options: Any) -> DomainNetwork:
    return GlobalNet(spatial_dims, in_channels, LANDMARKS, features=8, **options)


every_network = pytest.mark.parametrize("build", [both, local_branch, global_branch, u_net, tri_unet, global_net])
every_dimension = pytest.mark.parametrize("spatial_dims", [2, 3])


def trained(network: DomainNetwork) -> DomainNetwork:
    """In evaluation mode, with batch norms and last layers that do something."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.normal_(part.weight, 1.0, 0.3)
            nn.init.normal_(part.bias, 0.0, 0.3)
            nn.init.normal_(part.running_mean, 0.0, 0.3)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    return network.eval()


def noise(spatial_dims: int, *, batch: int = 1, channels: int = 1) -> torch.Tensor:
    return torch.randn((batch, channels, *(13, 18, 11)[:spatial_dims]))


@every_network
@pytest.mark.parametrize("size", [(16, 16), (4, 4), (17, 23), (4, 37), (33, 16, 21), (5, 4, 7)])
def test_the_logits_have_the_size_of_the_image(build: Build, size: tuple[int, ...]) -> None:
    network = build(len(size)).eval()
    assert network(torch.zeros(2, 1, *size), "hand").shape == (2, 5, *size)


@every_network
def test_a_domain_goes_by_name_or_index(build: Build) -> None:
    network, image = build(2).eval(), noise(2)
    torch.testing.assert_close(network(image, "hand"), network(image, 1), rtol=0, atol=0)


@every_network
def test_the_default_domain_stands_in(build: Build) -> None:
    network, image = build(2, default_domain="hand").eval(), noise(2)
    torch.testing.assert_close(network(image), network(image, "hand"), rtol=0, atol=0)


def test_a_network_of_one_domain_needs_no_default() -> None:
    network = GU2Net(2, 1, {"spine": 2}, features=FEATURES, global_features=4)
    assert network(noise(2)).shape == (1, 2, 13, 18)


@every_network
def test_domains_may_differ_in_channels(build: Build) -> None:
    network = build(2, {"hand": 1, "head": 3})
    assert network(noise(2, channels=3), "head").shape == (1, 3, 13, 18)
    assert network(noise(2, channels=1), "hand").shape == (1, 5, 13, 18)
    with pytest.raises(ValueError, match=r"must have 3 channels for domain 'head'; got 1"):
        network(noise(2, channels=1), "head")


@every_network
@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ("toe", r"must be one of \['head', 'hand'\]; got 'toe'"),
        (2, r"index in 0 to 1 of \['head', 'hand'\]; got 2"),
        (-1, r"index in 0 to 1 of \['head', 'hand'\]; got -1"),
        (True, r"a name or an index of \['head', 'hand'\]; got True \(bool\)"),
        (1.0, r"a name or an index of \['head', 'hand'\]; got 1.0 \(float\)"),
        (None, r"must be given, for the network has \['head', 'hand'\]; got None"),
    ],
)
def test_an_unknown_domain_is_refused(build: Build, domain: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(2)(noise(2), domain)


@every_network
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 32, 32), r"must have 4 axes.*got shape \[1, 32, 32\]"),
        ((1, 1, 8, 8, 8), r"must have 4 axes.*got shape \[1, 1, 8, 8, 8\]"),
        ((1, 2, 32, 32), r"must have 1 channels for domain 'head'; got 2 in shape \[1, 2, 32, 32\]"),
        ((1, 1, 32, 3), r"at least 4 pixels along each spatial axis; got shape \[1, 1, 32, 3\]"),
    ],
)
def test_an_image_of_the_wrong_shape_is_refused(build: Build, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(2)(torch.zeros(shape), "head")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spatial_dims": 1}, "spatial_dims must be 2 or 3; got 1"),
        ({"out_channels": {}}, "out_channels must name at least one domain; got {}"),
        ({"out_channels": {"head": 0}}, r"out_channels must be at least 1; got \[0\]"),
        ({"in_channels": {"foot": 1}}, r"domains of out_channels, \['head', 'hand'\]; got \['foot'\]"),
        ({"default_domain": "foot"}, r"domain must be one of \['head', 'hand'\]; got 'foot'"),
        ({"branches": "neither"}, "branches must be 'both', 'local' or 'global'; got 'neither'"),
        ({"features": ()}, r"features must be at least 1; got \[\]"),
        ({"global_features": 1}, r"features // 2 must be at least 1; got \[0\]"),
        ({"dilations": (1, 0)}, r"dilations must be at least 1; got \[1, 0\]"),
        ({"downsample": 0}, r"downsample must be at least 1; got \[0\]"),
        ({"prior": 0.0}, "prior must lie between 0 and 1, both excluded; got 0.0"),
        ({"prior": -0.1}, "prior must lie between 0 and 1, both excluded; got -0.1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"spatial_dims": 2, "in_channels": 1, "out_channels": LANDMARKS, **options}
    with pytest.raises(ValueError, match=message):
        GU2Net(**arguments)


def test_an_unknown_sharing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sharing must be one of .*'separable'.*; got 'some'"):
        UShapedNet(2, 1, LANDMARKS, sharing="some")  # type: ignore[arg-type]


@every_network
@pytest.mark.parametrize("prior", [3e-4, 0.02])
def test_the_heatmaps_start_at_the_prior(build: Build, prior: float) -> None:
    network = build(2, prior=prior)
    for part in network.modules():
        if isinstance(part, UShapedNet | GlobalNet):
            for last in part.exit.domains:
                nn.init.zeros_(last.weight)
    heatmap = network(noise(2), "head").sigmoid()
    torch.testing.assert_close(heatmap, torch.full_like(heatmap, prior), rtol=1e-5, atol=0)


@pytest.mark.parametrize("build", [both, local_branch, global_branch, tri_unet, global_net])
def test_a_step_on_one_domain_leaves_the_others_alone(build: Build) -> None:
    network = build(2).train()
    before = copy.deepcopy(network.state_dict())
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1, weight_decay=0.1)
    network(noise(2, batch=2), "hand").square().mean().backward()
    heads = [parameter for name, parameter in network.named_parameters() if ".domains.0." in name]
    assert heads
    assert all(parameter.grad is None for parameter in heads)
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(".domains.0." in name for name in changed)
    assert any(".domains.1.running_mean" in name for name in changed)
    assert any(".domains.1.weight" in name for name in changed)


@every_network
@every_dimension
def test_one_domain_taken_out_gives_the_same_logits(build: Build, spatial_dims: int) -> None:
    network, image = trained(build(spatial_dims)), noise(spatial_dims, batch=2)
    specialized = network.specialize("hand")
    with torch.no_grad():
        torch.testing.assert_close(specialized(image), network(image, "hand"), rtol=0, atol=1e-5)


@every_network
def test_one_domain_taken_out_holds_nothing_of_the_others(build: Build) -> None:
    network = build(2)
    specialized = network.specialize("hand")
    names = list(specialized.state_dict())
    assert not any(".domains.1." in name or "running" in name for name in names)
    assert not any(parameter.requires_grad or parameter.shape[0] == 3 for parameter in specialized.parameters())
    assert not specialized.training
    assert network.training


@every_network
def test_one_domain_taken_out_is_independent_of_the_network(build: Build) -> None:
    network, image = trained(build(2)), noise(2)
    specialized = network.specialize(1)
    logits = network(image, 0).detach()
    expected = specialized(image)
    with torch.no_grad():
        for parameter in specialized.parameters():
            parameter.add_(1.0)
        torch.testing.assert_close(network(image, 0), logits, rtol=0, atol=0)
        specialized = network.specialize(1)
        for parameter in network.parameters():
            parameter.add_(1.0)
        torch.testing.assert_close(specialized(image), expected, rtol=0, atol=0)


@every_network
def test_its_description_builds_the_same_network_again(build: Build) -> None:
    network = build(2, prior=0.01)
    description = json.loads(json.dumps(network.description))
    assert description["name"] == type(network).__name__
    again = type(network)(2, 1, LANDMARKS, **description["options"])
    again.load_state_dict(network.state_dict())
    image = noise(2)
    torch.testing.assert_close(again.eval()(image, "hand"), network.eval()(image, "hand"), rtol=0, atol=0)


def test_an_unknown_domain_cannot_be_taken_out() -> None:
    with pytest.raises(ValueError, match=r"must be one of \['head', 'hand'\]; got 'toe'"):
        both(2).specialize("toe")


@every_network
@every_dimension
def test_one_domain_taken_out_can_be_scripted_and_traced(build: Build, spatial_dims: int) -> None:
    specialized = trained(build(spatial_dims)).specialize("head")
    scripted = torch.jit.script(specialized)
    traced = torch.jit.trace(specialized, noise(spatial_dims))
    other = torch.randn((2, 1, *(16, 21, 10)[:spatial_dims]))
    for compiled in (scripted, traced):
        torch.testing.assert_close(compiled(other), specialized(other), rtol=0, atol=1e-5)


@every_network
def test_a_scripted_network_takes_names_and_indices(build: Build) -> None:
    network, image = trained(build(2)), noise(2)
    scripted = torch.jit.script(network)
    expected = network(image, "hand")
    for domain in ("hand", 1):
        torch.testing.assert_close(scripted(image, domain), expected, rtol=0, atol=1e-5)
    with pytest.raises(torch.jit.Error, match=r"must be one of .*; got 'toe'"):
        scripted(image, "toe")


def test_a_traced_network_answers_for_its_default_domain() -> None:
    network = trained(both(2, default_domain="hand"))
    traced = torch.jit.trace(network, noise(2))
    other = torch.randn(2, 1, 16, 21)
    torch.testing.assert_close(traced(other), network(other, "hand"), rtol=0, atol=1e-5)


@every_network
def test_channels_last_changes_the_layout_only(build: Build) -> None:
    network, image = trained(build(2)), noise(2, batch=2)
    expected = network(image, "hand")
    network.to(memory_format=torch.channels_last)
    logits = network(image.contiguous(memory_format=torch.channels_last), "hand")
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@every_network
@every_dimension
def test_mixed_precision_trains(build: Build, spatial_dims: int) -> None:
    network = build(spatial_dims).train()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(noise(spatial_dims, batch=2), "hand")
    logits.float().mean().backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
