# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An optimiser and its learning rate schedule in a resumed run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

__all__ = ["restore_optimizer"]


def restore_optimizer(
    optimizer: Optimizer, saved: Mapping[str, Any], *, schedule: LRScheduler | None, saved_schedule: Mapping[str, Any]
) -> None:
    """Give a fresh optimiser what a run had learned, under the settings and the schedule of this run.

    PyTorch's own ``load_state_dict`` brings back the settings too: a schedule laid out for fewer epochs would go on
    beyond its end, where a cosine climbs again. So the schedule is stepped to where the run had come, and the optimiser
    keeps the learning rates that this gives, and its other settings.

    Args:
        optimizer: as constructed.
        saved: its saved state.
        schedule: of its learning rate, as constructed; None: it has none.
        saved_schedule: the schedule's saved state. One that follows a metric has no other course than this.
    """
    follows_metric = isinstance(schedule, ReduceLROnPlateau)
    if schedule is not None and not follows_metric:
        with warnings.catch_warnings():
            # PyTorch warns of steps of a schedule without steps of its optimiser
            warnings.filterwarnings("ignore", ".*lr_scheduler.step.*", UserWarning)
            for _ in range(saved_schedule["last_epoch"] - schedule.last_epoch):
                schedule.step()
    settings = [
        {name: value for name, value in group.items() if name != "params" and not (follows_metric and name == "lr")}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(dict(saved))
    for group, own in zip(optimizer.param_groups, settings, strict=True):
        group.update(own)
    if schedule is not None and follows_metric:
        schedule.load_state_dict(dict(saved_schedule))
