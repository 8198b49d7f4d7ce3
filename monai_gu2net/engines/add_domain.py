# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Teaching a trained model a new domain."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from monai_gu2net.data.config_paths import config_value
from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.outside import ALLOWED_OUTSIDE, datalist_in_frame
from monai_gu2net.engines.run_training import run_training
from monai_gu2net.engines.training_data import check_training_data
from monai_gu2net.files import writable_folder
from monai_gu2net.networks.model_card import ModelCard
from monai_gu2net.networks.start import domains_from

__all__ = ["add_domain"]


def add_domain(
    checkpoint: str | os.PathLike[str],
    datalist: str | os.PathLike[str],
    *,
    output_dir: str | os.PathLike[str],
    config_file: str | os.PathLike[str] = "bundles/gu2net/configs/train.json",
    shared_rate: float = 0.0,
    like: str | None = None,
    resume: bool = False,
    allow_outside: float = ALLOWED_OUTSIDE,
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Train the new domains of a datalist into a trained model, by the bundle's training workflow.

    With the shared weights frozen, which is the default, only the new domain's own weights are learned, and what the
    model finds in its other domains stays the same.

    Args:
        checkpoint: the trained model; it is left as it is.
        datalist: of the new domain, with a training and a validation part; its test part is evaluated at the end.
        output_dir: where ``model.pt`` with all domains goes, and what else training writes.
        config_file: the bundle's training configuration.
        shared_rate: learning rate of the shared weights as a share of the new domain's: 0 freezes them.
        like: the model's domain that the new one starts as a copy of; by default the checkpoint's first.
        resume: go on with an interrupted run.
        allow_outside: share of a domain's landmarks that may lie outside of their images.
        options: further overrides of the configuration, such as ``{"max_epochs": 30}``.

    Returns:
        The path of the new ``model.pt``.

    Raises:
        FileNotFoundError: a file is not there.
        OSError: the folder does not take files.
        ValueError: the datalist has no domain that is new to the model, no training or validation cases, or cases that
            cannot be trained on, see :func:`~monai_gu2net.engines.check_training_data`; a loss or gradient is not
            finite, see :class:`~monai_gu2net.handlers.FiniteTraining`; or a run is resumed with options that must be as
            they were.
    """
    card, data = ModelCard.load(checkpoint), Datalist.load(datalist)
    config = Path(config_file)
    if not config.is_file():
        raise FileNotFoundError(f"config_file must be a bundle's train.json; got {str(config)!r}. Correct the path.")
    new = [name for name in domains_from(checkpoint, data.domains) if name not in card.domains]
    if not new:
        raise ValueError(
            f"The datalist must have a domain that is new to the model's {list(card.domains)}; got "
            f"{list(data.domains)}. To train the model's domains further, run the bundle with --start_from."
        )
    if not data.training or not data.validation:
        raise ValueError(
            f"The datalist must have training and validation cases; got {len(data.training)} and "
            f"{len(data.validation)}. Make it with 'prepare --validation 0.1'."
        )
    check_training_data(datalist_in_frame(data, allow_outside=allow_outside), start_from=checkpoint)
    # whatever network the configuration names, the new one is as the checkpoint's; only the prior follows the data
    definition = ConfigParser.load_config_file(str(config)).get("network_def", {})
    network = card.network_config(definition)
    writable_folder(output_dir)
    overrides: dict[str, Any] = {
        "datalist": config_value(Path(datalist).resolve()),
        "output_dir": config_value(Path(output_dir).resolve()),
        "start_from": config_value(Path(checkpoint).resolve()),
        "start#like": like,
        "shared_rate": shared_rate,
        "sigma": _with_new(card.sigma, new, like or next(iter(card.domains))),
        "resume": resume,
        "allow_outside": allow_outside,
        "network_def": network,
        **(options or {}),
    }
    run_training(config, overrides)
    return Path(output_dir) / "model.pt"


def _with_new(setting: Any, new: Sequence[str], like: str) -> Any:
    """A setting of the model; where it is by domain, new ones have that of the one they begin as."""
    return {**setting, **{name: setting.get(like) for name in new}} if isinstance(setting, Mapping) else setting
