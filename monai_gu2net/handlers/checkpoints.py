# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Saving the best and the last state of a training run, and going on from the last."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite import distributed
from ignite.engine import Engine, Events

from monai_gu2net.networks.checkpoint import ModelCard, refuse_not_finite, save_atomically, save_model

__all__ = ["TrainingCheckpoints"]

_log = logging.getLogger(__name__)


class TrainingCheckpoints:
    """Writes ``model.pt`` whenever the validation metric is at its lowest, and ``last.pt`` after every epoch.

    A run that ends without having validated writes its last state as ``model.pt``. ``model.pt`` holds weights and card;
    ``last.pt`` holds all that a run needs to go on as if it had not stopped, but for the draws of the augmentation,
    which start anew. Attach it to the trainer after the validation handler, whose metric it reads. MONAI's
    CheckpointSaver forgets the best value over a restart, so that the first validation afterwards replaces a better
    model; this one keeps it.

    Args:
        folder: where the files go.
        state: what to save and restore by name; must hold the network as "model" and its card as "card". An
            averaged model as "average", see :class:`WeightAverage`, is what ``model.pt`` gets instead.
        validator: the engine whose ``state.metrics`` holds the metric.
        metric: name of the metric; smaller is better, NaN is never best.
        resume: go on from ``last.pt`` if it is there.

    Raises:
        ValueError: on resuming, a checkpoint of other domains, landmarks or network, or one that is not finite; on
            saving, what is not finite, and the files stay as they were.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        state: Mapping[str, Any],
        validator: Engine,
        metric: str = "val_mre",
        resume: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.state, self.validator, self.metric, self.resume = dict(state), validator, metric, resume
        self.best = math.inf
        self._validated = 0
        self._written = False  # a file of an earlier run, left in the folder, is not this run's

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        last = self.folder / "last.pt"
        if not (self.resume and last.is_file()):
            return
        saved = torch.load(last, map_location="cpu", weights_only=True)
        refuse_not_finite(saved, last)
        self.state["card"].load_state_dict(saved["card"])
        for name, part in self.state.items():
            if name != "card":
                part.load_state_dict(saved[name])
        progress = saved["progress"]
        engine.state.epoch, engine.state.iteration = progress["epoch"], progress["iteration"]
        self.best, self._validated = progress["best"], progress["validated"]
        self.validator.state.epoch = self._validated
        self._written = (self.folder / "model.pt").is_file()
        _log.info("Going on after epoch %d from %s", engine.state.epoch, last)

    def _save(self, engine: Engine) -> None:
        if distributed.get_rank() > 0:
            return
        if self.validator.state.epoch > self._validated:
            self._validated = self.validator.state.epoch
            value = float(self.validator.state.metrics.get(self.metric, math.nan))
            if value < self.best or not self._written:
                # min(value, self.best) would keep a NaN, and nothing is below that
                self.best = min(self.best, value)
                self._save_model({"epoch": engine.state.epoch, self.metric: value})
        saved = {name: part.state_dict() for name, part in self.state.items()}
        saved["progress"] = {
            "epoch": engine.state.epoch,
            "iteration": engine.state.iteration,
            "best": self.best,
            "validated": self._validated,
        }
        save_atomically(saved, self.folder / "last.pt")

    def _finish(self, engine: Engine) -> None:
        if distributed.get_rank() == 0 and not self._written:
            self._save_model({"epoch": engine.state.epoch})

    def _save_model(self, provenance: Mapping[str, Any]) -> None:
        card: ModelCard = self.state["card"]
        card.provenance |= provenance
        network = self.state["average"].module if "average" in self.state else self.state["model"]
        save_model(self.folder / "model.pt", network, card)
        self._written = True
