# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An exponential moving average of the weights over the training steps."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

__all__ = ["ExponentialMovingAverage"]


class ExponentialMovingAverage:
    """Keeps an exponential moving average of a network's weights and running statistics.

    After step n the average is d times itself plus 1 - d times the network, with ``d = min(decay, n / (n + 9))``, so
    that it forgets the first steps soon. The number of steps is part of the average's state, so a resumed run goes on
    alike. (Ignite's EMAHandler counts anew after a restart, and rounds weights that did not change.)

    Attach it to the trainer before the validation.

    Args:
        network: the network that is trained; of a distributed one the module inside.
        decay: from 0 to below 1, as PyTorch's ``get_ema_avg_fn`` has it; 0: the average is the network itself.

    Attributes:
        average: PyTorch's averaged model, with ``state_dict``; ``average.module`` is the network to use.

    Raises:
        ValueError: ``decay`` is out of range.

    Source: Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """

    def __init__(self, network: nn.Module, *, decay: float = 0.99) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1; got {decay}. 0 switches averaging off.")
        self.network = network.module if isinstance(network, DistributedDataParallel) else network
        self.decay = decay
        self.average = AveragedModel(self.network, avg_fn=self._moved, use_buffers=True).requires_grad_(False).eval()

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: self.average.update_parameters(self.network))

    def _moved(self, average: torch.Tensor, value: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
        return average + max(1 - self.decay, 9 / (9 + float(steps))) * (value - average)
