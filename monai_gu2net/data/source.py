# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which data a run works on."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from monai_gu2net.data.datalist import SPLITS, Datalist
from monai_gu2net.data.layouts import read_layout
from monai_gu2net.data.phantom import make_phantom

__all__ = ["open_data"]

_log = logging.getLogger(__name__)


def open_data(
    datalist: str | os.PathLike[str] | None = None,
    dataset_dir: str | os.PathLike[str] | None = None,
    *,
    domains: Sequence[str] | None = None,
    phantom_dir: str | os.PathLike[str],
) -> Datalist:
    """The datalist a run is given, by file or by folder; without either, the phantom's.

    Args:
        datalist: a datalist file; it goes before ``dataset_dir``.
        dataset_dir: a folder that holds ``datalist.json``, is one of the paper's dataset layouts, or has such
            folders in it, one a domain.
        domains: keep these domains alone; by default all that the data has.
        phantom_dir: where the phantom is drawn when neither is given.

    Raises:
        FileNotFoundError: a file or folder is not there, or images that the datalist names are not; all are listed.
        ValueError: the data breaks a rule or has none of the domains asked for.
    """
    if datalist is not None:
        data = Datalist.load(datalist)
    elif dataset_dir is not None:
        folder = Path(dataset_dir)
        if not folder.is_dir():
            raise FileNotFoundError(f"dataset_dir must be a folder; got {str(folder)!r}, which is not there. Correct the path.")
        own = folder / "datalist.json"
        data = Datalist.load(own) if own.is_file() else _from_layouts(folder)
    else:
        _log.info("No data given: drawing the phantom in %s", phantom_dir)
        data = Datalist.load(make_phantom(phantom_dir, domains=tuple(domains or ("head", "hand", "chest"))))
    if domains:
        data = data.only(domains)
    missing = [c["image"] for split in SPLITS for c in getattr(data, split) if not Path(c["image"]).is_file()]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise FileNotFoundError(
            f"Images of the datalist must be files; {len(missing)} are not there: {shown}. Correct their paths."
        )
    return data


def _from_layouts(folder: Path) -> Datalist:
    try:
        parts = [read_layout(folder)]
    except ValueError as error:
        parts = []
        for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
            try:
                parts.append(read_layout(inner))
            except ValueError:
                _log.info("%s has no known layout; passed over", inner.name)
        if not parts:
            raise error
    return Datalist(
        folder.resolve().name,
        {domain.name: domain for domain, _ in parts},
        *(sum((list(splits.get(split, [])) for _, splits in parts), []) for split in SPLITS),
    )
