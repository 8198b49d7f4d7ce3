# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What ended a run of MONAI, without what MONAI wraps around it."""

from __future__ import annotations

import sys
from functools import partial
from traceback import walk_tb
from types import TracebackType
from typing import Any

from monai.utils import MONAIEnvVars

__all__ = ["plain_cause", "say_errors_plainly"]


def plain_cause(error: BaseException) -> ValueError | OSError | None:
    """The first ValueError or OSError among an error and its causes; None where there is none.

    MONAI (1.6) wraps an error at each level of the configuration in one of its own, which names the expression.

    Example:
        >>> try:
        ...     raise RuntimeError("Failed to evaluate") from ValueError("size must be positive")
        ... except RuntimeError as error:
        ...     print(plain_cause(error))
        size must be positive
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ValueError | OSError):
        cause = cause.__cause__
    return cause


def say_errors_plainly() -> None:
    """From now on a program that ends by an error of this package says its message and nothing else.

    That is, by an uncaught ValueError or OSError that has passed through this package, within whatever errors of MONAI.
    Others are printed as before; so are all where the environment has MONAI_DEBUG=1, with the message after it. A
    bundle begins with it.
    """
    if not (isinstance(sys.excepthook, partial) and sys.excepthook.func is _say):
        sys.excepthook = partial(_say, sys.excepthook)


def _say(before: Any, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    cause = plain_cause(error)
    package = __name__.partition(".")[0]
    ours = cause is not None and any(
        frame.f_globals.get("__name__", "").partition(".")[0] == package for frame, _ in walk_tb(cause.__traceback__)
    )
    if not ours or MONAIEnvVars.debug():
        before(kind, error, trace)
    if ours:
        sys.stderr.write(f"error: {cause}\n")
