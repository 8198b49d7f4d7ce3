# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the radii of a calibrated model hold what they promise."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monai_gu2net.files import write_text_whole
from monai_gu2net.metrics.conformal import RADIUS_LEVEL, Calibration
from monai_gu2net.visualize.document import Part, Picture, Section, Table
from monai_gu2net.visualize.pictures import DPI, save_figure
from monai_gu2net.visualize.rows import checked_rows
from monai_gu2net.visualize.summary import bootstrap_mean_interval
from monai_gu2net.visualize.tables import decimal, jsonable

__all__ = ["coverage_section", "draw_reliability", "radii_px", "summarize_coverage"]


def summarize_coverage(rows: Iterable[Mapping[str, Any]], *, seed: int = 0) -> list[dict[str, Any]]:
    """How often the reference lies within the radius about the prediction, by domain.

    Args:
        rows: see :func:`~monai_gu2net.visualize.checked_rows`; those of domains without any radius are left out.
        seed: of the bootstrap.

    Returns:
        Per domain and unit: ``domain``, ``unit``, ``level`` (0.9, what was promised), ``images`` and ``count`` of the
        annotated landmarks, ``coverage`` (fraction of them within the radius, <=; one not found is outside),
        ``coverage_low``, ``coverage_high`` (95 % bootstrap interval over images), ``radius_mean``, ``radius_median``
        in the unit, and ``landmarks``, name -> coverage. NaN: nothing to measure.
    """
    summaries = []
    for (domain, unit), group in _calibrated(rows).items():
        by_case: dict[str, list[float]] = {}
        by_landmark: dict[str, list[float]] = {row["landmark"]: [] for row in group}
        measured = [row for row in group if not math.isnan(row["error"])]
        for row in measured:
            within = float(row["error"] <= row["radius"])
            by_case.setdefault(row["case"], []).append(within)
            by_landmark[row["landmark"]].append(within)
        low, high = bootstrap_mean_interval(list(by_case.values()), seed=seed)
        radii = [row["radius"] for row in measured if math.isfinite(row["radius"])]
        summaries.append(
            {
                "domain": domain,
                "unit": unit,
                "level": RADIUS_LEVEL,
                "images": len(by_case),
                "count": len(measured),
                "coverage": _mean([value for values in by_case.values() for value in values]),
                "coverage_low": low,
                "coverage_high": high,
                "radius_mean": _mean(radii),
                "radius_median": float(np.median(radii)) if radii else math.nan,
                "landmarks": {name: _mean(values) for name, values in by_landmark.items()},
            }
        )
    return summaries


def draw_reliability(rows: Iterable[Mapping[str, Any]], calibrations: Mapping[str, Calibration]) -> Figure:
    """Share of the landmarks within the radius of each level, against the level; one curve per domain and unit.

    Args:
        rows: see :func:`~monai_gu2net.visualize.checked_rows`, with the radii of the level 0.9.
        calibrations: by domain, those that the radii come from.

    Returns:
        The figure; on the diagonal, the radii hold what they promise.
    """
    figure = Figure(figsize=(5, 4.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    lines, names = [], []
    for (domain, unit), group in _calibrated(rows).items():
        measured = [row for row in group if not math.isnan(row["error"])]
        quantiles = calibrations[domain].quantiles if domain in calibrations else {}
        if not measured or RADIUS_LEVEL not in quantiles:
            continue
        errors, radii = (np.array([row[column] for row in measured]) for column in ("error", "radius"))
        # the radii of all levels differ by the quantiles alone
        shares = [
            float(np.mean(errors <= radii * quantile / quantiles[RADIUS_LEVEL])) for quantile in quantiles.values()
        ]
        lines += axes.plot(list(quantiles), shares, marker=".")
        names.append(f"domain {domain} ({unit}), n = {len(measured)}".replace("$", r"\$"))
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="level promised", ylabel="share of landmarks within the radius")
    axes.grid(alpha=0.3)
    axes.legend(lines, names, loc="upper left")
    return figure


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


def radii_px(rows: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Half axes (N, 2) of the radii in pixels of the image file, x first; NaN where a row has no radius."""
    lengths = []
    for row in rows:
        radius = row.get("radius", math.nan)
        steps = [row.get(f"spacing_{axis}", math.nan) if row["unit"] == "mm" else 1.0 for axis in "xy"]
        lengths.append([radius / step for step in steps])
    return np.array(lengths, dtype=np.float64).reshape(-1, 2)


def _calibrated(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rows by domain and unit, of those where any landmark has a radius."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in checked_rows(rows):
        groups.setdefault((row["domain"], row["unit"]), []).append(row)
    return {key: group for key, group in groups.items() if any(math.isfinite(row["radius"]) for row in group)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
