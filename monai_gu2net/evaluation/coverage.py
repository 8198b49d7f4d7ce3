# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the radii of a calibrated model hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monai_gu2net.evaluation.result_table import Rows, in_space, parts, result_table
from monai_gu2net.evaluation.summary import bootstrap_mean_interval
from monai_gu2net.uncertainty import RADIUS_LEVEL

__all__ = ["calibrated", "radii_px", "summarize_coverage"]


def summarize_coverage(rows: Rows) -> pd.DataFrame:
    """How often the reference lies within the radius about the prediction, by domain and by landmark.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`; those of domains without any radius are left out.

    Returns:
        A table with, per domain and unit, first one row of all its landmarks, then one of each: ``domain``, ``unit``,
        ``landmark`` (missing: all of them), ``level`` (0.9, what was promised), ``images`` and ``count`` of the
        annotated landmarks, ``coverage`` (fraction of them within the radius, <=; one not found is outside),
        ``coverage_low``, ``coverage_high`` (95 % bootstrap interval over images), ``radius_mean``, ``radius_median``
        in the unit. NaN: nothing to measure. Empty where no domain has a radius.
    """
    summaries = []
    for domain, unit, landmark, group in parts(calibrated(rows)):
        measured = group[group["error"].notna()]
        within = (measured["error"] <= measured["radius"]).astype(float)
        by_case = within.groupby(measured["case"], sort=False).agg(list)
        low, high = bootstrap_mean_interval(by_case)
        radii = measured.loc[np.isfinite(measured["radius"]), "radius"].tolist()
        summaries.append(
            {
                "domain": domain,
                "unit": unit,
                "landmark": landmark,
                "level": RADIUS_LEVEL,
                "images": len(by_case),
                "count": len(measured),
                "coverage": within.mean(),
                "coverage_low": low,
                "coverage_high": high,
                "radius_mean": sum(radii) / len(radii) if radii else math.nan,
                "radius_median": float(np.median(radii)) if radii else math.nan,
            }
        )
    return pd.DataFrame(summaries)


def radii_px(rows: Rows) -> NDArray[np.float64]:
    """Half axes (N, D) of the radii in pixels of the image file, x first; NaN where a row has no radius.

    D is 3 where the rows are of volumes.
    """
    given = pd.DataFrame(rows)
    spacing = [f"spacing_{axis}" for axis in ("xyz" if in_space(given) else "xy")]
    table = given.reindex(columns=["unit", "radius", *spacing])
    steps = table[spacing].astype(float).where(table["unit"] == "mm", 1.0)
    return table[["radius"]].to_numpy(float) / steps.to_numpy()


def calibrated(rows: Rows) -> pd.DataFrame:
    """The rows of those domains and units in which any landmark has a radius."""
    table = result_table(rows)
    has_radius = np.isfinite(table["radius"]).groupby([table["domain"], table["unit"]]).transform("any")
    return table[has_radius]
