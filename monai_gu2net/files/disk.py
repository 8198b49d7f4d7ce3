# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a folder takes files: before results are worked out, and where they cannot be written."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

__all__ = ["full_disk", "writable_folder"]

_TAKES_NOTHING = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EROFS") if hasattr(errno, name)}


def full_disk(error: BaseException) -> OSError | None:
    """The error, or the one that it came from, that says that the disk is full or read-only; None: none does.

    What cannot be written then is no case's fault, nor would the next one's file be taken.

    Example:
        >>> str(full_disk(OSError(28, "No space left on device")))
        '[Errno 28] No space left on device'
        >>> full_disk(FileNotFoundError(2, "No such file or directory")) is None
        True
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _TAKES_NOTHING:
            return seen
        seen = seen.__cause__
    return None


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, and see that it takes files.

    Raises:
        OSError: it does not: a file is in its way, it is read-only, or the disk is full.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        raise OSError(
            f"The folder of the results must take files; got {str(folder)!r}: {error.strerror or error}. "
            "Choose another one, or mend that."
        ) from error
    return folder
