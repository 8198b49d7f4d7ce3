# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from torch.optim.swa_utils import AveragedModel

from monai_gu2net.data import Domain
from monai_gu2net.handlers import TrainingCheckpoints
from monai_gu2net.networks import GU2Net, ModelCard, load_model

NAN = math.nan


class Run:
    """A trainer whose every epoch adds 1 to a bias, validated after every epoch at given values."""

    def __init__(self, folder: Path, values: list[float | None], *, resume: bool = False, landmark: str = "a") -> None:
        self.network = GU2Net(2, 1, {"head": 1}, features=(2, 4), global_features=2, dilations=(1,))
        self.bias = next(value for name, value in self.network.named_parameters() if name.endswith("bias"))
        torch.nn.init.zeros_(self.bias)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9)
        card = ModelCard({"head": Domain("head", (landmark,), (8, 8))}, self.network.description)
        self.values = values
        self.trainer = Engine(self._step)
        self.validator = Engine(lambda *_: None)
        self.validator.add_event_handler(Events.COMPLETED, self._measure)
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self._validate)
        self.checkpoints = TrainingCheckpoints(
            folder,
            state={"model": self.network, "optimizer": self.optimizer, "card": card},
            validator=self.validator,
            resume=resume,
        )
        self.checkpoints.attach(self.trainer)

    def _step(self, *_: Any) -> None:
        with torch.no_grad():
            self.bias += 1.0

    def _validate(self) -> None:
        if self.values[self.trainer.state.epoch - 1] is not None:
            self.validator.run([0], max_epochs=self.validator.state.epoch + 1)

    def _measure(self) -> None:
        self.validator.state.metrics["val_mre"] = self.values[self.trainer.state.epoch - 1]

    def go(self, epochs: int) -> Run:
        self.trainer.run([0, 0], max_epochs=epochs)
        return self


def epoch_of_the_best(folder: Path) -> int:
    return int(load_model(folder / "model.pt")[1].provenance["epoch"])


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([3.0, 2.0, 1.0], 3),
        ([3.0, 1.0, 2.0], 2),
        ([3.0, 1.0, 1.0], 2),
        ([3.0, 1.0, NAN], 2),
        ([NAN, 5.0, 6.0], 2),
        ([math.inf, math.inf, NAN], 1),
        ([None, 2.0, None], 2),
    ],
)
def test_the_model_kept_is_that_of_the_lowest_metric(tmp_path: Path, values: list[float | None], best: int) -> None:
    Run(tmp_path, values).go(3)
    assert epoch_of_the_best(tmp_path) == best
    weights = torch.load(tmp_path / "model.pt", weights_only=True)
    assert any(torch.equal(value, torch.full_like(value, 2.0 * best)) for value in weights.values())


