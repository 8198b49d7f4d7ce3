# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The authors' networks: same parameters, same numbers (tests/golden/README.md says where they are from)."""

from __future__ import annotations

import functools
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_gu2net.networks import GlobalNet, GU2Net, UShapedNet, load_authors_weights
from monai_gu2net.networks.nets import DomainNetwork

GOLDEN = Path(__file__).parents[1] / "golden"
LANDMARKS = {"head": 19, "hand": 37, "chest": 6}
# The numbers of landmarks that meet every entry of the table of parameters in the paper.
PAPER_LANDMARKS = {"hand": 37, "head": 19, "chest": 85}
NETWORKS: dict[str, Callable[[dict[str, int]], DomainNetwork]] = {
    "GLN": lambda landmarks: GU2Net(2, 1, landmarks),
    "U2Net": lambda landmarks: UShapedNet(2, 1, landmarks),
    "GlobalNet": lambda landmarks: GlobalNet(2, 1, landmarks),
    "Tri_UNet": lambda landmarks: UShapedNet(2, 1, landmarks, sharing="per_domain"),
    "UNet": lambda landmarks: UShapedNet(2, 1, landmarks, sharing="shared"),
}


@functools.cache
def parameter_shapes() -> dict[str, dict[str, list[int]]]:
    return json.loads((GOLDEN / "authors_networks.json").read_text())


def filled(name: str, shape: list[int]) -> torch.Tensor:
    """The value of a parameter, by its name alone."""
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape))
    if name.endswith("running_var"):
        value = 0.5 + z**2
    elif name.endswith("running_mean"):
        value = 0.1 * z
    elif len(shape) >= 2:
        value = z * np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        value = 1 + 0.1 * z
    else:
        value = 0.1 * z
    if re.match(r"^(localNet\.)?out(c|\d)", name):
        value = 0.02 * value
    return torch.from_numpy(value.astype(np.float32))


def authors_state(network: str) -> dict[str, torch.Tensor]:
    return {name: filled(name, shape) for name, shape in parameter_shapes()[network].items()}


def small_state() -> dict[str, torch.Tensor]:
    """A checkpoint of a global network, the smallest of the five."""
    return authors_state("GlobalNet")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_authors_parameters_give_the_authors_heatmaps(name: str) -> None:
    # The reference was computed in float32 and carries up to 1e-5 of rounding, so ours must not add its own.
    network = NETWORKS[name](LANDMARKS).double().eval()
    load_authors_weights(network, authors_state(name))
    golden = np.load(GOLDEN / "authors_networks.npz")
    for size, step in (((50, 38), 1), ((48, 64), 3)):
        for domain in (0,) if step == 1 else (0, 1, 2):
            noise = np.random.RandomState(11 + domain).standard_normal((1, 1, *size)).astype(np.float32)
            with torch.no_grad():
                heatmaps = network(torch.from_numpy(noise).double(), domain).sigmoid()[0].numpy()
            key = f"{name}/{size[0]}x{size[1]}/domain{domain}"
            np.testing.assert_allclose(heatmaps[:, ::step, ::step], golden[key], rtol=0, atol=1e-5)
            if step > 1:
                sums = heatmaps.sum((1, 2))
                np.testing.assert_allclose(sums, golden[f"{key}/sums"], rtol=0, atol=1e-5 * np.prod(size))


@pytest.mark.parametrize("name", ["GLN", "UNet"])
def test_the_heatmaps_agree_in_float32_up_to_rounding(name: str) -> None:
    network = NETWORKS[name](LANDMARKS).eval()
    load_authors_weights(network, authors_state(name))
    noise = np.random.RandomState(11).standard_normal((1, 1, 50, 38)).astype(np.float32)
    with torch.no_grad():
        heatmaps = network(torch.from_numpy(noise), "head").sigmoid()[0].numpy()
    golden = np.load(GOLDEN / "authors_networks.npz")[f"{name}/50x38/domain0"]
    np.testing.assert_allclose(heatmaps, golden, rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("GLN", 4_381_052),
        ("U2Net", 2_117_630),
        ("GlobalNet", 2_229_438),
        ("Tri_UNet", 51_911_806),
        ("UNet", 17_306_878),
    ],
)
def test_the_networks_have_the_authors_number_of_parameters(name: str, count: int) -> None:
    with torch.device("meta"):
        network = NETWORKS[name](LANDMARKS)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_three_dilations_give_the_authors_default_global_network() -> None:
    network = GlobalNet(2, 1, LANDMARKS, dilations=(1, 2, 5))
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_342_398


@pytest.mark.parametrize(
    ("build", "millions"),
    [
        (lambda: GU2Net(2, 1, PAPER_LANDMARKS), 4.44),
        (lambda: UShapedNet(2, 1, PAPER_LANDMARKS), 2.12),
        (lambda: GlobalNet(2, 1, PAPER_LANDMARKS, dilations=(1, 2, 5)), 1.35),
        (lambda: UShapedNet(2, 1, PAPER_LANDMARKS, sharing="per_domain"), 51.92),
        (lambda: UShapedNet(2, 1, PAPER_LANDMARKS, sharing="shared"), 17.31),
    ],
)
def test_the_papers_table_of_parameters_is_met(build: Callable[[], DomainNetwork], millions: float) -> None:
    with torch.device("meta"):
        network = build()
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 2) == millions


def test_the_wrappings_of_a_training_checkpoint_are_taken_off() -> None:
    plain, wrapped = GlobalNet(2, 1, LANDMARKS), GlobalNet(2, 1, LANDMARKS)
    state = small_state()
    load_authors_weights(plain, state)
    load_authors_weights(
        wrapped,
        {
            "epoch": 99,
            "model_state_dict": {
                **{f"module.{name}": tensor for name, tensor in state.items()},
                "module.convs0.0.bn.num_batches_tracked": torch.tensor(7),
            },
        },
    )
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(wrapped.state_dict()[name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize(("branches", "name"), [("local", "U2Net"), ("global", "GlobalNet")])
def test_a_gu2net_of_one_branch_takes_the_weights_of_that_network(branches: str, name: str) -> None:
    network = GU2Net(2, 1, LANDMARKS, branches=branches)  # type: ignore[arg-type]
    load_authors_weights(network, authors_state(name))
    expected = filled("out1.conv.bias", [37])
    branch = network.local_net if branches == "local" else network.global_net
    assert branch is not None
    torch.testing.assert_close(branch.exit.domains[1].bias.detach(), expected, rtol=0, atol=0)


def test_the_order_of_the_domains_matters() -> None:
    network = GlobalNet(2, 1, {"hand": 37, "head": 19, "chest": 6})
    with pytest.raises(ValueError, match=r"4 differences: out0\.conv\.weight has shape \(19, 128, 1, 1\), not"):
        load_authors_weights(network, small_state())


def test_a_missing_and_a_left_over_parameter_are_named() -> None:
    network = GlobalNet(2, 1, LANDMARKS)
    before = network.exit.domains[0].weight.clone()
    state = small_state()
    state["in9.conv.bias"] = state.pop("in2.conv.bias")
    with pytest.raises(ValueError, match=r"in2\.conv\.bias is missing; in9\.conv\.bias is left over"):
        load_authors_weights(network, state)
    torch.testing.assert_close(network.exit.domains[0].weight, before, rtol=0, atol=0)


def test_another_network_is_not_taken_for_a_checkpoint_of_this_one() -> None:
    with pytest.raises(ValueError, match=r"parameters of this UShapedNet; got .* differences"):
        load_authors_weights(UShapedNet(2, 1, LANDMARKS, features=(4, 8)), small_state())
