# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the radii of a calibrated model hold what they promise, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from monai_gu2net.evaluation.coverage import summarize_coverage
from monai_gu2net.report.document import Part, Picture, Section
from monai_gu2net.report.tables import table_of, write_json
from monai_gu2net.uncertainty import Calibration
from monai_gu2net.visualize.pictures import save_figure
from monai_gu2net.visualize.reliability import draw_reliability

__all__ = ["coverage_section"]


def coverage_section(folder: Path, table: pd.DataFrame, calibrations: Mapping[str, Calibration]) -> list[Section]:
    """Tables of coverage and, where the calibrations are given, the plot; empty where nothing can be measured.

    Args:
        folder: the report's; ``coverage.json`` and ``coverage.png`` go there.
        table: of results, as evaluated.
        calibrations: by domain.
    """
    summaries = summarize_coverage(table)
    if summaries.empty or not summaries["count"].any():
        return []
    totals = summaries[summaries["landmark"].isna() & (summaries["count"] > 0)]
    content, by_landmark = [], []
    for total in totals.drop(columns="landmark").to_dict("records"):
        domain, unit = total["domain"], total["unit"]
        own = (summaries["domain"] == domain) & (summaries["unit"] == unit) & summaries["landmark"].notna()
        landmarks = summaries[own].set_index("landmark")["coverage"]
        content.append(total | {"landmarks": landmarks.to_dict()})
        shares = (100 * landmarks).reset_index()
        columns = {"Landmark": "{landmark}", "Within %": "{coverage:.1f}"}
        by_landmark.append(table_of(f"Coverage by landmark of {domain} ({unit})", shares, columns))
    write_json(folder / "coverage.json", content)
    percent = ["level", "coverage", "coverage_low", "coverage_high"]
    columns = {"Domain": "{domain}", "Unit": "{unit}", "Images": "{images}", "Landmarks": "{count}"}
    columns |= {"Promised %": "{level:g}", "Within %": "{coverage:.1f}"}
    columns |= {"95 % interval": "{coverage_low:.1f} to {coverage_high:.1f}"}
    columns |= {"Mean radius": "{radius_mean:.2f}", "Median radius": "{radius_median:.2f}"}
    shown = totals.assign(**{column: 100 * totals[column] for column in percent})
    parts: list[Part] = [table_of("Coverage of the radius", shown, columns)]
    if set(calibrations) & set(totals["domain"]):
        save_figure(draw_reliability(table, calibrations), folder / "coverage.png")
        parts.append(Picture("coverage.png", "Level achieved against level promised"))
    return [Section("Uncertainty", [*parts, *by_landmark])]
