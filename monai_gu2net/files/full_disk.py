# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Telling a disk that takes nothing any more from a fault of one file."""

from __future__ import annotations

import errno

__all__ = ["full_disk"]

_TAKES_NOTHING = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EROFS") if hasattr(errno, name)}


def full_disk(error: BaseException) -> OSError | None:
    """The error, or the one that it came from, that says that the disk is full or read-only; None: none does.

    What cannot be written then is no case's fault, nor would the next one's file be taken.

    Example:
        >>> str(full_disk(OSError(28, "No space left on device")))
        '[Errno 28] No space left on device'
        >>> full_disk(FileNotFoundError(2, "No such file or directory")) is None
        True
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _TAKES_NOTHING:
            return seen
        seen = seen.__cause__
    return None
