# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Paths on their way through MONAI's configurations, where "#", "@", "%" and "$" have a meaning of their own."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["check_not_rewritten", "config_value"]


def config_value(path: str | os.PathLike[str]) -> str:
    r"""A path as a value of a configuration, which MONAI (1.6) hands on as it is.

    With a character that MONAI would take for its own, such as "#", for which it writes "::", the value is an
    expression without that character.

    Example:
        >>> config_value("/data/a.json"), config_value("/data/#1/a.json")
        ('/data/a.json', "$'/data/\\x231/a.json'")
    """
    text = os.fspath(path)
    if not set(text) & set("#@%$"):
        return text
    literal = ascii(text)
    for character in "#@%$":
        literal = literal.replace(character, rf"\x{ord(character):02x}")
    return f"${literal}"


def check_not_rewritten(**paths: str | os.PathLike[str] | None) -> None:
    """Refuse paths that a "#" has been rewritten in, before anything is written to them.

    Args:
        paths: by the name of the option; None where it is not given.

    Raises:
        ValueError: one has "::" and is not there.
    """
    for option, path in paths.items():
        if path is not None and "::" in os.fspath(path) and not Path(path).exists():
            raise ValueError(
                f"{option} must be a path without '#', for which MONAI's configuration writes '::'; got "
                f"{os.fspath(path)!r}, which is not there. Rename the folder, or give "
                f"--{option} \"{config_value(os.fspath(path).replace('::', '#'))}\"; if '::' is meant, make it first."
            )
