# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of dataset folders that are known, and telling which one a folder is."""

from __future__ import annotations

import os
from pathlib import Path

from monai_gu2net.data.domain import Domain, ReferenceLength
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS, HAND_LANDMARKS, HEAD_LANDMARKS
from monai_gu2net.sources.folder_files import existing_folder
from monai_gu2net.sources.layouts import LAYOUTS
from monai_gu2net.sources.markups_folder import has_markups, markups_entries
from monai_gu2net.sources.paper_datasets import chest_entries, hand_entries, head_entries
from monai_gu2net.sources.reports_folder import has_reports, report_entries
from monai_gu2net.sources.source import Source
from monai_gu2net.sources.table_folder import TABLE_NAME, table_entries

__all__ = ["SOURCES", "recognize_layout"]

SOURCES: dict[str, Source] = {
    "head": Source(
        LAYOUTS["head"],
        lambda folder: (folder / "raw").is_dir() and any((folder / f"400_{a}").is_dir() for a in ("senior", "junior")),
        head_entries,
        domain=Domain("head", HEAD_LANDMARKS, (416, 512), ground_truth="mean of senior and junior"),
        official=True,
        empty="raw/ must hold annotated images; got none. Unpack the dataset there.",
    ),
    "hand": Source(
        LAYOUTS["hand"],
        lambda folder: (folder / "jpg").is_dir() and (folder / "all.csv").is_file(),
        hand_entries,
        domain=Domain(  # the ends of the wrist are 50 mm apart; the size is that of the authors' code
            "hand", HAND_LANDMARKS, (368, 512), reference=ReferenceLength(HAND_LANDMARKS[0], HAND_LANDMARKS[4], 50.0)
        ),
        training_share=609 / 909,
        empty="jpg/ must hold images whose ids stand in all.csv; got none. Unpack them there.",
    ),
    "chest": Source(
        LAYOUTS["chest"],
        lambda folder: (folder / "pngs").is_dir() and (folder / "labels").is_dir(),
        chest_entries,
        domain=Domain("chest", CHEST_LANDMARKS, (512, 512)),
        training_share=229 / 279,
        empty="pngs/ must hold images with a label; got none. Unpack the dataset there.",
    ),
    "table": Source(LAYOUTS["table"], lambda folder: (folder / TABLE_NAME).is_file(), table_entries, table=TABLE_NAME),
    "markups": Source(
        LAYOUTS["markups"],
        has_markups,
        markups_entries,
        empty="images must have markups of the same name; got none. Put them beside the images.",
    ),
    "sr": Source(LAYOUTS["sr"], has_reports, report_entries, opens_files=True),
}
"""The sources by layout. Another one is known as soon as it is in here."""


def recognize_layout(folder: str | os.PathLike[str]) -> str:
    """The layout of a dataset folder.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it looks like none of the layouts, or like several; the message shows them.
    """
    path = existing_folder(Path(folder))
    found: list[str] = []
    for layout, source in sorted(SOURCES.items(), key=lambda item: item[1].opens_files):
        if not (found and source.opens_files) and source.fits(path):
            found.append(layout)
    if len(found) != 1:
        shown = "; ".join(f"{layout}: {source.look}" for layout, source in SOURCES.items())
        raise ValueError(
            f"{path}: a dataset must have one of the layouts ({shown}); got "
            f"{' and '.join(found) or 'none of them'}. Name it with layout, or arrange the files."
        )
    return found[0]
