# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether levels were taken for each other, as a section of a report."""

from __future__ import annotations

import pandas as pd

from monai_gu2net.report.document import Section
from monai_gu2net.report.tables import table_of, with_and_without_doubtful

__all__ = ["shift_section"]

_NOTE = (
    "A level, such as a vertebra, is shifted where the mean of its found landmarks lies nearer to the reference mean "
    "of another level than to its own. Share: percent of the images with any level shifted, with its exact 95 % "
    "interval (Clopper and Pearson). Not found: levels of which no annotated landmark was found."
)


def shift_section(shifts: pd.DataFrame, without_doubtful: pd.DataFrame) -> list[Section]:
    """A line per domain, and one more where the data names landmarks in doubt; none where no domain has levels.

    Args:
        shifts: see :func:`~monai_gu2net.evaluation.summarize_shifts`.
        without_doubtful: the same without landmarks in doubt.
    """
    columns = {"Domain": "{domain}", "Images": "{images}", "With any shifted": "{shifted_images}"}
    columns |= {"Share %": "{share:.1f}", "95 % interval": "{share_low:.1f} to {share_high:.1f}"}
    columns |= {"Levels": "{levels}", "Shifted levels": "{shifted_levels}", "Not found": "{not_found}"}
    if shifts.empty:
        return []
    table = table_of("Shifted levels", with_and_without_doubtful(shifts, without_doubtful), columns)
    return [Section("Shifted levels", [table, _NOTE])]
