# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of the authors' code, read into the networks of this package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from monai_gu2net.networks.card_state import without_card
from monai_gu2net.networks.nets.domain_network import DomainNetwork
from monai_gu2net.networks.nets.gu2net import GU2Net

# Our names of layers, and the authors'.
_ENDS = {"entry": "in", "exit": "out", "heatmap_entry": "in_local"}
_DILATED = {"conv": "conv", "norm": "bn"}


def load_authors_weights(network: DomainNetwork, checkpoint: Mapping[str, Any]) -> None:
    """Load a checkpoint saved by the authors' code.

    Networks: ``GU2Net`` ("GLN" in the authors' code), ``UShapedNet`` with the sharing "separable"
    ("U2Net"), "per_domain" ("Tri_UNet") and "shared" ("UNet"), and ``GlobalNet``.

    Args:
        network: the network to load into; its domains in the order of the checkpoint's (the authors' order is
            head, hand, chest).
        checkpoint: what the authors' file holds: names to tensors, or these under "model_state_dict"; names
            may start with "module.".

    Raises:
        ValueError: a parameter is missing, left over, or of another shape.
    """
    theirs = _state_dict(checkpoint)
    ours = without_card(network.state_dict())
    names = {name: _authors_name(name, network) for name in ours if not name.endswith("num_batches_tracked")}
    differences = []
    for our_name, name in names.items():
        if name not in theirs:
            differences.append(f"{name} is missing")
        elif theirs[name].shape != ours[our_name].shape:
            differences.append(f"{name} has shape {tuple(theirs[name].shape)}, not {tuple(ours[our_name].shape)}")
    expected = set(names.values())
    differences += [f"{name} is left over" for name in theirs if name not in expected]
    if differences:
        raise ValueError(
            f"The checkpoint must hold the parameters of this {type(network).__name__}; got "
            f"{len(differences)} differences: {'; '.join(differences[:3])}. Build the network with the "
            "domains, landmarks and settings that the checkpoint was trained with."
        )
    network.load_state_dict({**ours, **{our_name: theirs[name] for our_name, name in names.items()}})


def _state_dict(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint without the wrappings that come with it."""
    state = checkpoint.get("model_state_dict", checkpoint)
    return {
        name.removeprefix("module."): tensor
        for name, tensor in state.items()
        if not name.endswith("num_batches_tracked")
    }


def _authors_name(name: str, network: DomainNetwork) -> str:
    """The authors' name of one of our parameters."""
    if isinstance(network, GU2Net):
        branch, rest = name.split(".", 1)
        both = network.local_net is not None and network.global_net is not None
        prefix = {"local_net": "localNet.", "global_net": "globalNet."}[branch] if both else ""
        return prefix + _authors_name(rest, getattr(network, branch))
    end = re.fullmatch(r"(entry|heatmap_entry|exit)\.domains\.(\d+)\.(.+)", name)
    if end:
        return f"{_ENDS[end[1]]}{end[2]}.conv.{end[3]}"
    dilated = re.fullmatch(r"convs\.(\d+)\.(conv|norm)\.domains\.(\d+)\.(.+)", name)
    if dilated:
        return f"convs{dilated[3]}.{dilated[1]}.{_DILATED[dilated[2]]}.{dilated[4]}"
    body = re.fullmatch(r"body\.(encoder|decoder)\.(\d+)\.(first|second)\.(\w+)(?:\.domains\.(\d+))?\.(\w+)", name)
    if body is None:
        raise ValueError(f"network must be one of the paper's; got parameter {name}.")
    coder, level, position, part, domain, tensor = body.groups()
    stage = _stage(coder, int(level), shared=part in ("conv", "norm") and domain is None)
    number = 1 if position == "first" else 2
    if part == "channelwise":
        inside = f"dwise{number}.{domain}.conv1"
    elif part == "pointwise":
        inside = f"pwise{number}.conv1"
    elif domain is not None:
        inside = f"bn{number}.{domain}" if part == "norm" else f"conv{number}.{domain}"
    else:
        inside = f"double_conv.{3 * (number - 1) + (part == 'norm')}"
    return f"{stage}.{inside}.{tensor}"


def _stage(coder: str, level: int, *, shared: bool) -> str:
    """The authors' name of a double convolution."""
    if coder == "decoder":
        return f"up{level + 1}.conv"
    if level == 0:
        return "conv"
    return f"down{level}.maxpool_conv.1" if shared else f"down{level}.conv"
