# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Sharing the processor with other processes: how OpenMP's threads wait for each other."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import threading
from pathlib import Path

__all__ = ["wait_passively"]

_SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
_MAPS = Path("/proc/self/maps")
_log = logging.getLogger(__name__)
_crowded: set[str] = set()  # the libraries that have their second team


def wait_passively() -> bool:
    """Let PyTorch's threads sleep while they wait for each other, for this process and those that it starts.

    OpenMP's threads spin for some milliseconds at the end of every operation, so as to begin the next one at once. On a
    processor that others use as well they take the time that the slowest of them needs to arrive. Sleeping costs a
    little where nobody else is there.

    Before PyTorch is loaded, this is ``OMP_WAIT_POLICY=PASSIVE`` in the environment. Afterwards the variable is not
    read any more. GNU's OpenMP, which PyTorch has on Linux, can still be told: with more threads than processors it
    waits for 100 turns instead of 300,000. So a second team of threads is made, one more than there are processors,
    which sleep for as long as the process lives. Other libraries are left as they are.

    A setting of the user's own in ``OMP_WAIT_POLICY`` or ``GOMP_SPINCOUNT`` stands; ``GOMP_SPINCOUNT=300000`` is how
    GNU's OpenMP waits by itself.

    Returns:
        Whether something was done; not so where it had been before, or where there is one thread.

    Source: GNU libgomp manual, ``OMP_WAIT_POLICY`` and ``GOMP_SPINCOUNT``.
    """
    settings = {name: os.environ[name] for name in _SETTINGS if name in os.environ}
    if settings:
        _log.info("OpenMP's threads wait as the environment says: %s", settings)
        return False
    if "torch" not in sys.modules:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        done = True
    else:
        done = sum(_crowd(path) for path in _loaded_openmp() - _crowded) > 0
    if done:
        _log.info(
            "OpenMP's threads sleep while they wait, which other processes gain by; GOMP_SPINCOUNT=300000: not so"
        )
    return done


def _loaded_openmp() -> set[str]:
    """The files of GNU's OpenMP that this process has loaded."""
    if not _MAPS.is_file():
        return set()
    fields = [
        line.split(maxsplit=5) for line in _MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    ]
    return {each[5] for each in fields if len(each) == 6 and Path(each[5]).name.startswith("libgomp")}


def _crowd(path: str) -> bool:
    """Give an OpenMP library a second team of sleeping threads, unless it works with a single thread."""
    library = ctypes.CDLL(path)
    if library.omp_get_max_threads() < 2:
        return False
    made = threading.Event()

    def make_team() -> None:
        # What the team runs is a function of the library, for it must not matter what Python does meanwhile.
        library.GOMP_parallel(library.omp_get_num_threads, None, len(os.sched_getaffinity(0)) + 1, 0)
        made.set()
        threading.Event().wait()  # the team lives as long as the thread that made it

    threading.Thread(target=make_team, name="OpenMP's second team", daemon=True).start()
    made.wait()
    _crowded.add(path)
    return True
