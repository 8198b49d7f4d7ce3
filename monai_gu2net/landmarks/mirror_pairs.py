# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which landmarks change places in a mirrored image, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["mirror_pairs"]

_WORDS = {"left": "right", "l": "r", "tl": "tr", "bl": "br", "ul": "ur", "ll": "lr"}
_WORD = re.compile(r"[A-Za-z]+")


def mirror_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of names that differ in left and right only.

    Left and right are the words left and right, l and r, and the corners tl and tr, bl and br, ul and ur, ll and lr, in
    capitals or not; a word ends where another character than a letter stands.

    Args:
        names: of a domain's landmarks.

    Returns:
        (left, right), in the order of the left ones.

    Example:
        >>> mirror_pairs(["L_apex", "carina", "R_apex", "T1-tl", "T1-tr", "left_only"])
        (('L_apex', 'R_apex'), ('T1-tl', 'T1-tr'))
    """
    pairs = ((name, next((each for each in _partners(name) if each in names), None)) for name in names)
    return tuple((left, right) for left, right in pairs if right is not None)


def _partners(name: str) -> Iterator[str]:
    """The name with all words of the left replaced, then with each alone, for the L of L1 may be a vertebra's."""
    everywhere = _WORD.sub(_right, name)
    if everywhere != name:
        yield everywhere
    for word in _WORD.finditer(name):
        alone = name[: word.start()] + _right(word) + name[word.end() :]
        if alone != name:
            yield alone


def _right(match: re.Match[str]) -> str:
    """The word of the right for one of the left, in its case; any other as it is."""
    word = match[0]
    other = _WORDS.get(word.lower(), word)
    return other.upper() if word.isupper() else other.capitalize() if word.istitle() else other
