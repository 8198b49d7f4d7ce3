# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which way the landmarks of volumes err."""

from __future__ import annotations

import pandas as pd

from monai_gu2net.evaluation.result_table import Rows, parts, result_table

__all__ = ["summarize_axis_errors"]


def summarize_axis_errors(rows: Rows) -> pd.DataFrame:
    """Differences between found and reference landmarks of volumes along the axes of the patient.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`. Those without LPS millimetres are left out: pictures,
            and volumes whose scale is not known.

    Returns:
        A table with, per domain first one row of all its landmarks, then one of each in the order of the rows:
        ``domain``, ``unit``, ``landmark`` (missing: all of them), ``count`` of the landmarks found and annotated;
        ``left_mean``, ``left_std``, ``back_mean``, ``back_std``, ``up_mean`` and ``up_std`` in mm: mean (found minus
        reference, positive to the left, to the back and upwards) and population standard deviation, NaN of none. Empty
        where no domain has any.
    """
    table = result_table(rows)
    pairs = [(f"predicted_{axis}_lps_mm", f"reference_{axis}_lps_mm") for axis in "xyz"]
    if not {column for pair in pairs for column in pair} <= set(table):
        return pd.DataFrame()
    ways = ("left", "back", "up")
    apart = table.assign(**{way: table[found] - table[truth] for way, (found, truth) in zip(ways, pairs, strict=True)})
    known = apart[list(ways)].notna().all(axis=1)
    # a landmark that is nowhere found keeps its place, as in the tables beside this one
    apart = apart[known.groupby([apart["domain"], apart["unit"]]).transform("any")]
    summaries = []
    for domain, unit, landmark, every in parts(apart):
        group = every.dropna(subset=list(ways))
        summary = {"domain": domain, "unit": unit, "landmark": landmark, "count": len(group)}
        for way in ways:
            summary |= {f"{way}_mean": group[way].mean(), f"{way}_std": group[way].std(ddof=0)}
        summaries.append(summary)
    return pd.DataFrame(summaries)
