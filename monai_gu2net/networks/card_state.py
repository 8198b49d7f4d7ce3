# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The card of a network as one of its weights, which goes wherever a state dict goes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from monai_gu2net.data.of_domains import as_setting

__all__ = [
    "CARD_KEY",
    "CardState",
    "card_from_tensor",
    "card_of_some",
    "card_to_tensor",
    "first_not_finite",
    "without_card",
]

CARD_KEY = "card._extra_state"
"""Name of the card in the state dict of a network."""

# MONAI's copy_model_state (1.6) takes over what has the same shape: cards of different length must have one, also none.
_BLOCK = 65536


class CardState(nn.Module):
    """A part of a network without parameters, whose extra state is the network's card.

    Attributes:
        content: what :meth:`~monai_gu2net.networks.ModelCard.state_dict` gives; None: nothing is known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.content: dict[str, Any] | None = None

    def get_extra_state(self) -> Tensor:
        """See :func:`card_to_tensor`."""
        return card_to_tensor(self.content)

    def set_extra_state(self, state: Tensor) -> None:
        """Take over what :func:`card_to_tensor` gave; raises as :func:`card_from_tensor`."""
        self.content = card_from_tensor(state)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        # weights from before there was a card among them say nothing of it, which strict loading would refuse
        complete = {f"{prefix}_extra_state": card_to_tensor(None), **state_dict}
        super()._load_from_state_dict(complete, prefix, *others)


def card_to_tensor(card: Mapping[str, Any] | None) -> Tensor:
    """A card as a tensor, so that whatever handles weights can handle it, with ``weights_only`` and in half precision.

    Args:
        card: plain numbers, strings, lists and dictionaries; None: nothing is known.

    Returns:
        (65536 k,) uint8: JSON, compressed, and zeros after it; zeros alone for None.

    Example:
        >>> card_from_tensor(card_to_tensor({"sigma": 3.0}).half())
        {'sigma': 3.0}
    """
    packed = b"" if card is None else zlib.compress(json.dumps(card).encode(), 9)
    length = _BLOCK * max(1, -(-len(packed) // _BLOCK))
    return torch.frombuffer(bytearray(packed.ljust(length, b"\0")), dtype=torch.uint8)


def card_from_tensor(state: Tensor) -> dict[str, Any] | None:
    """The card that :func:`card_to_tensor` packed.

    Args:
        state: its tensor, of whatever type and on whatever device.

    Raises:
        ValueError: it is damaged.
    """
    packed = state.to("cpu", torch.uint8).numpy().tobytes()
    if not any(packed):
        return None
    try:
        card = json.loads(zlib.decompressobj().decompress(packed))
    except (zlib.error, ValueError) as error:
        raise ValueError(f"The card of the weights must be readable; got {error}. The file is damaged.") from error
    if not isinstance(card, dict):
        raise ValueError(f"The card of the weights must be a dictionary; got {type(card).__name__}. It is damaged.")
    return card


def card_of_some(card: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The card of a network of some of the domains.

    Args:
        card: as :func:`card_from_tensor` gives it.
        names: of domains that it has.
    """

    def kept(value: Any) -> Any:
        return as_setting([value[name] for name in names], names) if isinstance(value, Mapping) else value

    options = {key: kept(value) for key, value in card["network"].get("options", {}).items()}
    by_domain = {key: card.get(key) or {} for key in ("domains", "calibration", "appearance")}
    return {
        **card,
        **{key: {name: values[name] for name in names if name in values} for key, values in by_domain.items()},
        "network": {**card["network"], "options": options},
        "sigma": kept(card.get("sigma")),
    }


def without_card(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a state dict alone."""
    return {name: value for name, value in weights.items() if name != CARD_KEY}


def first_not_finite(state: Any, name: str = "") -> str | None:
    """Name of the first tensor, however deep, with a number that is not finite; None where all are.

    Example:
        >>> first_not_finite({"model": {"a": torch.ones(2), "b": torch.tensor([1.0, torch.inf])}})
        'model.b'
    """
    if isinstance(state, Tensor):
        return None if bool(torch.isfinite(state).all()) else name
    parts = state.items() if isinstance(state, Mapping) else enumerate(state) if isinstance(state, list | tuple) else ()
    found = (first_not_finite(part, f"{name}.{key}" if name else str(key)) for key, part in parts)
    return next((each for each in found if each is not None), None)
