# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the radii of a calibrated model hold what they promise, as a section of a report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gu2net.evaluation.coverage import summarize_coverage
from monai_gu2net.files import write_text_whole
from monai_gu2net.report.document import Part, Picture, Section, Table
from monai_gu2net.report.tables import decimal, jsonable
from monai_gu2net.uncertainty import Calibration
from monai_gu2net.visualize.pictures import save_figure
from monai_gu2net.visualize.reliability import draw_reliability

__all__ = ["coverage_section"]


def coverage_section(
    folder: Path, rows: Sequence[Mapping[str, Any]], calibrations: Mapping[str, Calibration]
) -> list[Section]:
    """Tables of coverage and, where the calibrations are given, the plot; empty where nothing can be measured.

    Args:
        folder: the report's; ``coverage.json`` and ``coverage.png`` go there.
        rows: as evaluated.
        calibrations: by domain.
    """
    summaries = [summary for summary in summarize_coverage(rows) if summary["count"]]
    if not summaries:
        return []
    text = json.dumps([jsonable(summary) for summary in summaries], indent=2, ensure_ascii=False, allow_nan=False)
    write_text_whole(folder / "coverage.json", text + "\n")
    header = ["Domain", "Unit", "Images", "Landmarks", "Promised %", "Within %", "95 % interval"]
    header += ["Mean radius", "Median radius"]
    lines = []
    for summary in summaries:
        low, high = 100 * summary["coverage_low"], 100 * summary["coverage_high"]
        lines.append(
            [
                summary["domain"],
                summary["unit"],
                str(summary["images"]),
                str(summary["count"]),
                f"{100 * summary['level']:g}",
                decimal(100 * summary["coverage"], 1),
                "-" if math.isnan(low) else f"{decimal(low, 1)} to {decimal(high, 1)}",
                decimal(summary["radius_mean"], 2),
                decimal(summary["radius_median"], 2),
            ]
        )
    parts: list[Part] = [Table("Coverage of the radius", header, lines)]
    if set(calibrations) & {summary["domain"] for summary in summaries}:
        save_figure(draw_reliability(rows, calibrations), folder / "coverage.png")
        parts.append(Picture("coverage.png", "Level achieved against level promised"))
    for summary in summaries:
        shares = [[name, decimal(100 * share, 1)] for name, share in summary["landmarks"].items()]
        title = f"Coverage by landmark of {summary['domain']} ({summary['unit']})"
        parts.append(Table(title, ["Landmark", "Within %"], shares))
    return [Section("Uncertainty", parts)]
