# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents

from monai_gu2net.data import Domain
from monai_gu2net.engines import PrepareDomainBatch
from monai_gu2net.handlers import ExponentialMovingAverage, FiniteTraining, TrainingCheckpoints
from monai_gu2net.inferers import LandmarkInferer
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.networks import GU2Net, ModelCard, load_model

NAN, INF = math.nan, math.inf
SIZE = (16, 16)


def batch(*cases: str, pixel: float = 0.0, points: float = 5.0) -> dict[str, Any]:
    """Images of which the last has one pixel at a value, with two landmarks at a place."""
    image = torch.linspace(-1, 1, 256).sin().reshape(1, 1, *SIZE).repeat(len(cases), 1, 1, 1)
    image[-1, 0, 3, 4] = pixel
    return {
        "image": image,
        "points": torch.full((len(cases), 2, 2), points),
        "domain": ["head"] * len(cases),
        "case": list(cases),
    }


class Run:
    """Training of a tiny network on given batches, with its checkpoints in a folder."""

    def __init__(self, folder: Path, batches: list[dict[str, Any]], *, epochs: int = 1, rate: float = 0.01) -> None:
        self.network = GU2Net(2, 1, {"head": 2}, features=(2, 4), global_features=2, dilations=(1,))
        card = ModelCard({"head": Domain("head", ("a", "b"), SIZE)}, self.network.description)
        average = ExponentialMovingAverage(self.network)
        optimizer = torch.optim.SGD(self.network.parameters(), lr=rate)
        checkpoints = TrainingCheckpoints(
            folder,
            state={"model": self.network, "average": average.average, "optimizer": optimizer, "card": card},
            validator=Engine(lambda *_: None),
        )
        self.trainer = SupervisedTrainer(
            device=torch.device("cpu"),
            max_epochs=epochs,
            train_data_loader=batches,
            network=self.network,
            optimizer=optimizer,
            loss_function=HeatmapLoss(sigma=1.0),
            inferer=LandmarkInferer(),
            prepare_batch=PrepareDomainBatch(),
            train_handlers=[average, FiniteTraining(self.network), checkpoints],
            decollate=False,
        )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("pixel", [NAN, INF, -INF])
@pytest.mark.parametrize("points", [5.0, NAN])
def test_a_pixel_that_is_no_number_ends_the_run_at_its_batch(tmp_path: Path, pixel: float, points: float) -> None:
    """Also in an image without a landmark, which has no loss."""
    run = Run(tmp_path, [batch("one"), batch("two", "three", pixel=pixel, points=points), batch("four")])
    with pytest.raises(ValueError, match=r"epoch 1, step 2, with a batch of domain 'head', cases 'two', 'three'\. "):
        run.trainer.run()
    assert contents(tmp_path) == {}


def test_the_checkpoints_of_the_last_good_epoch_stay(tmp_path: Path) -> None:
    run = Run(tmp_path, [batch("one"), batch("two")], epochs=2)
    good: dict[str, bytes] = {}

    def spoil() -> None:
        good.update(contents(tmp_path))
        run.trainer.data_loader[1]["image"][0, 0, 0, 0] = NAN

    run.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), spoil)
    with pytest.raises(ValueError, match="loss in epoch 2, step 4, with a batch of domain 'head', cases 'two'"):
        run.trainer.run()
    assert set(good) == {"last.pt"}
    assert contents(tmp_path) == good
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    for name in ("model", "average"):
        assert all(value.isfinite().all() for value in saved[name].values() if isinstance(value, torch.Tensor))


def test_a_gradient_that_is_no_number_is_not_applied(tmp_path: Path) -> None:
    run = Run(tmp_path, [batch("one"), batch("two")])
    weight = next(run.network.parameters())
    run.trainer.add_event_handler(
        Events.ITERATION_STARTED(once=2),
        lambda: weight.register_hook(lambda gradient: torch.full_like(gradient, INF)),
    )
    with pytest.raises(ValueError, match=r"got NaN or infinity as the gradient in epoch 1, step 2, .* cases 'two'"):
        run.trainer.run()
    assert all(parameter.isfinite().all() for parameter in run.network.parameters())


def test_large_finite_gradients_are_no_error(tmp_path: Path) -> None:
    """The sum of their squares is beyond float32."""
    run = Run(tmp_path, [batch("one")], rate=0.0)
    weight = next(run.network.parameters())
    weight.register_hook(lambda gradient: torch.full_like(gradient, 1e30))
    run.trainer.run()
    assert run.trainer.state.iteration == 1


