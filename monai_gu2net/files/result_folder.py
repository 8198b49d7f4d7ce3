# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder that takes results, known before they are worked out."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["writable_folder"]


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
