# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A moving average of the weights over the training steps."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

__all__ = ["WeightAverage"]


class WeightAverage:
    """Keeps an exponential moving average of a network's weights and running statistics.

    After step n the average moves towards the network by ``max(share, 9 / (9 + n))`` of the difference, so that it
    forgets the first steps soon. The number of steps is part of the average's state, so a resumed run goes on alike.
    (Ignite's EMAHandler counts anew after a restart, and rounds weights that did not change.)

    Attach it to the trainer before the validation.

    Args:
        network: the network that is trained; of a distributed one the module inside.
        share: from above 0 to 1; 1: the average is the network itself.

    Attributes:
        average: PyTorch's averaged model, with ``state_dict``; ``average.module`` is the network to use.

    Raises:
        ValueError: ``share`` is out of range.

    Source: Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017.
    """

    def __init__(self, network: nn.Module, *, share: float = 0.01) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share must be above 0 and at most 1; got {share}. 1 switches averaging off.")
        self.network = network.module if isinstance(network, DistributedDataParallel) else network
        self.share = share
        self.average = AveragedModel(self.network, avg_fn=self._moved, use_buffers=True).requires_grad_(False).eval()

    def attach(self, engine: Engine) -> None:
        """Attach to the trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: self.average.update_parameters(self.network))

    def _moved(self, average: torch.Tensor, value: torch.Tensor, steps: torch.Tensor | int) -> torch.Tensor:
        return average + max(self.share, 9 / (9 + float(steps))) * (value - average)