def test_weights_that_the_last_step_of_an_epoch_broke_are_not_saved(tmp_path: Path) -> None:
    run = Run(tmp_path, [batch("one"), batch("two")], rate=1e38)
    with pytest.raises(ValueError, match=r"Training must stay finite; got NaN or infinity as the .* in epoch 1"):
        run.trainer.run()
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("broken", ["parameter", "statistic"])
def test_the_end_of_an_epoch_finds_what_no_loss_showed(tmp_path: Path, broken: str) -> None:
    run = Run(tmp_path, [batch("one"), batch("two")])
    values = run.network.parameters() if broken == "parameter" else run.network.buffers()
    first = next(iter(values))
    run.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: first.data.fill_(NAN))
    with pytest.raises(ValueError, match=r"state of the network after its step in epoch 1, step 2, .* cases 'two'"):
        run.trainer.run()
    assert contents(tmp_path) == {}


def test_a_run_that_stays_finite_is_left_alone(tmp_path: Path) -> None:
    run = Run(tmp_path, [batch("one"), batch("two")], epochs=2)
    run.trainer.run()
    assert run.trainer.state.iteration == 4
    assert load_model(tmp_path / "model.pt")[1].provenance["epoch"] == 2


class Scaled:
    """A MONAI trainer in mixed precision as far as a handler sees it: its gradients overflow at a scale above a limit.

    The scale is halved at every overflow, as PyTorch's GradScaler does it.
    """

    def __init__(self, limit: float, *, scale: float) -> None:
        self.network = torch.nn.Linear(1, 1)
        self.engine = Engine(self._step)
        self.engine.register_events(*IterationEvents)
        self.limit = limit
        self.engine.scaler = torch.amp.GradScaler("cpu", init_scale=scale)  # type: ignore[attr-defined]
        FiniteTraining(self.network).attach(self.engine)

    def _step(self, engine: Engine, given: dict[str, Any]) -> None:
        scaler: torch.amp.GradScaler = engine.scaler  # type: ignore[attr-defined]
        optimizer = torch.optim.SGD(self.network.parameters(), lr=0.0)
        optimizer.zero_grad()
        engine.state.output = {"loss": torch.tensor(1.0), "pred": torch.zeros(1)}  # type: ignore[assignment]
        engine.fire_event(IterationEvents.LOSS_COMPLETED)
        scaler.scale(self.network(torch.ones(1, 1)).sum()).backward()
        if scaler.get_scale() > self.limit:
            self.network.weight.grad = torch.full_like(self.network.weight, INF)
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)
        scaler.step(optimizer)
        scaler.update()

    def run(self) -> None:
        self.engine.run([{"domain": ["head"], "case": [str(n)]} for n in range(12)])


def test_the_search_for_a_scale_in_mixed_precision_is_no_error() -> None:
    run = Scaled(limit=0.5, scale=64.0)
    run.run()
    assert run.engine.scaler.get_scale() == 0.5  # type: ignore[attr-defined]


def test_gradients_that_no_scale_helps_are_an_error() -> None:
    """2 to the power of -8 is halved seven times, by the batches 0 to 6, to -15; -14 is the least that is normal."""
    with pytest.raises(ValueError, match=r"as the gradient in epoch 1, step 7, .* domain 'head', cases '6'"):
        Scaled(limit=0.0, scale=2.0**-8).run()


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (lambda given: given, "domain 'head', cases 'one'"),
        (lambda given: [{"domain": "head", "case": "one"}], "domain 'head', cases 'one'"),
        (lambda given: {"image": given["image"]}, "domain unknown, cases unknown"),
    ],
)
def test_the_batch_is_named_as_far_as_it_says_it(shape: Callable[[dict[str, Any]], Any], told: str) -> None:
    engine = Engine(lambda *_: None)
    engine.register_events(*IterationEvents)
    FiniteTraining(torch.nn.Linear(1, 1)).attach(engine)
    engine.state.batch = shape(batch("one"))
    engine.state.output = {"loss": torch.tensor(NAN), "pred": torch.zeros(1)}  # type: ignore[assignment]
    with pytest.raises(ValueError, match=f"as the loss in .* batch of {told}"):
        engine.fire_event(IterationEvents.LOSS_COMPLETED)
