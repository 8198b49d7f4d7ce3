# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Keeping what pydicom says about foreign data, values of tags among it, from being shown."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["silent_pydicom"]


@contextmanager
def silent_pydicom() -> Iterator[None]:
    """Within it, pydicom neither warns nor logs: both quote values, a patient's name among them."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
