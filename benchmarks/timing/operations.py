# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the time of a run goes: arithmetic, bytes and seconds of its operations, by kind."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import conv_flop_count, flop_registry

__all__ = ["KINDS", "Operations", "floor_seconds", "operations"]

KINDS = ("point-wise convolutions", "channel-wise convolutions", "other convolutions", "all else")


class Operations(TorchDispatchMode):
    """Counts the operations of PyTorch that run in its context.

    Attributes:
        found: by kind ``flop``, ``bytes`` and ``seconds``. Arithmetic is counted by PyTorch's own flop counter, bytes
            of the operations that have any: each of their tensors once. All else could be done on the way.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, float]] = {kind: defaultdict(float) for kind in KINDS}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        began = time.perf_counter()
        out = func(*args, **kwargs)
        seconds = time.perf_counter() - began
        of_kind = self.found[_kind(func, args)]
        of_kind["seconds"] += seconds
        flop = _flop(func, args, kwargs, out)
        if flop:
            dtype = str(args[0].dtype).removeprefix("torch.")
            of_kind[f"flop_{dtype}"] += flop
            of_kind["bytes"] += sum(t.nbytes for t in tree_iter((args, kwargs, out)) if isinstance(t, torch.Tensor))
        return out


def operations(task: Callable[[], Any], *, runs: int = 3) -> dict[str, dict[str, float]]:
    """Count a run, after one that is not counted.

    Args:
        task: the run, on a processor, where an operation is done when its call returns.
        runs: counted ones; of each kind the mean.

    Returns:
        By kind ``flop_float32`` or ``flop_bfloat16``, ``bytes`` and ``seconds``.
    """
    task()
    with Operations() as counted:
        for _ in range(runs):
            task()
    return {kind: {name: value / runs for name, value in found.items()} for kind, found in counted.found.items()}


def floor_seconds(found: Mapping[str, float], ceilings: Mapping[str, float]) -> tuple[float, float]:
    """The least time that arithmetic, and that moving the bytes, take on a machine.

    Args:
        found: of :func:`operations`, one kind or several added.
        ceilings: of :func:`~timing.ceilings.ceilings`.
    """
    arithmetic = sum(found.get(f"flop_{name}", 0.0) / ceilings[name] / 1e12 for name in ("float32", "bfloat16"))
    return arithmetic, found.get("bytes", 0.0) / ceilings["copy"] / 1e9


def _flop(func: Any, args: Any, kwargs: Any, out: Any) -> int:
    """Of an operation; 0 of one that is not counted."""
    if func._overloadpacket is torch.ops.aten.convolution_backward:
        # PyTorch 2.13's own count leaves the groups out of account: each gradient costs what the convolution does
        gradient, image, weight, wanted = args[0], args[1], args[2], args[10]
        return sum(wanted[:2]) * int(conv_flop_count(image.shape, weight.shape, gradient.shape, transposed=args[7]))
    count = flop_registry.get(func._overloadpacket)
    return int(count(*args, **kwargs, out_val=out)) if count is not None else 0


def _kind(func: Any, args: Any) -> str:
    packet = func._overloadpacket
    if packet not in (torch.ops.aten.convolution, torch.ops.aten.convolution_backward):
        return "all else"
    backward = packet is torch.ops.aten.convolution_backward
    weight, groups = (args[2], args[9]) if backward else (args[1], args[8])
    if groups > 1:
        return "channel-wise convolutions"
    return "point-wise convolutions" if set(weight.shape[2:]) == {1} else "other convolutions"
