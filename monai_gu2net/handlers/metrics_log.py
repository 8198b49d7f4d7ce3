# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The course of a training run as a table and a picture."""

from __future__ import annotations

import csv
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from ignite import distributed
from ignite.engine import Engine, Events

from monai_gu2net.files import csv_text, original_cell, write_text_whole
from monai_gu2net.metrics.gathering import gather
from monai_gu2net.visualize import draw_learning_curve, save_figure

__all__ = ["MetricsLog"]


class MetricsLog:
    """Writes ``metrics.csv`` and ``learning_curve.png`` after every epoch.

    A row has the epoch, the seconds it took, the mean training loss of the steps that had a landmark, the learning
    rate, and in epochs with a validation its metrics; nothing measured is an empty field. A step's loss is the mean
    over the processes. A resumed run goes on with the rows of the epochs before it. Attach it to the trainer after the
    validation handler.

    Args:
        folder: where the files go.
        optimizer: whose learning rate is logged.
        validator: the engine whose ``state.metrics`` are logged.
    """

    def __init__(self, folder: str | os.PathLike[str], *, optimizer: torch.optim.Optimizer, validator: Engine) -> None:
        self.folder = Path(folder)
        self.optimizer, self.validator = optimizer, validator
        self._rows: list[dict[str, Any]] = []
        self._losses: list[torch.Tensor] = []
        self._measured: list[bool] = []
        self._began = 0.0
        self._validated = 0

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer, on every process of a distributed run; the first alone writes."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._note_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        path = self.folder / "metrics.csv"
        self._validated = self.validator.state.epoch
        if engine.state.epoch and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [{original_cell(name): cell for name, cell in row.items()} for row in csv.DictReader(file)]
            self._rows = [row for row in rows if int(row["epoch"]) <= engine.state.epoch]

    def _start_epoch(self) -> None:
        self._losses, self._measured, self._began = [], [], time.monotonic()

    def _note_loss(self, engine: Engine) -> None:
        """A batch without any landmark has the loss 0, which measures nothing."""
        output: Any = engine.state.output
        # of a decollated batch each sample has the loss of the batch, as a number
        samples = output if isinstance(output, list) else [output]
        points = [sample["label"] for sample in samples if sample.get("label") is not None]
        self._losses.append(torch.as_tensor(samples[0]["loss"]))
        self._measured.append(not points or any(bool((~torch.isnan(each)).any()) for each in points))

    def _write(self, engine: Engine) -> None:
        losses = self._losses_of_steps()
        if distributed.get_rank() > 0:
            return
        row: dict[str, Any] = {
            "epoch": engine.state.epoch,
            "seconds": f"{time.monotonic() - self._began:.2f}",
            "train_loss": f"{losses.mean().item():.6g}" if len(losses) else "",
            "learning_rate": f"{self.optimizer.param_groups[0]['lr']:.6g}",
        }
        if self.validator.state.epoch > self._validated:
            self._validated = self.validator.state.epoch
            row |= {
                name: "" if math.isnan(value) else f"{value:.6g}"
                for name, value in self.validator.state.metrics.items()
                if isinstance(value, int | float)
            }
        self._rows.append(row)
        path = self.folder / "metrics.csv"
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        write_text_whole(path, csv_text([columns, *([row.get(name, "") for name in columns] for row in self._rows)]))
        save_figure(draw_learning_curve(path), self.folder / "learning_curve.png")

    def _losses_of_steps(self) -> torch.Tensor:
        """Of each step in which a process had a landmark, the mean over all processes."""
        parts = gather((torch.stack([loss.detach().cpu() for loss in self._losses]), torch.tensor(self._measured)))
        losses, measured = (torch.stack(each) for each in zip(*parts, strict=True))
        return losses.mean(dim=0)[measured.any(dim=0)]
