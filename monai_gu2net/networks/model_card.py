# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a model is: its card, and the network with its weights that a checkpoint holds beside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import monai
import torch

import monai_gu2net
from monai_gu2net.data.domain import Domain, spatial_dims_of
from monai_gu2net.networks import nets
from monai_gu2net.networks.checkpoint import read_checkpoint, write_checkpoint
from monai_gu2net.networks.nets.domain_network import DomainNetwork
from monai_gu2net.uncertainty.appearance import Appearance

__all__ = ["ModelCard", "card_of", "load_model", "save_model"]


@dataclass
class ModelCard:
    """What travels with the weights: domains, the network's options, how targets were made, versions.

    It has ``state_dict`` and ``load_state_dict``, so that it can be saved and resumed beside network and optimiser.

    Args:
        domains: by name, in the order of the network's domains.
        network: class name and options of the network, as ``network.description`` gives them.
        sigma: standard deviation of the targets in network pixels, one for all domains or by name.
        provenance: free text by topic, such as the data's name or measured results.
        calibration: by domain, a :class:`~monai_gu2net.uncertainty.Calibration` in its JSON form; empty: none.
        appearance: by domain, an :class:`~monai_gu2net.uncertainty.Appearance` in its JSON form; empty: none.
    """

    domains: dict[str, Domain]
    network: dict[str, Any]
    sigma: float | dict[str, float] = 3.0
    provenance: dict[str, Any] = field(default_factory=dict)
    calibration: dict[str, Any] = field(default_factory=dict)
    appearance: dict[str, Any] = field(default_factory=dict)

    @property
    def domains_for_new_images(self) -> dict[str, Domain]:
        """The domains without the spacing of the images they were trained on, which says nothing of others.

        A reference length stays, for it is one of the patient.
        """
        return {name: replace(domain, spacing=None) for name, domain in self.domains.items()}

    @property
    def appearances(self) -> dict[str, Appearance]:
        """By domain, what its images look like; raises as :meth:`Appearance.from_dict`."""
        return {name: Appearance.from_dict(fields) for name, fields in self.appearance.items()}

    @property
    def spatial_dims(self) -> int:
        """Of the network: 2 or 3. Raises as :func:`~monai_gu2net.data.spatial_dims_of`."""
        return spatial_dims_of(self.domains)

    def sigma_of(self, domain: str) -> float:
        """The standard deviation of a domain's targets in network pixels."""
        return self.sigma[domain] if isinstance(self.sigma, Mapping) else self.sigma

    def build_network(self, *, default_domain: str | None = None) -> DomainNetwork:
        """A network as described, with fresh weights.

        It takes no weights of others, see :class:`~monai_gu2net.networks.GU2Net`.

        Raises:
            ValueError: there is no such network, it has no such options, or some domains are of radiographs and others
                of volumes.
        """
        names = ["GU2Net", "GlobalNet", "UShapedNet"]
        if self.network.get("name") not in names:
            raise ValueError(
                f"A model's network must be among {names}; got {self.network.get('name')!r}. Update monai_gu2net."
            )
        try:
            network: DomainNetwork = getattr(nets, self.network["name"])(
                self.spatial_dims,
                {name: domain.in_channels for name, domain in self.domains.items()},
                {name: len(domain.landmarks) for name, domain in self.domains.items()},
                **self.network.get("options", {}),
                default_domain=default_domain,
            )
        except TypeError as error:
            raise ValueError(
                f"The options of a model's network must be those of {self.network['name']}; got "
                f"{self.network.get('options')!r}: {error}. Update monai_gu2net."
            ) from error
        if network.card is not None:
            network.card.content = self.state_dict()
        return network

    def network_config(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """The ``network_def`` of a bundle's training with this network in place of the one that it names.

        What follows from the data (channels, landmarks, the prior) stays.
        """
        common = ("spatial_dims", "in_channels", "out_channels", "prior")
        return {name: definition[name] for name in common if name in definition} | {
            "spatial_dims": self.spatial_dims,
            "_target_": f"monai_gu2net.networks.{self.network['name']}",
            **{name: value for name, value in self.network["options"].items() if name != "prior"},
        }

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries, as ``torch.load(weights_only=True)`` takes them."""
        return {
            "domains": {name: domain.to_dict() for name, domain in self.domains.items()},
            "network": self.network,
            "sigma": self.sigma,
            "normalization": "zero mean, unit deviation of each image; of radiographs after wild values are clipped",
            "provenance": self.provenance,
            "calibration": self.calibration,
            "appearance": self.appearance,
            "versions": {
                "monai_gu2net": monai_gu2net.__version__,
                "monai": str(monai.__version__),
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that a saved card fits this one, as when a run is resumed.

        Raises:
            ValueError: domains, landmarks, input sizes, network or sigma differ; the message says which.
        """
        saved = ModelCard.from_state_dict(state)
        if list(saved.domains) != list(self.domains):
            raise ValueError(
                f"The checkpoint's domains must be {list(self.domains)}; got {list(saved.domains)}. "
                "Use the datalist it was trained with."
            )
        for name, domain in self.domains.items():
            ours, theirs = domain.landmarks, saved.domains[name].landmarks
            if ours != theirs:
                different = [pair for pair in zip(ours, theirs, strict=False) if pair[0] != pair[1]]
                raise ValueError(
                    f"Domain {name!r}: the checkpoint's landmarks must be those of the datalist; they differ in (ours, "
                    f"checkpoint's): {different or (ours, theirs)}. Use the datalist it was trained with."
                )
        # before the network, whose prior follows from both
        for name, domain in self.domains.items():
            own, inputs = ((each.size, each.in_channels) for each in (domain, saved.domains[name]))
            if own != inputs:
                raise ValueError(
                    f"Domain {name!r}: input size and channels must be the checkpoint's, {inputs}; got {own}. Use the "
                    "datalist it was trained with, or begin a new run from its model with start_from."
                )
        if saved.sigma != self.sigma:
            raise ValueError(
                f"sigma must be the checkpoint's, {saved.sigma}; got {self.sigma}. Use the one it was trained with."
            )
        if saved.network != self.network:
            raise ValueError(
                f"The checkpoint's network must be {self.network}; got {saved.network}. "
                "Use the options it was trained with."
            )

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> ModelCard:
        """The card that ``state_dict`` described.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls(
                domains={name: Domain.from_dict(name, fields) for name, fields in state["domains"].items()},
                network=dict(state["network"]),
                sigma=state["sigma"],
                provenance=dict(state.get("provenance", {})),
                calibration=dict(state.get("calibration", {})),
                appearance=dict(state.get("appearance", {})),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"A model's card must have domains, network and sigma; got {type(error).__name__} {error} in it. "
                "The file is damaged or was edited."
            ) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ModelCard:
        """The card of a checkpoint file; raises as :func:`load_model`."""
        return cls.from_state_dict(read_checkpoint(path)[1])


def card_of(
    checkpoint: str | os.PathLike[str],
    domains: Mapping[str, Mapping[str, Any]],
    *,
    network: str = "GU2Net",
    options: Mapping[str, Any] | None = None,
) -> ModelCard:
    """The card of a checkpoint or, as long as there is none, one of declared domains.

    Args:
        checkpoint: the file, which need not be there yet.
        domains: their JSON form by name, see :meth:`~monai_gu2net.data.Domain.from_dict`.
        network: class of the network.
        options: of the network; by default its own.
    """
    if Path(checkpoint).is_file():
        return ModelCard.load(checkpoint)
    declared = {name: Domain.from_dict(name, fields) for name, fields in domains.items()}
    return ModelCard(declared, {"name": network, "options": dict(options or {})})


def load_model(
    path: str | os.PathLike[str],
    *,
    map_location: str | torch.device = "cpu",
    default_domain: str | None = None,
) -> tuple[DomainNetwork, ModelCard]:
    """A trained network, in evaluation mode and float32, and its card.

    Args:
        path: a file written by the training workflow or :func:`save_model`.
        map_location: the device.
        default_domain: the domain of ``network(image)``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint of this package, a weight is not finite, or the weights do not fit the
            card.
    """
    weights, described = read_checkpoint(path, map_location=map_location)
    try:
        card = ModelCard.from_state_dict(described)
        network = card.build_network(default_domain=default_domain)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: the weights must fit the card; {error}. The file is damaged or was edited."
        ) from error
    return network.to(map_location).eval(), card


def save_model(path: str | os.PathLike[str], network: DomainNetwork, card: ModelCard, *, half: bool = False) -> Path:
    """Write weights and card, whole or not at all.

    The file is a plain state dict, which ``load_state_dict`` of such a network takes, with the card as one more tensor
    in it.

    Args:
        path: the file.
        network: its weights are written, on whatever device they are.
        card: its description.
        half: write floating-point numbers in half precision, at half the size.

    Raises:
        ValueError: a weight is not finite, as written; nothing is written.
    """
    weights = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().clone()
        for name, value in network.state_dict().items()
    }
    return write_checkpoint(path, weights, card.state_dict())
