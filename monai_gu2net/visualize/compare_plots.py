# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Plots of two or more compared result tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from monai_gu2net.evaluation.comparison import Comparison
from monai_gu2net.visualize.axes import draw_shares, landmark_axes
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
        axes.set_prop_cycle(color=["tab:blue", "tab:orange"], linestyle=["-", "--"])
        draw_shares(axes, values.T, names, unit=unit)
        axes.set_title(f"domain {domain}, n = {len(values)}", size=9, parse_math=False)
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
    (domain, unit), (first, second) = groups[0], names
    figure, axes = landmark_axes(
        list(summaries["landmark"]),
        title=f"domain {domain}: {second} - {first}, below 0 better",
        ylabel=f"difference of MRE ({unit}), 95 % interval",
    )
    axes.axhline(0, color="black", linewidth=0.8)
    for place, (low, high, middle) in enumerate(summaries[["low", "high", "difference"]].to_numpy(), start=1):
        colour = "#0072b2" if high < 0 else "#d55e00" if low > 0 else "#777777"
        if not math.isnan(low):
            axes.plot([place, place], [low, high], color=colour, linewidth=1.4)
        axes.plot([place], [middle], "o", color=colour, markersize=4)
    return figure
