# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Plots of two or more compared result tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from monai_gu2net.evaluation.comparison import Comparison
from monai_gu2net.visualize.pictures import DPI

__all__ = ["draw_compared_curves", "draw_differences"]


def draw_compared_curves(comparison: Comparison, *, names: Sequence[str]) -> Figure:
    """Share of the compared landmarks whose error is at most r, against r: axes per domain, a curve per table.

    Args:
        comparison: from :func:`~monai_gu2net.evaluation.compare_rows`.
        names: of the two tables.

    Returns:
        The figure. Axes end at the larger 95 percent quantile of the found landmarks; a curve ends below 1 by
        the landmarks beyond it and those not found.
    """
    errors = {
        group: pairs[["error_a", "error_b"]].to_numpy()
        for group, pairs in comparison.pairs.groupby(["domain", "unit"], sort=False)
    }
    columns = min(2, len(errors))
    lines = -(-len(errors) // columns)
    figure = Figure(figsize=(5 * columns, 3.8 * lines), dpi=DPI, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, ((domain, unit), values) in zip(panels, errors.items(), strict=False):
        ordered = np.sort(values, axis=0).T
        ends = [np.quantile(found, 0.95) for column in ordered if (found := column[np.isfinite(column)]).size]
        end = float(max(ends, default=0)) or 1.0
        curves = []
        for column, dashes in zip(ordered, ("-", "--"), strict=True):
            steps = column[column <= end]
            shares = np.arange(len(steps) + 1) / len(column)
            curves += axes.step([0, *steps, end], [*shares, shares[-1]], where="post", linestyle=dashes)
        axes.set(xlim=(0, end), ylim=(0, 1), xlabel=f"radial error r ({unit})", ylabel="share of landmarks within r")
        axes.set_title(f"domain {domain}, n = {len(values)}", size=9, parse_math=False)
        axes.grid(alpha=0.3)
        axes.legend(curves, [name.replace("$", r"\$") for name in names], loc="lower right")
    for axes in panels[len(errors) :]:
        axes.set_axis_off()
    return figure


def draw_differences(summaries: pd.DataFrame, *, names: Sequence[str]) -> Figure:
    """Difference of the mean errors of each landmark of one domain, with its 95 percent interval.

    Args:
        summaries: of the landmarks of one domain, from :func:`~monai_gu2net.evaluation.compare_rows`. One whose
            difference is not known keeps its place.
        names: of the two tables.

    Returns:
        The figure; below the line at zero the second table is better.

    Raises:
        ValueError: there is no landmark, or they are of more than one domain or unit.
    """
    groups = sorted(set(zip(summaries["domain"], summaries["unit"], strict=True)))
    if len(groups) != 1:
        raise ValueError(f"Differences must be of one domain and unit; got {groups}. Select the summaries of one.")
    figure = Figure(figsize=(max(5.0, 1.2 + 0.32 * len(summaries)), 4.5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color="black", linewidth=0.8)
    for place, (low, high, middle) in enumerate(summaries[["low", "high", "difference"]].to_numpy(), start=1):
        colour = "#0072b2" if high < 0 else "#d55e00" if low > 0 else "#777777"
        if not math.isnan(low):
            axes.plot([place, place], [low, high], color=colour, linewidth=1.4)
        axes.plot([place], [middle], "o", color=colour, markersize=4)
    labels = [f"{name}  {number}" for number, name in enumerate(summaries["landmark"], start=1)]
    axes.set_xticks(range(1, len(labels) + 1), labels, rotation=90, size=7, parse_math=False)
    axes.set_xlim(0.3, len(labels) + 0.7)
    axes.set_ylabel(f"difference of MRE ({groups[0][1]}), 95 % interval")
    axes.grid(alpha=0.3, axis="y")
    axes.set_title(f"domain {groups[0][0]}: {names[1]} - {names[0]}, below 0 better", size=9, parse_math=False)
    return figure
