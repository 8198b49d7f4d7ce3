# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from monai_gu2net.handlers import ExponentialMovingAverage


class Counter:
    """A trainer that sets a weight to the number of steps done."""

    def __init__(self, *, decay: float) -> None:
        self.network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
        nn.init.zeros_(self.network[0].weight)
        self.average = ExponentialMovingAverage(self.network, decay=decay)
        self.trainer = Engine(self._step)
        self.average.attach(self.trainer)

    def _step(self, engine: Engine, _: object) -> None:
        with torch.no_grad():
            self.network[0].weight += 1.0
            self.network[1].running_mean += 1.0

    @property
    def averaged(self) -> float:
        return float(self.average.average.module[0].weight)


def by_hand(steps: int, decay: float) -> float:
    """The average of 1, 2, ..., steps by the rule written out."""
    value = 1.0
    for n in range(1, steps):
        value += (1 - min(decay, n / (n + 9))) * (n + 1 - value)
    return value


@pytest.mark.parametrize("decay", [0.8, 0.5, 0.0])
def test_the_average_follows_its_rule(decay: float) -> None:
    run = Counter(decay=decay)
    run.trainer.run([0] * 60, max_epochs=1)
    assert run.averaged == pytest.approx(by_hand(60, decay), rel=1e-5)
    assert float(run.average.average.module[1].running_mean) == pytest.approx(by_hand(60, decay), rel=1e-5)
    assert decay > 0 or run.averaged == 60


def test_weights_that_do_not_change_stay_bit_for_bit() -> None:
    run = Counter(decay=0.99)
    bias = run.network[0].bias.detach().clone()
    run.trainer.run([0] * 50, max_epochs=1)
    assert torch.equal(run.average.average.module[0].bias, bias)


def test_a_resumed_average_ends_as_one_that_was_not_interrupted() -> None:
    straight, first, second = (Counter(decay=0.95) for _ in range(3))
    straight.trainer.run([0] * 40, max_epochs=1)
    first.trainer.run([0] * 25, max_epochs=1)
    second.network.load_state_dict(first.network.state_dict())
    second.average.average.load_state_dict(first.average.average.state_dict())
    second.trainer.run([0] * 15, max_epochs=1)
    assert second.averaged == straight.averaged


def test_the_average_takes_no_gradient_and_does_not_train() -> None:
    average = Counter(decay=0.9).average.average
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert not any(module.training for module in average.modules())


def test_it_runs_before_a_validation_at_the_end_of_the_epoch() -> None:
    run = Counter(decay=0.0)
    seen: list[float] = []
    run.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(run.averaged))
    run.trainer.run([0] * 3, max_epochs=2)
    assert seen == [3.0, 6.0]


@pytest.mark.parametrize("decay", [-0.5, 1.0])
def test_another_decay_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1"):
        ExponentialMovingAverage(nn.Linear(1, 1), decay=decay)
