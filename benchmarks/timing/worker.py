# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A process of one variant: builds it from the specification in its argument, and answers each line with a run.

A request is JSON, ``{"size": [width, height], "batch": 1}``; so is the answer: the median of ``calls`` runs after
``warm`` ones, and what is counted beside it.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import torch
from timing.ceilings import ceilings, seconds_of
from timing.operations import operations
from timing.variants import TASKS

from monai_gu2net import engines


def main() -> None:
    """Answer until the input ends. What else is printed goes to the standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    spec = json.loads(sys.argv[1])
    ours = "peer" not in spec  # which runs as it comes, and this package as its commands and bundles have it
    if ours or spec.get("keeps_memory"):
        engines.keep_freed_memory()
    if ours and hasattr(engines, "wait_passively"):  # an earlier version, to compare with, has none
        engines.wait_passively()
    tasks: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        used = time.process_time()
        try:
            answer = _answer(spec, line, tasks)
        except Exception as error:  # a package that is not installed, a peer's error, no memory
            answer = {"failed": f"{type(error).__name__}: {error}"}
        answer["used"] = time.process_time() - used
        answers.write(f"{json.dumps(answer)}\n")
        answers.flush()


def _answer(spec: Mapping[str, Any], line: str, tasks: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    device = spec["device"]
    if spec["task"] == "ceilings":
        return dict(ceilings(device))
    if line not in tasks:
        tasks[line] = TASKS[spec["task"]](spec, **json.loads(line))
        tasks[line]()
    if spec.get("operations"):
        return {"operations": operations(tasks[line])}
    for _ in range(spec["warm"]):
        tasks[line]()
    processor = time.process_time()
    seconds = [seconds_of(tasks[line], device) for _ in range(spec["calls"])]
    processor = (time.process_time() - processor) / spec["calls"]
    if device == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if spec.get("trim") and sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # other processes need the memory while this one waits
    return {"seconds": statistics.median(seconds), "cpu_seconds": processor, "peak_mib": round(peak / 2**20)}


if __name__ == "__main__":
    main()
