# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A folder of results without what an earlier run left there of the same, and whatever else people keep there."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from monai_gu2net.files.whole_file import noted_files, write_json_whole

__all__ = ["results_of_one_run"]

_log = logging.getLogger(__name__)
_LIST = ".monai_gu2net.results"
_SHOWN = 5


@contextmanager
def results_of_one_run(
    folder: str | os.PathLike[str], *, kind: str, answers_for: Callable[[str], bool] = lambda name: True
) -> Iterator[None]:
    """When the block has ended, what an earlier run wrote and this one did not is gone.

    So no overlay and no table of a case that is not among the new results looks as if it were. Only a file that an
    earlier run of the same kind wrote and nobody has changed since is removed, and that is said; one that was changed
    stays, and that is said too. Which these are, with a digest of each, is in ``.monai_gu2net.results``. A block that
    ends with an error removes nothing.

    Args:
        folder: of the results; files are noted as :func:`~monai_gu2net.files.whole_file` writes them, in any folder
            below.
        kind: of the run, such as "report": a report and a prediction may share a folder.
        answers_for: whether an earlier run's file, by its path in the folder, is of something that this run is about,
            also where it failed and nothing new was written; all others stay. By default every file is.
    """
    folder = Path(os.path.abspath(folder))
    noted = _noted(folder)
    earlier: dict[str, str] = noted.get(kind, {})
    with noted_files() as written:
        try:
            yield
        except BaseException:
            with suppress(OSError):  # the error of the run is the one to be seen
                _note(folder, noted | {kind: earlier | _digests(folder, written)})
            raise
    now = _digests(folder, written)
    others = {name: digest for name, digest in earlier.items() if name not in now and not answers_for(name)}
    _remove(folder, {name: digest for name, digest in earlier.items() if name not in now | others})
    if now or earlier:
        _note(folder, noted | {kind: others | now})


def _digests(folder: Path, written: set[Path]) -> dict[str, str]:
    """Of the files in the folder and below, by their paths in it."""
    own = {
        path.relative_to(folder).as_posix(): _digest(path) for path in sorted(written) if path.is_relative_to(folder)
    }
    return {name: digest for name, digest in own.items() if digest is not None}


def _note(folder: Path, noted: dict[str, Any]) -> None:
    write_json_whole(folder / _LIST, noted)


def _noted(folder: Path) -> dict[str, Any]:
    """Files and digests by kind, as far as the list can be read; a damaged one is none."""
    try:
        content = json.loads((folder / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = content if isinstance(content, dict) else {}
    return {kind: files for kind, files in found.items() if isinstance(files, dict)}


def _remove(folder: Path, files: dict[str, str]) -> None:
    removed, kept = [], []
    for name, digest in files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()) or path.is_symlink() or not path.is_file():
            continue
        if _digest(path) != digest:
            kept.append(name)
            continue
        path.unlink()
        removed.append(name)
        if path.parent != folder:
            with suppress(OSError):  # it holds other files
                path.parent.rmdir()
    for names, what in ((removed, "removed"), (kept, "changed since, and kept")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            shown = f"{', '.join(names[:_SHOWN])}{more}"
            _log.warning("%d file(s) of an earlier run in %s %s: %s", len(names), folder.name, what, shown)


def _digest(path: Path) -> str | None:
    """None: there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