def test_a_state_that_is_not_finite_leaves_the_last_good_files(tmp_path: Path) -> None:
    Run(tmp_path, [1.0]).go(1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"model.pt", "last.pt"}
    run = Run(tmp_path, [NAN, 0.5], resume=True)
    run.trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: run.bias.data.fill_(math.nan))
    with pytest.raises(ValueError, match=r"model\.pt: the weights of a checkpoint must be finite; .* in '.*bias'"):
        run.go(2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_last_state_that_is_not_finite_is_not_resumed(tmp_path: Path) -> None:
    Run(tmp_path, [1.0]).go(1)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    next(value for name, value in saved["model"].items() if name.endswith("bias")).fill_(math.inf)
    torch.save(saved, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt: the weights .* must be finite; got .* in 'model\..*bias'"):
        Run(tmp_path, [NAN, 0.5], resume=True).go(2)


def test_a_run_that_was_interrupted_before_cards_lay_among_the_weights_is_resumed(tmp_path: Path) -> None:
    Run(tmp_path, [1.0]).go(1)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    del saved["model"]["card._extra_state"]
    torch.save(saved, tmp_path / "last.pt")
    run = Run(tmp_path, [NAN, 0.5], resume=True).go(2)
    assert torch.equal(run.bias, torch.full_like(run.bias, 4.0))


def test_a_run_without_a_validation_ends_with_its_last_state_as_the_model(tmp_path: Path) -> None:
    Run(tmp_path, [None, None]).go(2)
    assert epoch_of_the_best(tmp_path) == 2
    assert "val_mre" not in load_model(tmp_path / "model.pt")[1].provenance


@pytest.mark.parametrize("values", [[None], [NAN], [9.0]])
def test_a_model_that_an_earlier_run_left_in_the_folder_is_replaced(tmp_path: Path, values: list[float | None]) -> None:
    Run(tmp_path, [1.0, 0.5, None]).go(3)
    assert epoch_of_the_best(tmp_path) == 2
    Run(tmp_path, values).go(1)
    assert epoch_of_the_best(tmp_path) == 1


def test_an_averaged_model_is_what_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, [3.0])
    average = AveragedModel(run.network)
    with torch.no_grad():
        for parameter in average.module.parameters():
            parameter.fill_(7.0)
    run.checkpoints.state["average"] = average
    run.go(1)
    assert all((parameter == 7).all() for parameter in load_model(tmp_path / "model.pt")[0].parameters())
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert not any(torch.equal(value, torch.full_like(value, 7.0)) for value in saved["model"].values())
    assert "n_averaged" in saved["average"]


def test_a_resumed_run_goes_on_where_the_first_one_stopped(tmp_path: Path) -> None:
    Run(tmp_path, [3.0, 2.0]).go(2)
    run = Run(tmp_path, [NAN, NAN, 4.0, 5.0], resume=True)
    epochs: list[int] = []
    run.trainer.add_event_handler(Events.EPOCH_STARTED, lambda engine: epochs.append(engine.state.epoch))
    run.go(4)
    assert epochs == [3, 4]
    assert run.trainer.state.iteration == 8
    assert torch.equal(run.bias, torch.full_like(run.bias, 8.0))


def test_a_restart_does_not_forget_the_best_value(tmp_path: Path) -> None:
    Run(tmp_path, [1.0, 2.0]).go(2)
    Run(tmp_path, [NAN, NAN, 1.5, 1.7], resume=True).go(4)
    assert epoch_of_the_best(tmp_path) == 1
    Run(tmp_path, [NAN] * 4 + [0.5], resume=True).go(5)
    assert epoch_of_the_best(tmp_path) == 5


def test_the_optimizer_is_restored(tmp_path: Path) -> None:
    first = Run(tmp_path, [None])
    first.network(torch.zeros(1, 1, 8, 8)).sum().backward()
    first.optimizer.step()
    first.go(1)
    again = Run(tmp_path, [None, None], resume=True).go(2)
    momenta = [state["momentum_buffer"] for state in first.optimizer.state.values()]
    restored = [state["momentum_buffer"] for state in again.optimizer.state.values()]
    assert len(momenta) == len(restored) > 0
    assert all(torch.equal(a, b) for a, b in zip(momenta, restored, strict=True))


def test_without_resume_a_run_starts_anew(tmp_path: Path) -> None:
    Run(tmp_path, [1.0]).go(1)
    run = Run(tmp_path, [2.0]).go(1)
    assert torch.equal(run.bias, torch.full_like(run.bias, 2.0))


def test_resume_without_a_last_state_starts_at_the_beginning(tmp_path: Path) -> None:
    assert Run(tmp_path, [1.0], resume=True).go(1).trainer.state.epoch == 1


def test_a_run_on_other_landmarks_is_not_resumed(tmp_path: Path) -> None:
    Run(tmp_path, [1.0]).go(1)
    run = Run(tmp_path, [1.0, 1.0], resume=True, landmark="b")
    with pytest.raises(ValueError, match=r"landmarks must be those of the datalist; .*\('b', 'a'\)"):
        run.go(2)


def test_the_last_state_is_plain_data(tmp_path: Path) -> None:
    Run(tmp_path, [1.0]).go(1)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["progress"] == {"epoch": 1, "iteration": 2, "best": 1.0, "validated": 1}
