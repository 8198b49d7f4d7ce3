# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The precision of a training run, decided once."""

from __future__ import annotations

import functools
import logging
import os
import time
from pathlib import Path

import torch
from ignite import distributed

from monai_gu2net.networks.checkpoint import load_state

__all__ = ["decide_precision", "processor_prefers_bfloat16"]

_log = logging.getLogger(__name__)


def decide_precision(
    precision: str, *, device: str | torch.device, resumed: str | os.PathLike[str] | None = None
) -> str:
    """The precision to train in, for a :class:`~monai_gu2net.inferers.LandmarkInferer`; the log says it.

    "auto" is decided by a timing, which may turn out otherwise the next time. So it is decided once for all processes
    of a run, the model's card is to record it as ``provenance["precision"]``, and a resumed run keeps it.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 on a processor that is faster in it, and on a CUDA device
            that has it (not tested on one); float32 elsewhere.
        device: where the network runs.
        resumed: the state that the run goes on from, written by
            :class:`~monai_gu2net.handlers.TrainingCheckpoints`; None, or a file that is not there: it begins.

    Returns:
        "float32" or "bfloat16".

    Raises:
        ValueError: precision is none of these.
    """
    if precision not in ("auto", "bfloat16", "float32"):
        raise ValueError(f"precision must be 'auto', 'bfloat16' or 'float32'; got {precision!r}. Choose one.")
    if precision != "auto":
        _log.info("Training in %s, as asked for", precision)
        return precision
    decided = _recorded(Path(resumed)) if resumed is not None else None
    if decided is None:
        decided = "bfloat16" if _prefers_bfloat16(torch.device(device)) else "float32"
    if distributed.get_world_size() > 1:
        decided = str(distributed.broadcast(decided, src=0))
    _log.info("Training in %s, which 'auto' came to; precision=%s asks for it", decided, decided)
    return decided


def _prefers_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and processor_prefers_bfloat16()


def _recorded(last: Path) -> str | None:
    """The precision that a saved state was trained in, if it is there and says so."""
    if not last.is_file():
        return None
    card = load_state(last)["card"]
    found: str | None = card.get("provenance", {}).get("precision")
    return found


@functools.cache
def processor_prefers_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 on this processor, by trying a convolution in both.

    The instruction set does not decide it: with ``avx512_bf16`` alone, oneDNN's convolutions were measured at twice the
    speed of float32 on one kind of processor and at half of it on another. It takes some milliseconds, once in a
    process; bfloat16 must win clearly, so that noise does not decide.
    """
    return 1.3 * _seconds(torch.bfloat16) < _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """The shortest of five runs of a point-wise convolution."""
    image = torch.ones(1, 128, 96, 96, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(128, 128, 1, 1, dtype=dtype)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.nn.functional.conv2d(image, weight)
        times.append(time.perf_counter() - start)
    return min(times)
