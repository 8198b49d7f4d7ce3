# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Text and JSON as people and their programs save it."""

from __future__ import annotations

import codecs
import io
import json
import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

__all__ = ["check_fields", "read_json", "read_text"]

# the mark of UTF-32 begins as that of UTF-16 does
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NEAR = 0.4  # of difflib's ratio: "val" is near "validation" (0.46) and far from "name" (0.29)


def read_text(path: str | os.PathLike[str], *, newline: str | None = None) -> str:
    r"""The content of a text file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: the file.
        newline: as ``open`` takes it: by default lines end in "\n"; "" keeps their ends, as the csv module wants it.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no such text; the message names the file.
    """
    content = Path(path).read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline=newline).read()
        if "\0" in text:
            raise ValueError("zero bytes, as of UTF-16 without a byte order mark")
    except ValueError as error:
        raise ValueError(f"{path}: the file must be UTF-8 text; got {error}. Save it as UTF-8.") from error
    return text


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file; a name that stands in an object twice is refused, for one of the two would be lost.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no JSON, or a name is repeated.
    """
    return json.loads(read_text(path), object_pairs_hook=_without_repeats)


def check_fields(given: Iterable[object], allowed: Iterable[str], *, where: str) -> None:
    """Refuse the fields of a hand-written object that are not among the allowed ones, with those that are near.

    Args:
        given: names of the fields that are there.
        allowed: names of those that may be.
        where: what the object is, for the message.

    Raises:
        ValueError: a field is not known.

    Example:
        >>> check_fields(["test", "val"], ["test", "validation"], where="A datalist")
        Traceback (most recent call last):
        ...
        ValueError: A datalist must have fields among ['test', 'validation']; got ['val']. Did you mean 'validation'?
    """
    allowed = sorted(allowed)
    odd = sorted({str(field) for field in given} - set(allowed))
    if odd:
        near = [match for field in odd for match in get_close_matches(field, allowed, n=1, cutoff=_NEAR)]
        meant = " and ".join(map(repr, near))
        raise ValueError(
            f"{where} must have fields among {allowed}; got {odd}. "
            f"{f'Did you mean {meant}?' if near else 'Correct the spelling or take them out.'}"
        )


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"a name must stand in an object once; got {name!r} twice. Rename or remove one of them.")
        made[name] = value
    return made
