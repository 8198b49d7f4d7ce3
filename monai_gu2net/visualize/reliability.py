# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A plot of what the radii of a calibrated model promise and hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from monai_gu2net.evaluation.coverage import calibrated
from monai_gu2net.evaluation.result_table import Rows
from monai_gu2net.uncertainty import RADIUS_LEVEL, Calibration
from monai_gu2net.visualize.axes import legend_names
from monai_gu2net.visualize.pictures import DPI

__all__ = ["draw_reliability"]


def draw_reliability(rows: Rows, calibrations: Mapping[str, Calibration]) -> Figure:
    """Share of the landmarks within the radius of each level, against the level; one curve per domain and unit.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`, with the radii of the level 0.9.
        calibrations: by domain, those that the radii come from.

    Returns:
        The figure; on the diagonal, the radii hold what they promise.
    """
    figure = Figure(figsize=(5, 4.6), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", linewidth=1)
    lines, names = [], []
    for (domain, unit), group in calibrated(rows).groupby(["domain", "unit"], sort=False):
        measured = group[group["error"].notna()]
        quantiles = calibrations[domain].quantiles if domain in calibrations else {}
        if measured.empty or RADIUS_LEVEL not in quantiles:
            continue
        errors, radii = (measured[column].to_numpy() for column in ("error", "radius"))
        # the radii of all levels differ by the quantiles alone
        shares = [
            float(np.mean(errors <= radii * quantile / quantiles[RADIUS_LEVEL])) for quantile in quantiles.values()
        ]
        lines += axes.plot(list(quantiles), shares, marker=".")
        names.append(f"domain {domain} ({unit}), n = {len(measured)}")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="level promised", ylabel="share of landmarks within the radius")
    axes.grid(alpha=0.3)
    axes.legend(lines, legend_names(names), loc="upper left")
    return figure
