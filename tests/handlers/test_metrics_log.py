# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch
from ignite.engine import Engine, Events
from PIL import Image

from monai_gu2net.handlers import MetricsLog


def run(folder: Path, losses: list[list[float]], *, metrics: dict[int, dict[str, object]], after: int = 0) -> None:
    """Train epochs with the losses of their iterations; ``metrics`` are those of the validations, by epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    validator = Engine(lambda *_: None)
    trainer = Engine(lambda engine, _: {"loss": torch.tensor(losses[engine.state.epoch - 1 - after].pop(0))})

    @trainer.on(Events.STARTED)
    def _() -> None:
        trainer.state.epoch, trainer.state.iteration = after, after * len(losses[0])

    @trainer.on(Events.EPOCH_COMPLETED)
    def _() -> None:
        found = metrics.get(trainer.state.epoch)
        if found is not None:
            validator.run([0], max_epochs=validator.state.epoch + 1)
            validator.state.metrics.update(found)
        optimizer.param_groups[0]["lr"] /= 2

    MetricsLog(folder, optimizer=optimizer, validator=validator).attach(trainer)
    trainer.run([0] * len(losses[0]), max_epochs=after + len(losses))


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_has_the_mean_loss_and_the_learning_rate_of_its_epoch(tmp_path: Path) -> None:
    run(tmp_path, [[1.0, 2.0], [0.5, 0.0]], metrics={})
    rows = rows_of(tmp_path)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [float(row["train_loss"]) for row in rows] == [1.5, 0.25]
    assert [float(row["learning_rate"]) for row in rows] == [0.25, 0.125]
    assert all(float(row["seconds"]) >= 0 for row in rows)


def test_metrics_stand_in_the_rows_of_their_epochs_alone(tmp_path: Path) -> None:
    run(tmp_path, [[1.0], [1.0], [1.0]], metrics={2: {"val_mre": 4.25, "none": math.nan, "text": "word"}})
    rows = rows_of(tmp_path)
    assert [row["val_mre"] for row in rows] == ["", "4.25", ""]
    assert [row["none"] for row in rows] == ["", "", ""]
    assert "text" not in rows[0]


def test_columns_of_a_later_epoch_are_added(tmp_path: Path) -> None:
    run(tmp_path, [[1.0], [1.0]], metrics={1: {"head_mre": 1.0}, 2: {"hand_mre": 2.0}})
    first, second = rows_of(tmp_path)
    assert (first["head_mre"], first["hand_mre"]) == ("1", "")
    assert second["hand_mre"] == "2"


def test_a_resumed_run_goes_on_with_the_rows_before_it(tmp_path: Path) -> None:
    run(tmp_path, [[1.0], [2.0], [3.0]], metrics={1: {"val_mre": 9.0}})
    run(tmp_path, [[4.0]], metrics={3: {"val_mre": 8.0}}, after=2)
    rows = rows_of(tmp_path)
    assert [(row["epoch"], row["train_loss"], row["val_mre"]) for row in rows] == [
        ("1", "1", "9"),
        ("2", "2", ""),
        ("3", "4", "8"),
    ]


def test_a_run_that_starts_anew_begins_a_new_table(tmp_path: Path) -> None:
    run(tmp_path, [[1.0], [2.0]], metrics={})
    run(tmp_path, [[3.0]], metrics={})
    assert [row["train_loss"] for row in rows_of(tmp_path)] == ["3"]


def test_the_curve_is_a_picture_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    run(folder, [[1.0], [0.5]], metrics={1: {"val_mre": 2.0}})
    assert sorted(path.name for path in folder.iterdir()) == ["learning_curve.png", "metrics.csv"]
    with Image.open(folder / "learning_curve.png") as picture:
        picture.load()
        assert min(picture.size) > 100


def test_other_processes_of_a_distributed_run_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    run(tmp_path, [[1.0]], metrics={})
    assert not list(tmp_path.iterdir())


def test_a_batch_without_landmarks_measures_nothing(tmp_path: Path) -> None:
    """Its loss is 0, which would make the mean look better; an epoch of such batches has none."""
    absent, present = torch.full((1, 2, 2), math.nan), torch.tensor([[[1.0, 2.0], [math.nan, math.nan]]])
    batches = iter([(3.0, present), (0.0, absent), (0.0, absent), (0.0, absent)])

    def step(*_: object) -> dict[str, torch.Tensor]:
        loss, points = next(batches)
        return {"loss": torch.tensor(loss), "label": points}

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    trainer = Engine(step)
    MetricsLog(tmp_path, optimizer=optimizer, validator=Engine(lambda *_: None)).attach(trainer)
    trainer.run([0, 0], max_epochs=2)
    assert [row["train_loss"] for row in rows_of(tmp_path)] == ["3", ""]


def test_a_steps_loss_is_the_mean_over_the_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the second of the other process's steps there was a landmark, and in none of this one's last two."""

    def gather(own: tuple[torch.Tensor, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        assert own[1].tolist() == [True, False, False]
        return [own, (torch.tensor([2.0, 8.0, 0.0]), torch.tensor([True, True, False]))]

    monkeypatch.setattr("monai_gu2net.handlers.metrics_log.gather", gather)
    present, absent = torch.zeros(1, 1, 2), torch.full((1, 1, 2), math.nan)
    batches = iter([(4.0, present), (0.0, absent), (0.0, absent)])

    def step(*_: object) -> dict[str, torch.Tensor]:
        loss, points = next(batches)
        return {"loss": torch.tensor(loss), "label": points}

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    trainer = Engine(step)
    MetricsLog(tmp_path, optimizer=optimizer, validator=Engine(lambda *_: None)).attach(trainer)
    trainer.run([0] * 3, max_epochs=1)
    assert [row["train_loss"] for row in rows_of(tmp_path)] == ["3.5"]  # ((4 + 2) / 2 + (0 + 8) / 2) / 2
