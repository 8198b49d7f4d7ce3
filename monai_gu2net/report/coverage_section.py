# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the radii of a calibrated model hold what they promise, as a section of a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from monai_gu2net.evaluation.coverage import summarize_coverage
from monai_gu2net.report.document import Part, Picture, Section, Table
from monai_gu2net.report.tables import decimal, interval, write_json
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
    totals = summaries[summaries["landmark"].isna() & (summaries["count"] > 0)]
    if totals.empty:
        return []
    content, lines, shares = [], [], []
    for total in totals.drop(columns="landmark").to_dict("records"):
        domain, unit, percent = total["domain"], total["unit"], 100 * total["coverage"]
        group = summaries[(summaries["domain"] == domain) & (summaries["unit"] == unit) & summaries["landmark"].notna()]
        landmarks = dict(zip(group["landmark"], group["coverage"], strict=True))
        content.append(total | {"landmarks": landmarks})
        cells = [domain, unit, str(total["images"]), str(total["count"]), f"{100 * total['level']:g}"]
        cells += [decimal(percent, 1), interval(100 * total["coverage_low"], 100 * total["coverage_high"], 1)]
        lines.append([*cells, decimal(total["radius_mean"], 2), decimal(total["radius_median"], 2)])
        of_landmarks = [[name, decimal(100 * share, 1)] for name, share in landmarks.items()]
        shares.append(Table(f"Coverage by landmark of {domain} ({unit})", ["Landmark", "Within %"], of_landmarks))
    write_json(folder / "coverage.json", content)
    header = ["Domain", "Unit", "Images", "Landmarks", "Promised %", "Within %", "95 % interval"]
    parts: list[Part] = [Table("Coverage of the radius", [*header, "Mean radius", "Median radius"], lines)]
    if set(calibrations) & set(totals["domain"]):
        save_figure(draw_reliability(table, calibrations), folder / "coverage.png")
        parts.append(Picture("coverage.png", "Level achieved against level promised"))
    return [Section("Uncertainty", [*parts, *shares])]
