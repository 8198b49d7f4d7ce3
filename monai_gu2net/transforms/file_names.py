# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the files of a case are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable

__all__ = ["FileNames", "case_part", "file_name"]

_LONGEST = 120  # endings and a number come on top; file systems take 255 bytes


def file_name(case: str) -> str:
    """A case's name with everything but letters, digits, '.', '_' and '-' replaced.

    A dot at its beginning is replaced too, and that before the first half of an ending of two parts (".mrk.json"), for
    the file of another case would have the same name.
    """
    name = re.sub(r"[^\w.-]|^\.+", "_", case, flags=re.ASCII)[:_LONGEST] or "_"
    return re.sub(r"\.(mrk|sr|text|pr|sc)$", r"_\1", name, flags=re.IGNORECASE)


def case_part(file: str) -> str:
    """The part of a result file's name that :func:`file_name` made of the case, which never ends as a format does.

    Example:
        >>> [case_part(name) for name in ("PAT.001.png", "PAT.001.mrk.json", "PAT.001.sr.dcm")]
        ['PAT.001', 'PAT.001', 'PAT.001']
    """
    return re.sub(r"(\.(mrk|sr|text|pr|sc))?\.\w+$", "", file, flags=re.IGNORECASE | re.ASCII)


class FileNames:
    """File names of the cases of one run, without ending, each of a case's own.

    Names that would be the same, as those of the cases "a b" and "a_b", get a number, in the order in which they are
    asked for first. Capitals make no difference, for to some file systems they are none.

    Args:
        reserved: names that no case may have, because the run writes other files under them.

    Example:
        >>> names = FileNames(reserved=("landmarks",))
        >>> [names(("head", case)) for case in ("a b", "a_b", "A b", "a b", "landmarks")]
        ['a_b', 'a_b~2', 'A_b~3', 'a_b', 'landmarks~2']
    """

    def __init__(self, *, reserved: Collection[str] = ()) -> None:
        self._names: dict[Hashable, str] = {}
        self._taken = {name.casefold() for name in reserved}

    def __call__(self, key: tuple[str, str]) -> str:
        """The name of a case, given as (domain, case); the same at every call."""
        if key not in self._names:
            stem = name = file_name(key[1])
            number = 1
            while name.casefold() in self._taken:
                number += 1
                name = f"{stem}~{number}"
            self._taken.add(name.casefold())
            self._names[key] = name
        return self._names[key]
