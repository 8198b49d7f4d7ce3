# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Axes that more than one plot has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from monai_gu2net.visualize.pictures import DPI

__all__ = ["draw_shares", "landmark_axes", "legend_names"]


def draw_shares(
    axes: Axes, errors: Iterable[ArrayLike], names: Sequence[str], *, unit: str, limit: float | None = None
) -> None:
    """Share of the landmarks whose error is at most r, against r, a curve for each name; inf: not found.

    The axes end at the limit, by default at the largest 95 percent quantile of a curve's found landmarks. A curve
    ends below 1 by the landmarks beyond it and those not found.
    """
    ordered = [np.sort(values) for values in errors]
    ends = [np.quantile(found, 0.95) for values in ordered if (found := values[np.isfinite(values)]).size]
    end = limit or float(max(ends, default=0)) or 1.0
    lines = []
    for values in ordered:
        steps = values[values <= end]
        shares = np.arange(len(steps) + 1) / len(values)
        lines += axes.step([0, *steps, end], [*shares, shares[-1]], where="post")
    axes.set(xlim=(0, end), ylim=(0, 1), xlabel=f"radial error r ({unit})", ylabel="share of landmarks within r")
    axes.grid(alpha=0.3)
    axes.legend(lines, legend_names(names), loc="lower right")


def landmark_axes(labels: Sequence[str], *, title: str, ylabel: str) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, in which each landmark has its place, numbered from 1."""
    figure = Figure(figsize=(max(5.0, 1.2 + 0.32 * len(labels)), 4.5), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    numbered = [f"{label}  {number}" for number, label in enumerate(labels, start=1)]
    axes.set_xticks(range(1, len(labels) + 1), numbered, rotation=90, size=7, parse_math=False)
    axes.set(xlim=(0.3, len(labels) + 0.7), ylabel=ylabel)
    axes.grid(alpha=0.3, axis="y")
    axes.set_title(title, size=9, parse_math=False)
    return figure, axes


def legend_names(names: Iterable[str]) -> list[str]:
    """Names for a legend, which reads "$" as mathematics."""
    return [name.replace("$", r"\$") for name in names]
