# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether levels were taken for each other, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from monai_gu2net.report.document import Part, Section
from monai_gu2net.report.tables import table_of

__all__ = ["shift_section"]

_NOTE = (
    "A level, such as a vertebra, is shifted where the mean of its found landmarks lies nearer to the reference mean "
    "of another level than to its own. Share: percent of the images with any level shifted, with the 95 % percentile "
    "bootstrap over images. Not found: levels of which no annotated landmark was found."
)


def shift_section(summaries: Mapping[str, pd.DataFrame]) -> list[Section]:
    """A table for each of the summaries that has anything to say.

    Args:
        summaries: by what they show, see :func:`~monai_gu2net.evaluation.summarize_shifts`.
    """
    columns = {"Domain": "{domain}", "Images": "{images}", "With any shifted": "{shifted_images}"}
    columns |= {"Share %": "{share:.1f}", "95 % interval": "{share_low:.1f} to {share_high:.1f}"}
    columns |= {"Levels": "{levels}", "Shifted levels": "{shifted_levels}", "Not found": "{not_found}"}
    parts: list[Part] = [table_of(title, of, columns) for title, of in summaries.items() if not of.empty]
    return [Section("Shifted levels", [*parts, _NOTE])] if parts else []
