# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Starting a training run from trained weights: the same domains at another size, or new domains beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from monai_gu2net.data.domain import Domain, spatial_dims_of
from monai_gu2net.networks.blocks.domain_switch import DomainSwitch
from monai_gu2net.networks.card_state import CARD_KEY, card_of_some
from monai_gu2net.networks.model_card import ModelCard, load_model
from monai_gu2net.networks.nets.domain_network import DomainNetwork
from monai_gu2net.networks.nets.global_net import DILATIONS, DOWNSAMPLE

__all__ = [
    "appearance_from",
    "calibration_from",
    "domains_from",
    "keep_domains",
    "parameter_groups",
    "reach_from",
    "ready_to_train",
    "start_from",
]

_OWN = re.compile(r"\.domains\.(\d+)\.")


def domains_from(
    checkpoint: str | os.PathLike[str] | None, domains: Mapping[str, Domain], *, spatial_dims: int | None = None
) -> dict[str, Domain]:
    """The domains of a network that goes on from a checkpoint: the checkpoint's, then those that are new.

    Args:
        checkpoint: a trained model; None: there is none.
        domains: of the data to train on. Of a domain that the checkpoint has too, the data's input size counts, and the
            checkpoint's mean shape.
        spatial_dims: number of axes of the images that the network is for, 2 or 3; None: that of the checkpoint's
            domains, or of the first one.

    Returns:
        The domains by name, in the order of the network's.

    Raises:
        ValueError: a domain has other landmarks or another orientation in the checkpoint, or its images another number
            of axes than the network's.
    """
    earlier = {} if checkpoint is None else ModelCard.load(checkpoint).domains
    domains = dict(domains)
    for name, domain in domains.items():
        if name in earlier and earlier[name].landmarks != domain.landmarks:
            raise ValueError(
                f"Domain {name!r}: the landmarks must be those of {os.fspath(checkpoint or '')!r}, "
                f"{list(earlier[name].landmarks)}; got {list(domain.landmarks)}. Give the new domain another name."
            )
        if name in earlier and earlier[name].orientation != domain.orientation:
            raise ValueError(
                f"Domain {name!r}: the orientation must be that of {os.fspath(checkpoint or '')!r}, "
                f"{earlier[name].orientation}; got {domain.orientation}. Prepare the data so (--orientation)."
            )
        if name in earlier:  # the pose that a shape lies in is as good as any other, but the network has learned one
            domains[name] = replace(domain, mean_shape=earlier[name].mean_shape)
    together = {**earlier, **domains}
    spatial_dims_of(together, spatial_dims)
    return together


def calibration_from(
    checkpoint: str | os.PathLike[str] | None, domains: Collection[str], *, shared_rate: float
) -> dict[str, Any]:
    """What holds of a checkpoint's calibration for the model that goes on from it.

    Args:
        checkpoint: a trained model; None: there is none.
        domains: names of the domains of the data to train on. Theirs does not hold any more.
        shared_rate: see :func:`parameter_groups`. Above 0 the other domains change too, and nothing holds.

    Returns:
        By domain, for the new model's :class:`ModelCard`.
    """
    if checkpoint is None or shared_rate > 0:
        return {}
    earlier = ModelCard.load(checkpoint).calibration
    return {name: calibration for name, calibration in earlier.items() if name not in domains}


def appearance_from(checkpoint: str | os.PathLike[str] | None) -> dict[str, Any]:
    """What a checkpoint knows of the looks of its domains' images, which no training changes.

    Args:
        checkpoint: a trained model; None: there is none.

    Returns:
        By domain, for the new model's :class:`ModelCard`.
    """
    return {} if checkpoint is None else ModelCard.load(checkpoint).appearance


def reach_from(
    checkpoint: str | os.PathLike[str] | None,
    *,
    dilations: Sequence[int] | Mapping[str, Sequence[int]] = DILATIONS,
    downsample: int | Mapping[str, int] = DOWNSAMPLE,
) -> dict[str, Any]:
    """How far the global network of each domain sees, and in which cells: what a training begins with.

    Args:
        checkpoint: a trained model that the training goes on from; None: there is none.
        dilations: without a checkpoint.
        downsample: without a checkpoint.

    Returns:
        ``dilations`` and ``downsample`` of :class:`~monai_gu2net.networks.GU2Net`.
    """
    options = {} if checkpoint is None else ModelCard.load(checkpoint).network.get("options", {})
    return {
        "dilations": options.get("dilations", dilations),
        "downsample": options.get("downsample", downsample),
    }


