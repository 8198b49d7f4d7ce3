# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A trained model and the cases it is to run on, checked to fit each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.networks.checkpoint import ModelCard
from monai_gu2net.networks.ensemble import load_ensemble

__all__ = ["Checkpoints", "checkpoint_paths", "model_and_cases"]

Checkpoints = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""The file of a model, or those of several models whose heatmaps are averaged."""


def checkpoint_paths(checkpoint: Checkpoints) -> list[Path]:
    """The files, of one model or of several."""
    return [Path(path) for path in ([checkpoint] if isinstance(checkpoint, (str, os.PathLike)) else checkpoint)]


def model_and_cases(
    checkpoints: Sequence[str | os.PathLike[str]],
    data: Datalist,
    *,
    split: str,
    device: str | torch.device = "cpu",
) -> tuple[torch.nn.Module, ModelCard, list[dict[str, Any]]]:
    """Load a model, or several as one, and take the cases of a split.

    Args:
        checkpoints: see :func:`~monai_gu2net.networks.load_ensemble`.
        data: a domain of it must be one of the model's, with the same landmarks; domains that it lacks are left out.
        split: "training", "validation", "test" or "all".
        device: where the network goes.

    Returns:
        The network, its card, and the cases. The card's input sizes are the model's, for it learned landmarks at that
        size; physical scale is the data's.

    Raises:
        ValueError: the split is not known or empty, or the data's domains are not the model's.
    """
    cases = data.cases(split)
    network, card = load_ensemble(checkpoints, map_location=device)
    for name, domain in data.domains.items():
        known = card.domains.get(name)
        if known is None or known.landmarks != domain.landmarks:
            strange = "no such domain" if known is None else sorted(set(domain.landmarks) ^ set(known.landmarks))
            raise ValueError(
                f"Domain {name!r} of the data must be one of the model's {list(card.domains)}, with the same landmarks "
                f"in the same order; it differs in {strange or 'their order'}. Use the datalist it was trained with."
            )
    if not cases:
        raise ValueError(f"Split {split!r} of {data.name!r} must have cases; got none. Choose another split.")
    card.domains |= {name: data.domains[name].resized(card.domains[name].size) for name in data.domains}
    return network, card, cases
