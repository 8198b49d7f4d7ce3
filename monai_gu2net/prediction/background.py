# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is done beside the network: the next images are read and the last results written while it computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["ahead", "background"]

Submit = Callable[..., "Future[Any]"]
_Item = TypeVar("_Item")


@contextmanager
def background(name: str, *, interrupt: Callable[[], object] = lambda: None) -> Iterator[Submit]:
    """A thread beside this one, that does one task after the other.

    When the block ends the task that has begun is waited for, so that nothing goes on behind the caller's back, and
    those that have not are dropped.

    Args:
        name: of the thread.
        interrupt: called when an error or an interruption ends the block, to end the task that has begun.

    Yields:
        What takes a function and its arguments, and gives the future of its result. It runs in a copy of the caller's
        context, so that files are noted and libraries are silent as here.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix=name)
    try:
        yield lambda task, *given: executor.submit(copy_context().run, task, *given)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        interrupt()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def ahead(
    submit: Submit, task: Callable[[_Item], Any], items: Iterable[_Item], *, count: int
) -> Iterator[tuple[_Item, Future[Any]]]:
    """Each item with the future of the task's result for it, of which at most ``count`` more are begun or done."""
    waiting: deque[tuple[_Item, Future[Any]]] = deque()
    for item in items:
        waiting.append((item, submit(task, item)))
        if len(waiting) > count:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()
