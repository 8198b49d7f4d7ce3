# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

__all__ = [
    "copy_whole",
    "flush_to_disk",
    "noted_files",
    "remove_half_written",
    "whole_file",
    "write_bytes_whole",
    "write_durably",
    "write_json_whole",
    "write_text_whole",
]

_PIECE = 2**20
_NOTED: ContextVar[tuple[set[Path], ...]] = ContextVar("noted", default=())


@contextmanager
def whole_file(path: str | os.PathLike[str], *, make_folder: bool = True) -> Iterator[Path]:
    """A temporary path to write to, which takes the place of a file when the block ends without an error.

    No reader sees half of the file, an interrupted writer leaves the earlier one, and of several writers of the same
    file, threads and processes alike, the last one wins, for each has a temporary name of its own. That name is
    hidden, ends in ".part", and is gone afterwards.

    Args:
        path: the file.
        make_folder: whether a folder that is not there is made, or is an error.

    Raises:
        OSError: it cannot be written, or the path is that of a folder or of a device, which is not to be replaced.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with whole_file(folder / "a.txt") as part:
        ...     _ = part.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['a.txt']
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise OSError(f"The file to write must be one; got {str(path)!r}, a folder or a device. Choose another name.")
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield temporary
        os.replace(temporary, path)
        for noted in _NOTED.get():
            noted.add(Path(os.path.abspath(path)))
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def noted_files() -> Iterator[set[Path]]:
    """The absolute paths of the files that :func:`whole_file` writes as long as the block lasts.

    They are those of this thread, and of others that run in a copy of its context.
    """
    noted: set[Path] = set()
    token = _NOTED.set((*_NOTED.get(), noted))
    try:
        yield noted
    finally:
        _NOTED.reset(token)


def remove_half_written(folder: str | os.PathLike[str]) -> None:
    """Remove what writers that were killed left in a folder, in which nobody writes now."""
    for path in Path(folder).glob(".*.part"):
        path.unlink(missing_ok=True)


def write_text_whole(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file in UTF-8 as :func:`whole_file` does, and return its path."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def write_json_whole(path: str | os.PathLike[str], content: Any) -> Path:
    """Write JSON as :func:`whole_file` does, and return the file's path; NaN and infinity are errors."""
    return write_text_whole(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_bytes_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write bytes as :func:`whole_file` does, and return the file's path."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def copy_whole(source: IO[bytes], path: str | os.PathLike[str], *, limit: int) -> Path:
    """Copy what a stream gives to a file, see :func:`whole_file`.

    Args:
        source: it is read to its end.
        path: the file.
        limit: bytes that it may have.

    Raises:
        ValueError: it has more.
    """
    path, copied = Path(path), 0
    with whole_file(path) as part, part.open("wb") as target:
        while piece := source.read(_PIECE):
            copied += len(piece)
            if copied > limit:
                raise ValueError(f"{path.name} must have at most {limit:,} bytes; got more. Check what it is.")
            target.write(piece)
    return path


def write_durably(path: str | os.PathLike[str], content: bytes, *, mode: int = 0o600) -> Path:
    """Write bytes as :func:`whole_file` does, and be on the disk itself when this returns, so that no crash takes them.

    A folder that is not there is an error: it may be on a disk that is away.

    Args:
        path: the file.
        content: of it.
        mode: who may read it; by default its owner alone.
    """
    binary = getattr(os, "O_BINARY", 0)  # Windows
    with (
        whole_file(path, make_folder=False) as temporary,
        open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode), "wb") as file,
    ):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    flush_to_disk(Path(path).parent)
    return Path(path)


def flush_to_disk(path: Path) -> None:
    """Flush a file, or which files a folder has, to the disk; Windows opens no folder, and flushes no file to read."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
