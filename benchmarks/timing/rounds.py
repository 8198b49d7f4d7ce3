# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Runs in rounds: every variant once, then every variant again, so that noise hits all alike."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from timing.results import Results

__all__ = ["Program", "Variant", "Worker", "measure"]

WORKER = Path(__file__).with_name("worker.py")


class Variant(Protocol):
    """What is timed."""

    def run(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Seconds, seconds of the processor (cpu_seconds), peak memory (peak_mib); or "failed" and why."""

    def close(self) -> None:
        """End what it started."""


class Worker:
    """A process that holds one variant, so that peak memory is its own, and does one run at a time when asked.

    Args:
        spec: what it builds, see ``worker.py``.
        path: folders that Python imports from first, such as that of a peer or of an earlier version.
    """

    def __init__(self, spec: Mapping[str, Any], path: Sequence[Path] = ()) -> None:
        self.spec = spec
        self.env = _environment(path)
        self.process: subprocess.Popen[str] | None = None

    def run(self, case: Mapping[str, Any]) -> dict[str, Any]:
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER), json.dumps(self.spec)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self.env,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(f"{json.dumps(case)}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if answer:
            found: dict[str, Any] = json.loads(answer)
            return found
        return {"failed": f"its process ended with {self.process.wait()}"}

    def close(self) -> None:
        if self.process is not None:
            with self.process:  # its input ends, and so does it
                pass
            self.process = None


class Program:
    """A program that is started anew for each run, with Python's own start in its time, in an empty folder.

    Args:
        arguments: of this Python.
        path: see :class:`Worker`.
    """

    def __init__(self, arguments: Sequence[str], path: Sequence[Path] = ()) -> None:
        self.arguments = [sys.executable, *arguments]
        self.env = _environment(path)

    def run(self, case: Mapping[str, Any]) -> dict[str, Any]:
        # an empty folder: Python imports from the working directory first, whatever its path says
        with tempfile.TemporaryDirectory() as folder:
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(self.arguments, capture_output=True, text=True, env=self.env, cwd=folder)
            seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
        processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return {"seconds": seconds, "cpu_seconds": processor}

    def close(self) -> None:
        """Nothing is left running."""


def measure(
    results: Results,
    part: str,
    variants: Mapping[str, Variant],
    *,
    rounds: int,
    cases: Sequence[Mapping[str, Any]] = ({},),
    **told: Any,
) -> None:
    """Do the runs that are missing. A variant that fails is left out of the later rounds, and tried again next time.

    Args:
        results: where they go.
        part: of the benchmark.
        variants: by name, in the order of a round.
        rounds: number of runs of each variant and case.
        cases: what each variant runs, such as sizes of the image.
        told: noted with each run.
    """
    results.forget_failures(part, variants)
    failed: set[str] = set()
    try:
        for number in range(rounds):
            for case in cases:
                for name, variant in variants.items():
                    key = {"part": part, "variant": name, **told, **case, "round": number}
                    if name in failed or results.has(key):
                        continue
                    busy, began = _busy_seconds(), time.perf_counter()
                    found = variant.run(case)
                    used = found.pop("used", found.get("cpu_seconds", 0.0))
                    others = (_busy_seconds() - busy - used) / (time.perf_counter() - began)
                    results.add(key, {**found, "others": round(max(0.0, others), 3)})
                    if "failed" in found:
                        failed.add(name)
                        sys.stderr.write(f"{part}: {name} failed and is left out: {found['failed']}\n")
            sys.stderr.write(f"{part}: round {number + 1} of {rounds} is done\n")
    finally:
        for variant in variants.values():
            variant.close()


def _environment(path: Sequence[Path]) -> dict[str, str]:
    """That of this process, where Python imports from these folders first, then the package beside the benchmarks."""
    folders = [*map(str, path), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}


def _busy_seconds() -> float:
    """Of all cores since the machine started; 0 where the system does not say it."""
    stat = Path("/proc/stat")
    if not stat.is_file():
        return 0.0
    user, nice, system, _, _, irq, softirq = map(int, stat.read_text().split("\n", 1)[0].split()[1:8])
    return float(user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
