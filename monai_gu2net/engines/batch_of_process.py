# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How many samples each process of a run takes a step."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from monai_gu2net.networks.checkpoint import load_state

__all__ = ["batch_of_process"]

_log = logging.getLogger(__name__)


def batch_of_process(batch_size: int, *, processes: int = 1, resumed: str | os.PathLike[str] | None = None) -> int:
    """The samples in a batch of each process; a run resumed with another number of processes keeps those of a step.

    So it stays the same run: its steps are of the same cases, and an epoch has as many.

    Args:
        batch_size: of each process, where the run begins or goes on with as many processes.
        processes: of this run.
        resumed: the state that it goes on from, written by :class:`~monai_gu2net.handlers.TrainingCheckpoints`;
            None, or a file that is not there: it begins.

    Raises:
        ValueError: the samples of a step of the resumed run cannot be shared evenly.
    """
    if resumed is None or not Path(resumed).is_file():
        return batch_size
    options = load_state(resumed).get("options", {})
    before = options.get("processes", processes)
    if before == processes:
        return batch_size
    total = int(options["batch_size"])
    if total % processes:
        fitting = ", ".join(str(count) for count in range(1, total + 1) if total % count == 0)
        raise ValueError(
            f"The processes of a resumed run must share its {total} samples a step evenly; got {processes}. Go on with "
            f"one of {fitting} processes."
        )
    _log.warning(
        "Going on with %d process(es) instead of %d: each takes %d of the %d samples of a step",
        processes,
        before,
        total // processes,
        total,
    )
    return total // processes
