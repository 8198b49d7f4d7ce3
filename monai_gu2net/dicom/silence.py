# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Keeping what libraries say about foreign data, values of tags among it, from being shown."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["silent_pydicom"]

_LIBRARIES = ("pydicom", "highdicom", "pynetdicom", "pylibjpeg", "openjpeg")
_depth: ContextVar[int] = ContextVar("_depth", default=0)  # a thread's own, and that of what it awaits


@contextmanager
def silent_pydicom() -> Iterator[None]:
    """Within it, this thread neither warns nor logs through pydicom: both quote values, a patient's name among them.

    It is of the thread that enters it, and may be entered again inside. Other threads, and this one after it, warn and
    log as they did: no level and no filter that somebody else has set is touched. So it is also right beside
    ``warnings.catch_warnings``, which before Python 3.14 changes the filters of all threads, and where warnings are
    errors.
    """
    _quiet_loggers()
    _warnings.enter()
    depth = _depth.get()
    _depth.set(depth + 1)
    try:
        yield
    finally:
        _depth.set(depth)
        _warnings.leave()


class _OutsideFilter(logging.Filter):
    """Passes what is logged outside of silent_pydicom."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _depth.get() == 0


_filter = _OutsideFilter()


def _quiet_loggers() -> None:
    """Give the libraries' loggers the filter: that of a parent does not hold for its children."""
    for name in ("pydicom", *list(logging.root.manager.loggerDict)):
        if name.partition(".")[0] in _LIBRARIES:
            logging.getLogger(name).addFilter(_filter)  # once, however often it is added


class _Warnings:
    """``warnings.warn`` that says nothing for threads inside, put in its place while there are any."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.usual: Callable[..., None] = warnings.warn

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1 and warnings.warn is not _warn:
                self.usual = warnings.warn
                warnings.warn = _warn

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and warnings.warn is _warn:  # else somebody has wrapped it, and it passes all on
                warnings.warn = self.usual

    def forked(self) -> None:
        """Of the threads, only the one that forked is in the child."""
        self.lock, self.inside = threading.Lock(), _depth.get()


_warnings = _Warnings()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_warnings.forked)


def _warn(
    message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **skip_file_prefixes: Any
) -> None:
    """As ``warnings.warn``, one frame further from whoever is meant."""
    if _depth.get() == 0:
        # since Python 3.12, prefixes to skip raise the level to 2
        level = max(2, stacklevel) if any(skip_file_prefixes.values()) else stacklevel
        _warnings.usual(message, category, level + 1, source, **skip_file_prefixes)
