# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Stopping a training run at the first number that is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor, nn

__all__ = ["FiniteTraining"]

_LEAST_SCALE = torch.finfo(torch.float16).tiny


class FiniteTraining:
    """Ends a run with an error that names the domain and the cases of the batch in which something is not finite.

    Looked at are, of every step, the network's output, the loss and the gradients before they are applied, and the
    weights and running statistics at the end of every epoch. Attached before
    :class:`~monai_gu2net.handlers.TrainingCheckpoints`, it leaves the checkpoints of the last good epoch.

    In mixed precision infinite gradients belong to the search for the scale of the loss, and such a step is left out.
    There it is an error when the scale falls below 6e-5, half precision's smallest normal number, which only gradients
    that are not finite at any scale bring about.

    Args:
        network: the network that is trained.

    Raises (when the trainer runs):
        ValueError: something is not finite.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        """Attach to a MONAI trainer."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self._check_loss)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self._check_gradients)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._check_scale)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._check_weights)

    def _check_loss(self, engine: Engine) -> None:
        output: Any = engine.state.output
        # absent landmarks have no loss, so that it can be finite where the output is not
        for what, key in (("loss", "loss"), ("output of the network", "pred")):
            if not _all_finite([output[key]]):
                raise self._error(engine, what)

    def _check_gradients(self, engine: Engine) -> None:
        if getattr(engine, "scaler", None) is None and not _all_finite(
            parameter.grad for parameter in self.network.parameters() if parameter.grad is not None
        ):
            raise self._error(engine, "gradient")

    def _check_scale(self, engine: Engine) -> None:
        scaler = getattr(engine, "scaler", None)
        if scaler is not None and scaler.get_scale() < _LEAST_SCALE:
            raise self._error(engine, "gradient")

    def _check_weights(self, engine: Engine) -> None:
        state = self.network.state_dict().values()
        if not _all_finite(value for value in state if isinstance(value, Tensor) and value.is_floating_point()):
            raise self._error(engine, "state of the network after its step")

    def _error(self, engine: Engine, what: str) -> ValueError:
        batch: Any = engine.state.batch
        domains, cases = (_names(batch, key) for key in ("domain", "case"))
        return ValueError(
            f"Training must stay finite; got NaN or infinity as the {what} in epoch {engine.state.epoch}, step "
            f"{engine.state.iteration}, with a batch of domain {domains}, cases {cases}. Look at these images and "
            "landmarks, or lower the learning rate; the checkpoints are those of the last good epoch."
        )


def _all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers are finite; the device is waited for once."""
    # the maximum norm of finite numbers is finite, which a sum of squares need not be
    norms = [torch.linalg.vector_norm(tensor.detach(), ord=torch.inf) for tensor in tensors if tensor.numel()]
    return not norms or bool(torch.stack([norm.isfinite() for norm in norms]).all())


def _names(batch: Any, key: str) -> str:
    """The different names that a batch has under a key."""
    found = batch.get(key, ()) if isinstance(batch, Mapping) else [sample.get(key) for sample in batch]
    names = dict.fromkeys([found] if isinstance(found, str) else found)
    return ", ".join(repr(name) for name in names) or "unknown"
