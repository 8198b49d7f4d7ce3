# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Several networks as one: the mean of their heatmaps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks.shape import pose_of
from monai_gu2net.networks.model_card import ModelCard, load_model
from monai_gu2net.networks.nets.domain_network import DomainNetwork
from monai_gu2net.transforms.mean_logits import mean_logits

__all__ = ["Ensemble", "load_ensemble"]

_SAME_POSE = 10.0  # degrees between two mean shapes


class Ensemble(nn.Module):
    """Networks of the same domains, whose heatmaps are averaged in float32.

    Args:
        networks: at least one; they may differ in everything but their domains.

    Raises:
        ValueError: there is none, or their domains or numbers of landmarks differ.
    """

    def __init__(self, networks: Sequence[DomainNetwork]) -> None:
        super().__init__()
        members = [dict(zip(network.domain_names, network.out_channels, strict=True)) for network in networks]
        if not members or any(list(domains.items()) != list(members[0].items()) for domains in members):
            raise ValueError(
                "networks must be at least one, all with the same domains in one order and as many landmarks in each; "
                f"got {members}. Leave out those that differ."
            )
        self.members = nn.ModuleList(networks)

    def forward(self, image: Tensor, domain: str | int | None = None) -> Tensor:
        """(B, C, X, Y[, Z]) to the logits (B, N, X, Y[, Z]) of the mean heatmaps, float32."""
        return mean_logits([network(image, domain) for network in self.members])

    def specialize(self, domain: str | int | None) -> nn.Module:
        """Take one domain out of each, see :meth:`DomainNetwork.specialize`: an ensemble of the image alone."""
        return _SpecializedEnsemble([network.specialize(domain) for network in self.members]).eval()  # type: ignore[operator]


class _SpecializedEnsemble(nn.Module):
    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(networks)

    def forward(self, image: Tensor) -> Tensor:
        return mean_logits([network(image) for network in self.members])


def load_ensemble(
    paths: Sequence[str | os.PathLike[str]], *, map_location: str | torch.device = "cpu"
) -> tuple[DomainNetwork | Ensemble, ModelCard]:
    """The networks of one or several checkpoints and one card, the first's.

    Args:
        paths: checkpoints; of a single one the network itself is given.
        map_location: the device.

    Returns:
        Network in evaluation mode, and card; that of several says in its provenance which files they are.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: there is none, one is no checkpoint, or their domains, landmarks or input sizes differ.
    """
    if not paths:
        raise ValueError("paths must be at least one checkpoint; got none. Name a model.pt.")
    loaded = [load_model(path, map_location=map_location) for path in paths]
    first, card = loaded[0]
    if len(loaded) == 1:
        return first, card
    for path, (_, other) in zip(paths, loaded, strict=True):
        different = [
            f"{field} of {name}"
            for name in {**card.domains, **other.domains}
            for field in _different(card.domains.get(name), other.domains.get(name))
        ]
        if different or list(card.domains) != list(other.domains):
            raise ValueError(
                "Checkpoints of an ensemble must have the same domains, landmarks and input; "
                f"{os.fspath(path)!r} differs from {os.fspath(paths[0])!r} in {different or 'the order of domains'}. "
                "Use models of one datalist."
            )
    card.provenance = {**card.provenance, "ensemble": ", ".join(os.fspath(path) for path in paths)}
    return Ensemble([network for network, _ in loaded]).eval(), card


def _different(ours: Domain | None, theirs: Domain | None) -> list[str]:
    """The fields in which two domains differ so that one image cannot be seen for both."""
    if ours is None or theirs is None:
        return ["existence"]
    views = [{"landmarks": domain.landmarks, **domain.view} for domain in (ours, theirs)]
    shapes = [view.pop("mean_shape") for view in views]
    fields = [field for field in views[0] if views[0][field] != views[1][field]]
    return fields if fields or _alike(*shapes) else ["mean_shape"]


def _alike(ours: Any, theirs: Any) -> bool:
    """Whether two mean shapes lie in one pose, as those of the folds of one study do; None: there is none."""
    pose = None if ours is None or theirs is None else pose_of(ours, theirs)
    return ours is theirs is None or (pose is not None and pose.degrees <= _SAME_POSE)
