# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which way the landmarks of volumes err, as sections of a report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from monai_gu2net.evaluation.axis_errors import summarize_axis_errors
from monai_gu2net.evaluation.result_table import write_csv
from monai_gu2net.report.document import Section
from monai_gu2net.report.tables import table_of

__all__ = ["axis_sections"]

_NOTE = (
    "Found minus reference in mm along the axes of the patient: mean and standard deviation over the landmarks that "
    "are annotated and found. A mean above 0 is too far to the left, to the back, or up."
)


def axis_sections(folder: Path, table: pd.DataFrame) -> list[Section]:
    """Write ``axis_errors.csv``, and a section for each domain of volumes in mm; none where there is none.

    Args:
        folder: the report's.
        table: of results, in the files' own scale.
    """
    summaries = summarize_axis_errors(table)
    if summaries.empty:
        return []
    write_csv(folder / "axis_errors.csv", summaries)
    columns = {"Landmark": "{landmark}", "Found": "{count}"}
    for way in ("left", "back", "up"):
        columns |= {f"To the {way}" if way != "up" else "Up": f"{{{way}_mean:+.2f}}", f"SD {way}": f"{{{way}_std:.2f}}"}
    sections = []
    for domain, group in summaries.groupby("domain", sort=False):
        title = f"Directions of the errors of {domain} (mm)"
        named = group.assign(landmark=group["landmark"].fillna("all"))
        sections.append(Section(title, [table_of(title, named, columns), _NOTE]))
    return sections
