# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Copies of objects in files of their own, for as long as they are needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from monai_gu2net.dicom import Limits
from monai_gu2net.files import copy_whole
from monai_gu2net.files.places import file_system

__all__ = ["fetch", "scratch_folder"]


def fetch(uri: str, folder: Path, *, limit: int = Limits().file_bytes) -> Path:
    """Copy an object into a folder, which is made, under its own name.

    Args:
        uri: of the object, as fsspec knows it.
        folder: a new one.
        limit: bytes that an image may have.

    Returns:
        The file.

    Raises:
        ValueError: it has more bytes.
        Exception: of any kind, from fsspec's file system.
    """
    system, path = file_system(uri)
    folder.mkdir()
    name = PurePosixPath(uri.partition("::")[0].partition("?")[0]).name[-100:] or "image"
    with system.open(path, "rb") as source:
        return copy_whole(source, folder / name, limit=limit)


def scratch_folder(results: str, run: str) -> Path:
    """A folder on this machine for the copies of one run; what killed runs of the same results left there is removed.

    Args:
        results: where the results go; there is one run for them at a time.
        run: a name of the run's own.

    Raises:
        OSError: the folder is another user's, or cannot be made.
    """
    root = Path(tempfile.gettempdir()) / f"monai_gu2net_{hashlib.sha256(results.encode()).hexdigest()[:16]}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.is_symlink() or (hasattr(os, "getuid") and root.stat().st_uid != os.getuid()):
        raise OSError(
            f"The folder for copies of images must be this user's; got {str(root)!r}. Remove it, or set TMPDIR."
        )
    for earlier in root.iterdir():
        if earlier.name != run:
            shutil.rmtree(earlier, ignore_errors=True)
    folder = root / run
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
