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

from ignite import distributed
from ignite.engine import Engine, Events
from monai.handlers import EarlyStopHandler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from monai_gu2net.handlers.resumed_optimizer import restore_optimizer
from monai_gu2net.metrics.gathering import gather
from monai_gu2net.networks.checkpoint import load_state, refuse_not_finite, save_atomically
from monai_gu2net.networks.model_card import ModelCard, save_model

__all__ = ["TrainingCheckpoints"]

_log = logging.getLogger(__name__)


class TrainingCheckpoints:
    """Writes ``model.pt`` whenever the validation metric is at its lowest, and ``last.pt`` after every epoch.

    A run that ends without having validated writes its last state as ``model.pt``. ``model.pt`` holds weights and card;
    ``last.pt`` holds all that a run needs to go on as if it had not stopped, the early stop's count and the scale of
    mixed precision among it, but for the draws of the augmentation, which start anew.

    What makes another run of it, such as the batch size, must be as it was; what may change is followed from then on,
    and the log says so. A learning rate schedule is always that of the new options at the step reached: with another
    number of epochs it goes on where a run of that length would be.

    Attach it to the trainer after the validation handler, whose metric it reads. MONAI's
    CheckpointSaver forgets the best value over a restart, so that the first validation afterwards replaces a better
    model; this one keeps it.

    Args:
        folder: where the files go.
        state: what to save and restore by name, a schedule together with its optimiser; must hold the network as
            "model" and its card as "card". An averaged model as "average", see
            :class:`~monai_gu2net.handlers.ExponentialMovingAverage`, is what ``model.pt`` gets instead.
        validator: the engine whose ``state.metrics`` holds the metric.
        options: by name, numbers and text that must be as they were when a run is resumed.
        free_options: those that may change.
        early_stop: MONAI's handler, whose count goes on in a resumed run.
        metric: name of the metric; smaller is better, NaN is never best.
        resume: go on from ``last.pt`` if it is there.

    Raises:
        ValueError: when the trainer starts, on resuming: a checkpoint of other domains, landmarks, input size, network,
            sigma or options, one that is not finite, or one that not all processes see; on saving: what is not finite,
            and the files stay as they were.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        state: Mapping[str, Any],
        validator: Engine,
        options: Mapping[str, Any] | None = None,
        free_options: Mapping[str, Any] | None = None,
        early_stop: EarlyStopHandler | None = None,
        metric: str = "val_mre",
        resume: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.state, self.validator, self.metric, self.resume = dict(state), validator, metric, resume
        self.options, self.free_options, self.early_stop = dict(options or {}), dict(free_options or {}), early_stop
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
        if not self.resume:
            return
        seen = gather(last.is_file())
        if len(set(seen)) > 1:
            raise ValueError(
                f"All processes of a resumed run must see {str(last)!r}; got {sum(seen)} of {len(seen)} that do. Name "
                "an output_dir that all machines share."
            )
        if not last.is_file():
            return
        saved = load_state(last)
        refuse_not_finite(saved, last)
        self.state["card"].load_state_dict(saved["card"])
        self._compare_options(saved, last)
        self._restore(engine, saved, last)
        progress = saved["progress"]
        engine.state.epoch, engine.state.iteration = progress["epoch"], progress["iteration"]
        self.best, self._validated = progress["best"], progress["validated"]
        self.validator.state.epoch = self._validated
        self._written = (self.folder / "model.pt").is_file()
        _log.info("Going on after epoch %d of %s from %s", engine.state.epoch, engine.state.max_epochs, last)

    def _compare_options(self, saved: Mapping[str, Any], last: Path) -> None:
        """Refuse to resume a run whose options differ, and say which of the free ones do."""
        earlier = saved.get("options", {})  # a state of version 0.1.0 has none
        differing = {
            name: (value, earlier[name])
            for name, value in self.options.items()
            if name in earlier and earlier[name] != value
        }
        if differing:
            listed = "; ".join(f"{name}: {ours!r}, and {theirs!r} there" for name, (ours, theirs) in differing.items())
            raise ValueError(
                f"The options of a resumed run must be those of {str(last)!r}; got {listed}. Set them as they were, or "
                "begin a new run without resume, from the trained model with start_from."
            )
        for name, value in self.free_options.items():
            if name in earlier and earlier[name] != value:
                _log.warning("Going on with %s %r instead of %r", name, value, earlier[name])

    def _restore(self, engine: Engine, saved: Mapping[str, Any], last: Path) -> None:
        parts = self._parts(engine)
        for name in [name for name in parts if name not in saved]:
            _log.warning("%s has no %s, which starts anew", last, name)
            del parts[name]
        schedules = {id(part.optimizer): (name, part) for name, part in parts.items() if isinstance(part, LRScheduler)}
        for name, part in parts.items():
            if isinstance(part, Optimizer):
                key, schedule = schedules.get(id(part), ("", None))
                restore_optimizer(part, saved[name], schedule=schedule, saved_schedule=saved.get(key, {}))
            elif not isinstance(part, LRScheduler):
                part.load_state_dict(saved[name])

    def _parts(self, engine: Engine) -> dict[str, Any]:
        """All that has a state but the card, by name."""
        parts = {name: part for name, part in self.state.items() if name != "card"}
        if getattr(engine, "scaler", None) is not None:  # MONAI's trainer makes it anew at every start
            parts["scaler"] = engine.scaler  # type: ignore[attr-defined]
        # MONAI 1.6.1 gives no other way to the count of its handler
        if self.early_stop is not None and self.early_stop._handler is not None:
            parts["early_stop"] = self.early_stop._handler
        return parts

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
        saved: dict[str, Any] = {name: part.state_dict() for name, part in self._parts(engine).items()}
        saved["card"] = self.state["card"].state_dict()
        saved["options"] = {**self.options, **self.free_options}
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
