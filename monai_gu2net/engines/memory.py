# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Keeping freed memory for the next training step."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library


def keep_freed_memory() -> bool:
    """Tell the C library to keep large blocks when they are freed, for this process.

    glibc gives every large tensor back to the kernel when it is freed and fetches it again at the next step;
    on a processor the page faults then take up to half of the time of a step. Kept memory is reused by the
    process and returned when it ends.

    Returns:
        Whether it was done; False where the C library is not glibc (macOS, Windows, musl).

    Source: mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_M_MMAP_THRESHOLD, 1 << 30))