def start_from(
    network: DomainNetwork, checkpoint: str | os.PathLike[str] | None, *, like: str | None = None
) -> DomainNetwork:
    """Give a network the weights of a checkpoint, in place.

    Shared weights and those of the domains that both have are copied. A domain that only the network has starts as a
    copy of an earlier domain, as far as the shapes are the same, for the shared convolutions expect features like those
    they were trained on; its last convolutions stay as they are. ``downsample`` may differ from the checkpoint's: twice
    as much at twice the input size leaves the global network the same cells of the image.

    Args:
        network: has the checkpoint's options; those by domain may differ for a new domain.
        checkpoint: a trained model; None: nothing is done.
        like: the earlier domain that new ones are copies of at the start; by default the checkpoint's first.

    Returns:
        The network.

    Raises:
        ValueError: the network's options or number of spatial axes are not the checkpoint's, or ``like`` is not one of
            its domains.
    """
    if checkpoint is None:
        return network
    trained, card = load_model(checkpoint)
    ours, theirs = network.description, trained.description
    common = [name for name in network.domain_names if name in trained.domain_names] or [""]
    different = {
        key
        for key in {*ours["options"], *theirs["options"]} - {"prior", "downsample"}
        for name in common
        if _setting(network, key, name) != _setting(trained, key, name)
    }
    if ours["name"] != theirs["name"] or different:
        raise ValueError(
            f"The network must be as that of {os.fspath(checkpoint)!r}, {theirs}; got {ours}. Set the same options."
        )
    if network.spatial_dims != trained.spatial_dims:
        raise ValueError(
            f"The network must take images of {trained.spatial_dims} axes, as that of {os.fspath(checkpoint)!r}; got "
            f"one of {network.spatial_dims}. Start from a model of the same kind of images."
        )
    names = list(card.domains)
    if like is not None and like not in names:
        raise ValueError(f"like must be a domain of {os.fspath(checkpoint)!r}, {names}; got {like!r}. Choose one.")
    model = names.index(like) if like is not None else 0
    weights = trained.state_dict()
    start: dict[str, torch.Tensor] = {}
    for key, value in network.state_dict().items():
        own = _OWN.search(key)
        if own is None:
            start[key] = value if key == CARD_KEY else weights[key]
            continue
        name = network.domain_names[int(own[1])]
        index = names.index(name) if name in names else model
        candidate = weights[f"{key[: own.start()]}.domains.{index}.{key[own.end() :]}"]
        # The last convolutions of a new domain learn from the start, also where the number of landmarks is the same.
        copied = name in names or (candidate.shape == value.shape and ".exit." not in f".{key}")
        start[key] = candidate if copied else value
    network.load_state_dict(start)
    return network


def keep_domains(checkpoint: str | os.PathLike[str], names: Sequence[str]) -> tuple[DomainNetwork, ModelCard]:
    """Some domains of a trained model as a model of their own, which finds in them what the whole one does.

    Args:
        checkpoint: the trained model; it is left as it is.
        names: of the domains to keep, in the order that they are to have.

    Returns:
        The network, in evaluation mode, and its card, see :func:`~monai_gu2net.networks.save_model`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint of this package, or lacks one of the domains.
    """
    card = ModelCard.load(checkpoint)
    unknown = [name for name in names if name not in card.domains]
    if unknown or not names:
        raise ValueError(
            f"names must be among the model's domains {list(card.domains)}; got {list(names)}. Correct it."
        )
    kept = ModelCard.from_state_dict(card_of_some(card.state_dict(), names))
    return start_from(kept.build_network(), checkpoint).eval(), kept


def _setting(network: DomainNetwork, key: str, domain: str) -> Any:
    """An option of a network, of those by domain that of one."""
    value = network.options.get(key)
    return value[domain] if isinstance(value, Mapping) and domain in value else value


def ready_to_train(
    network: DomainNetwork, *, device: str | torch.device, grad_checkpointing: bool = False, compiled: bool = False
) -> DomainNetwork:
    """Put a network where and how it is to be trained, in place.

    Args:
        network: a network over domains.
        device: where it runs.
        grad_checkpointing: memory or time, see :meth:`DomainNetwork.set_grad_checkpointing`.
        compiled: ``torch.compile`` it. On a processor that is no gain; on CUDA it has not been measured. The network's
            keys stay, and its copies (the average, what is evaluated) are not compiled.

    Returns:
        The network, where images are of two axes with the channels last in memory.
    """
    network.set_grad_checkpointing(grad_checkpointing)
    # of volumes the convolutions choose the layout themselves, see blocks.volume_conv
    if network.spatial_dims == 2:
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    else:
        network.to(device)
    if compiled:
        network.compile()
    return network


def parameter_groups(network: nn.Module, *, learning_rate: float, shared_rate: float = 1.0) -> list[dict[str, Any]]:
    """Parameters for an optimiser: each domain's own, and those that all domains share.

    Args:
        network: a network over domains.
        learning_rate: of the domains' own parameters.
        shared_rate: factor for the shared parameters: 1: no difference; 0: they are frozen (they get no gradient and
            are in no group, and shared batch norms keep their statistics), so that training a new domain leaves the
            others as they are; in between: gently trained.

    Returns:
        Groups with ``params`` and ``lr``.

    Raises:
        ValueError: ``shared_rate`` is not from 0 to 1.
    """
    if not 0 <= shared_rate <= 1:
        raise ValueError(f"shared_rate must lie between 0 and 1; got {shared_rate}. 0 freezes what domains share.")
    own = {id(p) for module in network.modules() if isinstance(module, DomainSwitch) for p in module.parameters()}
    groups = [{"params": [p for p in network.parameters() if id(p) in own], "lr": learning_rate}]
    shared = [p for p in network.parameters() if id(p) not in own]
    for parameter in shared:
        parameter.requires_grad_(shared_rate > 0)
    network.train(network.training)  # reaches the batch norms, see DomainNetwork.train
    if shared and shared_rate > 0:
        groups.append({"params": shared, "lr": learning_rate * shared_rate})
    return groups
