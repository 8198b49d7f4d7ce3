# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: state dicts with the card of the model among the weights, written whole and only if finite."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from monai_gu2net.files import whole_file
from monai_gu2net.networks.card_state import (
    CARD_KEY,
    card_from_tensor,
    card_to_tensor,
    first_not_finite,
    without_card,
)

__all__ = [
    "checked_device",
    "first_checkpoint",
    "load_state",
    "read_checkpoint",
    "refuse_not_finite",
    "replace_checkpoint",
    "save_appearance",
    "save_atomically",
    "save_calibration",
    "write_checkpoint",
]


def read_checkpoint(
    path: str | os.PathLike[str], *, map_location: str | torch.device = "cpu"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state dict of a checkpoint, and its card as ``ModelCard.state_dict`` gives it.

    Args:
        path: a file of this form, or of the first of version 0.1.0, which has "model" and "card".
        map_location: the device.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint of this package, or a weight is not finite.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"The checkpoint must be a file; got {os.fspath(path)!r}, which is not there. "
            "Train a model first, or correct the path."
        )
    state = load_state(path, map_location=map_location)
    card, weights = None, state
    if isinstance(state, dict) and isinstance(state.get("model"), dict) and isinstance(state.get("card"), dict):
        weights, card = dict(state["model"]), state["card"]
    elif isinstance(state, dict) and isinstance(state.get(CARD_KEY), torch.Tensor):
        try:
            card = card_from_tensor(state[CARD_KEY])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    if card is None:
        raise ValueError(
            f"{path} must hold the weights of a model and its card; got "
            f"{sorted(map(str, state))[:5] if isinstance(state, dict) else type(state).__name__}. Write it with "
            "save_model; weights of the authors' code go through load_authors_weights."
        )
    refuse_not_finite(weights, path)
    return {**weights, CARD_KEY: card_to_tensor(card)}, card


def write_checkpoint(path: str | os.PathLike[str], weights: Mapping[str, Any], card: Mapping[str, Any]) -> Path:
    """Write a state dict with a card in it, whole or not at all; raises as :func:`save_atomically`."""
    return save_atomically({CARD_KEY: card_to_tensor(card), **without_card(weights)}, path)


def first_checkpoint(paths: Sequence[str | os.PathLike[str]]) -> Path:
    """The first of the files that is there; the last one where none is."""
    candidates = [Path(path) for path in paths]
    return next((path for path in candidates if path.is_file()), candidates[-1])


def save_calibration(
    path: str | os.PathLike[str], calibration: Mapping[str, Any], *, output: str | os.PathLike[str] | None = None
) -> Path:
    """Write a checkpoint again with domains calibrated, whole or not at all; nothing else of it changes.

    Args:
        path: the checkpoint.
        calibration: by domain, see :class:`~monai_gu2net.networks.ModelCard`; what the checkpoint has of other
            domains stays.
        output: the file to write; by default the checkpoint itself.

    Returns:
        The file written.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint of this package, or lacks one of the domains.
    """
    return _save_by_domain(path, "calibration", calibration, output)


def save_appearance(
    path: str | os.PathLike[str], appearance: Mapping[str, Any], *, output: str | os.PathLike[str] | None = None
) -> Path:
    """Write a checkpoint again with the appearance of domains, as :func:`save_calibration` does with calibrations."""
    return _save_by_domain(path, "appearance", appearance, output)


def _save_by_domain(
    path: str | os.PathLike[str], field: str, given: Mapping[str, Any], output: str | os.PathLike[str] | None
) -> Path:
    weights, card = read_checkpoint(path)
    unknown = sorted(set(given) - set(card["domains"]))
    if unknown:
        raise ValueError(
            f"{field} must be of the domains of {path}, {list(card['domains'])}; got {unknown}. Correct them."
        )
    card = {**card, field: {**card.get(field, {}), **given}}
    return write_checkpoint(path if output is None else output, weights, card)


def replace_checkpoint(checkpoint: str | os.PathLike[str], *, by: str | os.PathLike[str]) -> Path:
    """Put another checkpoint in the place of one, whole or not at all; the other stays where it is.

    Args:
        checkpoint: the file to be replaced, which need not be there.
        by: the other one.

    Returns:
        The path of the first.

    Raises:
        FileNotFoundError: the other file is not there.
        ValueError: it is no checkpoint of this package.
    """
    return write_checkpoint(checkpoint, *read_checkpoint(by))


def load_state(path: str | os.PathLike[str], *, map_location: Any = "cpu") -> Any:
    """What :func:`save_atomically` wrote.

    Raises:
        ValueError: it is no file of PyTorch's, or a damaged one, or the machine has no such device.
    """
    map_location = checked_device(map_location)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # torch names no common type for what a foreign file can raise
        raise ValueError(
            f"{path} must be a checkpoint; got {type(error).__name__}. It is damaged or of another kind."
        ) from error


def checked_device(device: str | torch.device) -> torch.device:
    """A device that is there.

    Raises:
        ValueError: this machine, or this build of PyTorch, has none of that name.
    """
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:  # a build without CUDA raises an AssertionError
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"The device must be one of this machine; got {str(device)!r} ({reason}). Name another, such as 'cpu'."
        ) from error


def save_atomically(state: Mapping[str, Any], path: str | os.PathLike[str]) -> Path:
    """``torch.save`` under a temporary name, then rename: an interrupted run leaves the earlier file whole.

    Raises:
        ValueError: a tensor is not finite; nothing is written.
    """
    refuse_not_finite(state, path)
    with whole_file(path) as temporary:
        torch.save(dict(state), temporary)
    return Path(path)


def refuse_not_finite(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Refuse what a checkpoint holds, or is to hold, where a tensor of it is not finite.

    Raises:
        ValueError: the message names the file and the first such tensor.
    """
    bad = first_not_finite(state)
    if bad is not None:
        raise ValueError(
            f"{os.fspath(path)}: the weights of a checkpoint must be finite; got NaN or infinity in {bad!r}. "
            "Use an earlier checkpoint, or train again."
        )
