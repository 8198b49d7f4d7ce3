# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.handlers import EarlyStopHandler
from monai.optimizers import WarmupCosineSchedule
from torch.optim.swa_utils import AveragedModel

from monai_gu2net.data import Domain
from monai_gu2net.handlers import TrainingCheckpoints
from monai_gu2net.networks import GU2Net, ModelCard, load_model

NAN = math.nan

# MONAI's EarlyStopHandler passes Ignite's EarlyStopping options of old names
pytestmark = pytest.mark.filterwarnings("ignore:'(min_delta|cumulative_delta)' is deprecated:DeprecationWarning")


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


@pytest.mark.parametrize("rest", [0, 3, 500], ids="rest{}".format)
def test_a_damaged_last_state_is_named_when_a_run_is_resumed(tmp_path: Path, rest: int) -> None:
    Run(tmp_path, [NAN]).go(1)
    last = tmp_path / "last.pt"
    last.write_bytes(last.read_bytes()[:rest])
    with pytest.raises(ValueError, match=r"last\.pt must be a checkpoint; got \w+\. It is damaged or of another kind"):
        Run(tmp_path, [NAN, NAN], resume=True).go(2)


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


class Scheduled:
    """A MONAI trainer of steps without loss, with the bundles' optimiser and schedule, 10 steps an epoch."""

    def __init__(
        self,
        folder: Path,
        epochs: int,
        *,
        resume: bool = False,
        rate: float = 0.1,
        cyclic: bool = False,
        **options: Any,
    ) -> None:
        network = GU2Net(2, 1, {"head": 1}, features=(2, 4), global_features=2, dilations=(1,))
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=options.get("decay", 0.01))
        if cyclic:
            self.schedule: Any = torch.optim.lr_scheduler.CyclicLR(
                self.optimizer, 0.1, 0.5, step_size_up=8, mode="triangular2", cycle_momentum=False
            )
        else:
            self.schedule = WarmupCosineSchedule(self.optimizer, warmup_steps=4, t_total=10 * epochs, end_lr=rate / 300)
        self.early_stop = EarlyStopHandler(options.get("patience", 3), lambda engine: options["scores"].pop(0))
        self.validator = Engine(lambda *_: None)
        self.trainer = Engine(self._step)
        self.trainer.scaler = options.get("scaler")  # type: ignore[attr-defined]
        self.early_stop.set_trainer(self.trainer)
        if "scores" in options:
            self.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: self.early_stop(self.validator))
        self.rates: list[float] = []
        self.epochs = epochs
        TrainingCheckpoints(
            folder,
            state={
                "model": network,
                "optimizer": self.optimizer,
                "lr_scheduler": self.schedule,
                "card": ModelCard({"head": Domain("head", ("a",), (8, 8))}, network.description),
            },
            validator=self.validator,
            options=options.get("options"),
            free_options={"max_epochs": epochs, "learning_rate": rate},
            early_stop=self.early_stop,
            resume=resume,
        ).attach(self.trainer)

    def _step(self, *_: Any) -> None:
        self.rates.append(self.optimizer.param_groups[0]["lr"])
        self.optimizer.step()
        self.schedule.step()

    def go(self) -> Scheduled:
        self.trainer.run([0] * 10, max_epochs=self.epochs)
        return self


def by_hand(step: int, steps: int, rate: float = 0.1) -> float:
    """Four steps up to the rate, then half a cosine down to a three hundredth of it at the last step."""
    if step < 4:
        return rate * step / 4
    return max(rate / 300, rate * (1 + math.cos(math.pi * (step - 4) / (steps - 4))) / 2)


def test_a_resumed_run_of_more_epochs_has_the_rates_of_that_length(tmp_path: Path) -> None:
    first = Scheduled(tmp_path, 2).go()
    assert first.rates == pytest.approx([by_hand(step, 20) for step in range(20)])
    longer = Scheduled(tmp_path, 5, resume=True).go()
    assert longer.rates == pytest.approx([by_hand(step, 50) for step in range(20, 50)])
    assert all(later < earlier for earlier, later in itertools.pairwise(longer.rates[:-1]))
    shorter = Scheduled(tmp_path / "short", 6)
    shorter.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), shorter.trainer.terminate)
    shorter.go()
    rates = Scheduled(tmp_path / "short", 3, resume=True).go().rates
    assert rates == pytest.approx([by_hand(step, 30) for step in range(20, 30)])


