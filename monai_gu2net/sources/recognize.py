# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which layout a folder has, and reading it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from monai_gu2net.data.outside import ALLOWED_OUTSIDE, check_outside
from monai_gu2net.sources.chest_dataset import read_chest
from monai_gu2net.sources.hand_dataset import read_hand
from monai_gu2net.sources.head_dataset import Annotator, read_head
from monai_gu2net.sources.layouts import LAYOUTS
from monai_gu2net.sources.markups_folder import MARKUPS_EXTENSION, read_markups_folder
from monai_gu2net.sources.reports_folder import has_reports, read_reports_folder
from monai_gu2net.sources.source_case import Dataset, SpacingOption, existing_folder
from monai_gu2net.sources.table_folder import TABLE_NAME, read_table_folder

__all__ = ["Layout", "read_layout", "recognize_layout"]

Layout = Literal["head", "hand", "chest", "table", "markups", "sr"]

_READERS: dict[Layout, Callable[..., Dataset]] = {
    "head": read_head,
    "hand": read_hand,
    "chest": read_chest,
    "table": read_table_folder,
    "markups": read_markups_folder,
    "sr": read_reports_folder,
}


def recognize_layout(folder: str | os.PathLike[str]) -> Layout:
    """The layout of a dataset folder.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it looks like none of the layouts, or like several; the message shows them.
    """
    path = existing_folder(Path(folder))
    looks_like: dict[Layout, bool] = {
        "head": (path / "raw").is_dir() and any((path / f"400_{who}").is_dir() for who in ("senior", "junior")),
        "hand": (path / "jpg").is_dir() and (path / "all.csv").is_file(),
        "chest": (path / "pngs").is_dir() and (path / "labels").is_dir(),
        "table": (path / TABLE_NAME).is_file(),
        "markups": any(any(place.glob(f"*{MARKUPS_EXTENSION}")) for place in (path, path / "images")),
    }
    found = [layout for layout, fits in looks_like.items() if fits]
    if not found and has_reports(path):  # last, for it opens the files
        found = ["sr"]
    if len(found) != 1:
        shown = "; ".join(f"{layout}: {look}" for layout, look in LAYOUTS.items())
        raise ValueError(
            f"{path}: a dataset must have one of the layouts ({shown}); got "
            f"{' and '.join(found) or 'none of them'}. Name it with layout, or arrange the files."
        )
    return found[0]


def read_layout(
    folder: str | os.PathLike[str],
    *,
    layout: Layout | None = None,
    domain: str | None = None,
    landmarks: Sequence[str] | None = None,
    size: Sequence[int] | None = None,
    spacing: SpacingOption = "default",
    annotator: Annotator | None = None,
    test: int | float | None = None,
    test_cases: Sequence[str] | None = None,
    validation: int | float | None = None,
    seed: int = 0,
    drawn: bool | None = None,
    allow_outside: float = ALLOWED_OUTSIDE,
) -> Dataset:
    """Read a dataset folder of any of the layouts.

    Args:
        folder: the dataset.
        layout: one of :data:`LAYOUTS`; by default told from the folder.
        domain: name of the domain; by default the layout's (head, hand, chest) or the folder's.
        landmarks: names and order of the landmarks (table, markups, sr).
        size: the network's input size (width, height).
        spacing: "default": what the layout knows; "unknown"; or (sx, sy) mm per pixel of the image files.
        annotator: whose points are the ground truth (head).
        test: a count (int) or a fraction (float) for the test part (not head, whose split is official).
        test_cases: names of the cases of the test part, instead (not head).
        validation: a count (int) or a fraction (float) of the patients to hold out.
        seed: of the draw.
        drawn: draw the test part instead of taking it from the end of the order (hand, chest).
        allow_outside: share of the landmarks that may lie outside of their images, where they are absent.

    Returns:
        Its domain, its cases by split and what was left out. None stands for an absent landmark.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the layout is not recognized, does not take an option, its reader refuses a file, or too many
            landmarks lie outside of their images.
    """
    layout = recognize_layout(folder) if layout is None else layout
    if layout not in _READERS:
        raise ValueError(f"layout must be among {list(LAYOUTS)}; got {layout!r}. Leave it out to have it recognized.")
    wishes: dict[str, Any] = {
        "domain": domain,
        "landmarks": landmarks,
        "size": size,
        "annotator": annotator,
        "test": test,
        "test_cases": test_cases,
        "validation": validation,
        "drawn": drawn,
    }
    options = {name: value for name, value in wishes.items() if value is not None}
    reader = _READERS[layout]
    refused = [name for name in options if name not in inspect.signature(reader).parameters]
    if refused:
        raise ValueError(f"Options must be of use to the layout {layout!r}; got {refused}. Leave them out.")
    read = reader(folder, spacing=spacing, seed=seed, **options)
    check_outside([case for cases in read.splits.values() for case in cases], allow_outside=allow_outside)
    return read
