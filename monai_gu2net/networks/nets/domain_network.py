# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What all networks have in common: the choice of a domain, checks at the door, one domain taken out."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from monai_gu2net.networks.blocks.domain_switch import DomainModule, DomainSwitch
from monai_gu2net.networks.blocks.u_shape import UShapedBody
from monai_gu2net.networks.card_state import (
    CARD_KEY,
    CardState,
    card_from_tensor,
    card_of_some,
    card_to_tensor,
    first_not_finite,
)


class DomainNetwork(DomainModule):
    """Base of the networks: ``network(image, domain)`` gives the logits of that domain's heatmaps.

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels, one number or one per domain.
        out_channels: number of landmarks by name of domain; its order is the order of the domains.
        min_size: smallest size of a spatial axis that the network can take.
        prior: mean of the heatmaps at the start.
        default_domain: the domain of ``network(image)``; a network with one domain needs none.

    Attributes:
        card: the card of its weights, which is loaded and saved with them; None in a part of another network.

    Raises:
        ValueError: an argument is out of range, or names a domain that ``out_channels`` lacks. ``load_state_dict`` and
            all that calls it: a weight is not finite, or the weights' card is of another network.
    """

    __jit_unused_properties__ = ["description"]

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int | Mapping[str, int],
        out_channels: Mapping[str, int],
        *,
        min_size: int,
        prior: float,
        default_domain: str | None,
    ) -> None:
        super().__init__()
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3; got {spatial_dims!r}. Pass the image's.")
        if not out_channels:
            raise ValueError("out_channels must name at least one domain; got {}. Pass e.g. {'head': 19}.")
        names = list(out_channels)
        channels = in_channels if isinstance(in_channels, Mapping) else dict.fromkeys(names, in_channels)
        if set(channels) != set(names):
            raise ValueError(
                f"in_channels must name the domains of out_channels, {names}; got {list(channels)}. "
                "Pass one number for all, or one for each."
            )
        if not 0.0 < prior < 1.0:
            raise ValueError(
                f"prior must lie between 0 and 1, both excluded; got {prior}. Pass the mean of a target heatmap."
            )
        self.card: CardState | None = CardState()
        self.options: dict[str, Any] = {}
        self.spatial_dims = spatial_dims
        self.min_size = min_size
        self.domain_names = names
        self.in_channels = [int(channels[name]) for name in names]
        self.out_channels = [int(out_channels[name]) for name in names]
        check_counts("in_channels", self.in_channels)
        check_counts("out_channels", self.out_channels)
        self.default_domain = 0 if len(names) == 1 else -1
        if default_domain is not None:
            self.default_domain = self.domain_index(default_domain)

    @property
    def description(self) -> dict[str, Any]:
        """Class name and options, without the domains: what it takes to build the same network again."""
        return {"name": type(self).__name__, "options": self.options}

    def train(self, mode: bool = True) -> DomainNetwork:
        """Switch between training and evaluation; a batch norm whose weights are frozen keeps its statistics too."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm) and not any(p.requires_grad for p in module.parameters()):
                module.eval()
        return self

    def set_grad_checkpointing(self, enable: bool = True) -> DomainNetwork:
        """Choose memory or time in training.

        With 416 x 512 pixels, batch 4, in bfloat16 on a processor a process was measured at 3.2 GiB instead of 3.6, and
        a step took a fifth more time.

        Args:
            enable: whether the stages of a U-shaped body are computed a second time in the backward pass instead of
                being kept. Results are the same, and running statistics see a batch once.

        Returns:
            The network.
        """
        for module in self.modules():
            if isinstance(module, UShapedBody):
                module.recompute = enable
        return self

    def domain_index(self, domain: str | int | None) -> int:
        """Index of a domain.

        Args:
            domain: its name or index; None for the default domain.

        Raises:
            ValueError: there is no such domain, or None was given and there is no default.
        """
        if domain is None:
            if self.default_domain < 0:
                raise ValueError(
                    f"domain must be given, for the network has {self.domain_names}; got None. "
                    "Pass a name or an index, or build the network with default_domain."
                )
            return self.default_domain
        if isinstance(domain, str):
            if domain in self.domain_names:
                return self.domain_names.index(domain)
            raise ValueError(f"domain must be one of {self.domain_names}; got '{domain}'. Check its name.")
        # TorchScript knows the type, and compiles this only if the condition stands alone.
        if not torch.jit.is_scripting():  # noqa: SIM102
            if isinstance(domain, bool) or not isinstance(domain, int):
                raise ValueError(
                    f"domain must be a name or an index of {self.domain_names}; got {domain} "
                    f"({type(domain).__name__}). Pass a str or an int."
                )
        if domain < 0 or domain >= len(self.domain_names):
            raise ValueError(
                f"domain must be an index in 0 to {len(self.domain_names) - 1} of {self.domain_names}; "
                f"got {domain}. Pass a name or one of these indices."
            )
        return domain

    def check_image(self, image: Tensor, domain: int) -> None:
        """Refuse an image of the wrong shape.

        Raises:
            ValueError: wrong number of axes or channels, or too small.
        """
        if torch.jit.is_tracing():  # a trace would keep the answers for this image as constants
            return
        shape = list(image.shape)
        if len(shape) != self.spatial_dims + 2:
            raise ValueError(
                f"image must have {self.spatial_dims + 2} axes, batch and channel first; got shape {shape}. "
                "Add the batch axis, or build the network for other spatial_dims."
            )
        if shape[1] != self.in_channels[domain]:
            raise ValueError(
                f"image must have {self.in_channels[domain]} channels for domain "
                f"'{self.domain_names[domain]}'; got {shape[1]} in shape {shape}. Check reader and domain."
            )
        if min(shape[2:]) < self.min_size:
            raise ValueError(
                f"image must be at least {self.min_size} pixels along each spatial axis; got shape {shape}. "
                "Resize or pad it."
            )

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        if self.card is not None:
            self._take_own_card(state_dict, prefix + CARD_KEY)
            self._check_state({key: value for key, value in state_dict.items() if key.startswith(prefix)}, prefix)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _take_own_card(self, state: dict[str, Any], key: str) -> None:
        """Leave the card of this network's domains where the weights have more domains after them.

        MONAI's ``bundle.load`` fills the network that a bundle trains without data, of fewer domains than its weights
        may have, with those weights that it has; they are numbered from the first domain on.
        """
        theirs = card_from_tensor(state[key]) if key in state else None
        own = self.domain_names
        if theirs is not None and len(theirs["domains"]) > len(own) and list(theirs["domains"])[: len(own)] == own:
            state[key] = card_to_tensor(card_of_some(theirs, own))

    def _check_state(self, state: Mapping[str, Any], prefix: str) -> None:
        """Refuse weights that are not finite, and those whose card is of another network.

        MONAI's ``copy_model_state`` passes over weights of other shapes without a word; the card does not.
        """
        bad = first_not_finite(state)
        if bad is not None:
            raise ValueError(f"Weights must be finite; got NaN or infinity in {bad!r}. Use an earlier checkpoint.")
        theirs = card_from_tensor(state[prefix + CARD_KEY]) if prefix + CARD_KEY in state else None
        if theirs is None:
            return
        counts = {name: len(domain["landmarks"]) for name, domain in theirs["domains"].items()}
        own = dict(zip(self.domain_names, self.out_channels, strict=True))
        if list(counts.items()) != list(own.items()):
            raise ValueError(
                f"The weights must be of the network's domains and numbers of landmarks, {own}; got {counts}. "
                "Build the network for them, as load_model does."
            )
        axes = {len(domain["size"]) for domain in theirs["domains"].values()}
        if axes != {self.spatial_dims}:
            raise ValueError(
                f"The weights must be of a network for images of {self.spatial_dims} axes; got one of "
                f"{' and '.join(map(str, sorted(axes)))}. Set spatial_dims, or use other weights."
            )
        options = {name: value for name, value in theirs["network"]["options"].items() if name != "prior"}
        if theirs["network"]["name"] != type(self).__name__ or any(
            self.options.get(name) != value for name, value in options.items()
        ):
            raise ValueError(
                f"The weights must be of the network {self.description}; got {theirs['network']}. Set the same options."
            )
        described = self.card.content if self.card is not None else None
        for name, domain in (described or {"domains": {}})["domains"].items():
            if domain["landmarks"] != theirs["domains"][name]["landmarks"]:
                raise ValueError(
                    f"Domain {name!r}: the weights must be of the network's landmarks, {domain['landmarks']}; got "
                    f"{theirs['domains'][name]['landmarks']}. Use the weights that its card describes."
                )

    def keep_only(self, domain: int) -> None:
        super().keep_only(domain)
        self.card = None
        self.domain_names = [self.domain_names[domain]]
        self.in_channels = [self.in_channels[domain]]
        self.out_channels = [self.out_channels[domain]]
        self.default_domain = 0

    def specialize(self, domain: str | int | None) -> SpecializedNetwork:
        """Take one domain out: a network of the image alone, for evaluation, export and fast prediction.

        Args:
            domain: name or index of the domain; None for the default domain.

        Returns:
            A network in evaluation mode whose weights are copies, without those of the other domains and
            with batch norms folded into the convolutions; its output is that of ``self.eval()`` to 1e-5.

        Raises:
            ValueError: there is no such domain.
        """
        index = self.domain_index(domain)
        network = copy.deepcopy(self).eval()
        network.keep_only(index)
        for parameter in network.parameters():
            parameter.grad = None
        return SpecializedNetwork(network.requires_grad_(False)).eval()


class SpecializedNetwork(nn.Module):
    """One domain of a network; see :meth:`DomainNetwork.specialize`.

    Args:
        network: a network cut down to one domain.
    """

    def __init__(self, network: DomainNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, X, Y[, Z]) to logits (B, N, X, Y[, Z])."""
        return self.network(image, 0)


def check_counts(what: str, counts: Sequence[int]) -> None:
    """Refuse an empty sequence and numbers below 1."""
    if not counts or min(counts) < 1:
        raise ValueError(f"{what} must be at least 1; got {list(counts)}. Pass positive whole numbers.")


def set_prior(exits: DomainSwitch, prior: float) -> None:
    """Start the last convolutions at a mean probability, by their biases: logit(prior)."""
    for name, parameter in exits.named_parameters():
        if name.endswith("bias"):
            nn.init.constant_(parameter, math.log(prior / (1.0 - prior)))
