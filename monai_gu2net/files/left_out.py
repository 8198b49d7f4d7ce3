# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What was read and not taken, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

__all__ = ["LeftOut", "left_out_lines"]

_SHOWN = 10


@dataclass(frozen=True)
class LeftOut:
    """One thing that a reader found and did not take.

    Args:
        what: its kind, a singular noun such as "image", "line", "report", "annotation", "landmark".
        name: what people find it by: a file's name, "landmarks.csv line 7", "case 12: sella".
        reason: why, as the end of the sentence "1 image is left out: ...", such as "it has no line in landmarks.csv".
    """

    what: str
    name: str
    reason: str

    def within(self, folder: str) -> LeftOut:
        """The same, found by the name of its folder as well."""
        return replace(self, name=f"{folder}/{self.name}")


def left_out_lines(items: Iterable[LeftOut]) -> list[str]:
    """A counted line for each kind and reason, in the order in which they came up, with the first names.

    Example:
        >>> left_out_lines([LeftOut("image", "a.png", "no landmarks"), LeftOut("image", "b.png", "no landmarks")])
        ['2 image(s) left out, no landmarks: a.png, b.png']
    """
    names: dict[tuple[str, str], list[str]] = {}
    for item in items:
        names.setdefault((item.what, item.reason), []).append(item.name)
    return [
        f"{len(of)} {what}(s) left out, {reason}: {', '.join(of[:_SHOWN])}"
        + (f" and {len(of) - _SHOWN} more" if len(of) > _SHOWN else "")
        for (what, reason), of in names.items()
    ]
