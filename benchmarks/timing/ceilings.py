# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the machine can do at most, measured: arithmetic and copying."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["ceilings", "seconds_of"]


def ceilings(device: str, *, repeats: int = 10) -> dict[str, float]:
    """The best of several runs, of PyTorch's operations.

    Args:
        device: of PyTorch.
        repeats: runs of each.

    Returns:
        ``float32`` and ``bfloat16``: TFLOP/s of a product of matrices or of a point-wise convolution, whichever is
        faster; ``copy``: GB/s, read and written bytes together, of a copy far larger than the caches.
    """
    # a GPU needs larger ones to be busy
    side, channels, pixels = (8192, 512, 512) if device == "cuda" else (2048, 256, 128)
    found = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        image = torch.randn(1, channels, pixels, pixels, device=device).to(dtype, memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 1, 1, device=device).to(dtype)
        product = 2 * side**3 / _best(lambda a=a, b=b: torch.mm(a, b), device, repeats)
        convolve = _best(lambda x=image, w=weight: torch.nn.functional.conv2d(x, w), device, repeats)
        found[name] = max(product, 2 * channels**2 * pixels**2 / convolve) / 1e12
    source = torch.ones(2**26, device=device)
    target = torch.empty_like(source)
    found["copy"] = 2 * source.nbytes / _best(lambda: target.copy_(source), device, repeats) / 1e9
    return found


def seconds_of(task: Callable[[], Any], device: str) -> float:
    """Of one run; on CUDA between two events, for the processor does not wait for the card."""
    if device != "cuda":
        began = time.perf_counter()
        task()
        return time.perf_counter() - began
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    task()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


def _best(task: Callable[[], Any], device: str, repeats: int) -> float:
    task()
    return min(seconds_of(task, device) for _ in range(repeats))
