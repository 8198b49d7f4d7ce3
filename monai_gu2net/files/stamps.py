# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How one sees that a file, or what is in a folder, has changed."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Stamps", "stamps_of"]

Stamps = tuple[tuple[str, int, int], ...]
"""Path, time of the last change in ns and bytes of each file."""


def stamps_of(path: Path) -> Stamps:
    """What tells whether a file, or any file of a folder, has changed since.

    The time of a folder itself does not change when a file in it is written over.

    Args:
        path: a file, or a folder, whose own entries are looked at and not those of folders within.

    Returns:
        Of each entry, in the order of their names. Empty where nothing is there.
    """
    entries = sorted(path.iterdir()) if path.is_dir() else [path]
    statuses = [(str(entry), entry.stat()) for entry in entries if entry.exists()]
    return tuple((name, status.st_mtime_ns, status.st_size) for name, status in statuses)
