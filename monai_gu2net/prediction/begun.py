# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is in work, for those who come after a worker that died. Imports nothing, for it is a process of its own."""

from __future__ import annotations

from collections import Counter

__all__ = ["Begun"]


class Begun:
    """Counts what was begun and not ended, so that an image at which workers die is known to those after them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def begin(self, what: str) -> int:
        """How often it was begun before."""
        self._counts[what] += 1
        return self._counts[what] - 1

    def end(self, what: str) -> None:
        """It has ended."""
        self._counts.pop(what, None)
