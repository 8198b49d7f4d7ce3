# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Curves and plots of errors and of training."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray

from monai_gu2net.evaluation.result_table import Rows, result_table
from monai_gu2net.files import original_cell
from monai_gu2net.visualize.axes import draw_shares, landmark_axes, legend_names
from monai_gu2net.visualize.pictures import DPI

__all__ = ["draw_cumulative_errors", "draw_landmark_errors", "draw_learning_curve"]


def draw_cumulative_errors(rows: Rows, *, limit: float | None = None) -> Figure:
    """Share of the annotated landmarks whose error is at most r, against r, one curve per domain.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`. Each unit has axes of its own.
        limit: largest r shown; by default the largest 95 percent quantile of a domain's found landmarks. A
            curve ends below 1 by the landmarks beyond it and those not found.

    Returns:
        The figure.

    Raises:
        ValueError: no landmark is annotated.
    """
    errors = {
        unit: {domain: of_domain["error"].to_numpy() for domain, of_domain in group.groupby("domain", sort=False)}
        for unit, group in _measured(rows).groupby("unit", sort=False)
    }
    figure = Figure(figsize=(5.5 * len(errors), 4), dpi=DPI, layout="constrained")
    for axes, (unit, domains) in zip(figure.subplots(1, len(errors), squeeze=False)[0], errors.items(), strict=True):
        names = [f"domain {domain}, n = {len(values)}" for domain, values in domains.items()]
        draw_shares(axes, list(domains.values()), names, unit=unit, limit=limit)
    return figure


def draw_landmark_errors(rows: Rows) -> Figure:
    """Box plot of each landmark's errors in one domain, in the order of the rows.

    A box has the quartiles and the median of the found landmarks, whiskers of at most 1.5 box lengths, and
    dots beyond. Errors far beyond all whiskers are triangles at the upper edge, so that a gross error does
    not flatten the boxes. Landmarks not found are counted beside the name.

    Args:
        rows: of one domain and unit, see :func:`~monai_gu2net.evaluation.result_table`.

    Returns:
        The figure.

    Raises:
        ValueError: the rows are of more than one domain or unit, or no landmark is annotated.
    """
    table = result_table(rows)
    groups = sorted(set(zip(table["domain"], table["unit"], strict=True)))
    if len(groups) > 1:
        raise ValueError(f"Errors by landmark must be of one domain and unit; got {groups}. Select the rows of one.")
    # One that is nowhere annotated keeps its place, so that the numbers are those of the tables and pictures.
    _measured(table)
    errors = {name: group["error"].to_numpy() for name, group in table.groupby("landmark", sort=False)}
    found = {
        place: values[np.isfinite(values)]
        for place, values in enumerate(errors.values(), start=1)
        if np.isfinite(values).any()
    }
    labels = [
        f"{name} ({lost} not found)" if (lost := sum(np.isinf(values))) else name for name, values in errors.items()
    ]
    figure, axes = landmark_axes(labels, title=f"domain {groups[0][0]}", ylabel=f"radial error ({groups[0][1]})")
    top = 0.0
    if found:
        boxes = axes.boxplot(
            list(found.values()),
            positions=list(found),
            widths=0.6,
            manage_ticks=False,
            flierprops={"marker": ".", "markersize": 3, "markeredgecolor": "#b03a2e"},
            medianprops={"color": "#1f4e79", "linewidth": 1.6},
        )
        top = 1.6 * max(float(np.max(line.get_ydata())) for line in boxes["whiskers"])
    top = top or 1.0
    beyond = [place for place, values in found.items() if (values > top).any()]
    axes.plot(beyond, [0.98 * top] * len(beyond), "^", color="#b03a2e", markersize=5)
    axes.set_ylim(0, top)
    return figure


def draw_learning_curve(path: str | os.PathLike[str]) -> Figure:
    """Loss and learning rate, and below them the mean radial errors of the validations.

    Args:
        path: a ``metrics.csv`` with the columns ``epoch``, ``train_loss`` and ``learning_rate``; other
            columns whose names end in "loss" go to the losses, those that end in "mre" are the radial errors,
            each in its domain's unit. An empty field is no value, as in epochs without validation.

    Returns:
        The figure.

    Raises:
        ValueError: the file has no such columns.
    """
    path = Path(path)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = [{original_cell(name): cell for name, cell in row.items()} for row in reader]
        columns = [original_cell(name) for name in reader.fieldnames or ()]
    missing = [name for name in ("epoch", "train_loss", "learning_rate") if name not in columns]
    if missing:
        raise ValueError(
            f"{path} must have the columns epoch, train_loss, learning_rate; got none for {missing}. "
            "Pass the table of a training run."
        )
    values = {
        name: np.array([float(row[name] or "nan") for row in rows])
        for name in columns
        if name in ("epoch", "learning_rate") or name.endswith(("loss", "mre"))
    }
    losses = {name: series for name, series in values.items() if name.endswith("loss")}
    radial = {name: series for name, series in values.items() if name.endswith("mre") and np.isfinite(series).any()}

    figure = Figure(figsize=(7, 6 if radial else 3.2), dpi=DPI, layout="constrained")
    panels = figure.subplots(2 if radial else 1, 1, sharex=True, squeeze=False)[:, 0]
    _draw_series(panels[0], values["epoch"], losses)
    panels[0].set_ylabel("loss")
    rate = panels[0].twinx()
    rate.plot(values["epoch"], values["learning_rate"], color="grey", linestyle=":", linewidth=1)
    rate.set_ylabel("learning rate (dotted)", color="grey")
    if radial:
        _draw_series(panels[1], values["epoch"], radial)
        panels[1].set_ylabel("mean radial error (domain's unit)")
    panels[-1].set_xlabel("epoch")
    return figure


def _draw_series(axes: Axes, epochs: NDArray[np.float64], series: Mapping[str, NDArray[np.float64]]) -> None:
    """One line for each; over the gaps, for validations come every few epochs."""
    lines = []
    for values in series.values():
        finite = np.isfinite(values)
        lines += axes.plot(epochs[finite], values[finite], marker=".", markersize=3, linewidth=1.2)
    shown = np.concatenate([np.empty(0), *(values[np.isfinite(values)] for values in series.values())])
    # The first epochs are often orders of magnitude above the rest.
    if shown.size and shown.min() > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
    axes.grid(alpha=0.3, which="both")
    # matplotlib before 3.10 leaves names out that begin with "_"
    names = legend_names(name.removeprefix("_") for name in series)
    axes.legend(lines, names, loc="upper right", fontsize=7)


def _measured(rows: Rows) -> pd.DataFrame:
    """The rows of annotated landmarks."""
    table = result_table(rows)
    measured = table[table["error"].notna()]
    if measured.empty:
        raise ValueError("Errors must be of at least one annotated landmark; got none. Leave the plot out.")
    return measured