def test_a_run_resumed_twice_has_the_rates_of_one_that_was_not(tmp_path: Path) -> None:
    rates: list[float] = []
    for _ in range(3):
        run = Scheduled(tmp_path, 3, resume=True)
        run.trainer.add_event_handler(Events.EPOCH_COMPLETED, run.trainer.terminate)
        rates += run.go().rates
    assert rates == Scheduled(tmp_path / "straight", 3).go().rates


def test_a_cycled_rate_goes_on_within_its_cycle(tmp_path: Path) -> None:
    """Up and down in 16 steps, each cycle half as high: step 26 is 2 steps after the top of the second."""
    Scheduled(tmp_path, 2, cyclic=True).go()
    rates = Scheduled(tmp_path, 4, cyclic=True, resume=True).go().rates
    assert rates[6] == pytest.approx(0.1 + 0.4 / 2 * 6 / 8)
    assert rates[12] == pytest.approx(0.1)


def test_other_learning_rates_and_decays_are_followed_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Scheduled(tmp_path, 2).go()
    run = Scheduled(tmp_path, 3, resume=True, rate=0.02, decay=0.5).go()
    assert run.rates == pytest.approx([by_hand(step, 30, 0.02) for step in range(20, 30)])
    assert run.optimizer.param_groups[0]["weight_decay"] == 0.5
    assert "Going on with learning_rate 0.02 instead of 0.1" in caplog.text
    assert "Going on with max_epochs 3 instead of 2" in caplog.text


@pytest.mark.parametrize(
    ("ours", "message"),
    [
        ({"batch_size": 4, "shares": None}, r"got batch_size: 4, and 2 there\. Set them as they were"),
        ({"batch_size": 4, "shares": {"a": 1}}, r"batch_size: 4, and 2 there; shares: \{'a': 1\}, and None there"),
    ],
)
def test_a_run_of_other_options_is_not_resumed(tmp_path: Path, ours: dict[str, Any], message: str) -> None:
    Scheduled(tmp_path, 1, options={"batch_size": 2, "shares": None}).go()
    before = (tmp_path / "last.pt").read_bytes()
    with pytest.raises(ValueError, match=message):
        Scheduled(tmp_path, 2, options=ours, resume=True).go()
    assert (tmp_path / "last.pt").read_bytes() == before


def test_the_early_stop_counts_on_after_a_restart(tmp_path: Path) -> None:
    """Patience 3: the third validation in a row without a better score stops, the first one after the restart."""
    Scheduled(tmp_path, 3, scores=[5.0, 4.0, 3.0]).go()
    run = Scheduled(tmp_path, 9, scores=[4.0, 4.0, 4.0, 4.0, 4.0, 4.0], resume=True).go()
    assert run.trainer.state.epoch == 4
    better = Scheduled(tmp_path, 9, scores=[6.0, 4.0, 4.0, 4.0, 4.0], resume=True).go()
    assert better.trainer.state.epoch == 8


def test_the_scale_of_mixed_precision_goes_on_after_a_restart(tmp_path: Path) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=128.0)
    scaler.scale(torch.tensor(1.0))  # it is made at its first use
    Scheduled(tmp_path, 1, scaler=scaler).go()
    fresh = torch.amp.GradScaler("cpu")
    Scheduled(tmp_path, 1, scaler=fresh, resume=True).go()
    assert fresh.get_scale() == 128


def test_a_state_that_lacks_a_part_is_said_and_the_part_starts_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As one of an earlier version, or of a run on another kind of device."""
    Scheduled(tmp_path, 1).go()
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save(
        {name: part for name, part in saved.items() if name not in ("early_stop", "options")}, tmp_path / "last.pt"
    )
    run = Scheduled(tmp_path, 2, scaler=torch.amp.GradScaler("cpu"), resume=True).go()
    assert run.trainer.state.epoch == 2
    assert "has no scaler, which starts anew" in caplog.text
    assert "has no early_stop, which starts anew" in caplog.text


@pytest.mark.parametrize("here", [True, False])
def test_a_state_that_not_all_processes_see_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    if here:
        Run(tmp_path, [1.0]).go(1)
    monkeypatch.setattr("monai_gu2net.handlers.checkpoints.gather", lambda own: [own, not own])
    with pytest.raises(ValueError, match=r"must see '.*last\.pt'; got 1 of 2 that do\. Name an output_dir that all"):
        Run(tmp_path, [1.0, 1.0], resume=True).go(2)
