# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the radii of a calibrated model hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.evaluation.result_table import checked_rows
from monai_gu2net.evaluation.summary import bootstrap_mean_interval
from monai_gu2net.uncertainty import RADIUS_LEVEL

__all__ = ["calibrated_rows", "radii_px", "summarize_coverage"]


def summarize_coverage(rows: Iterable[Mapping[str, Any]], *, seed: int = 0) -> list[dict[str, Any]]:
    """How often the reference lies within the radius about the prediction, by domain.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.checked_rows`; those of domains without any radius are left out.
        seed: of the bootstrap.

    Returns:
        Per domain and unit: ``domain``, ``unit``, ``level`` (0.9, what was promised), ``images`` and ``count`` of the
        annotated landmarks, ``coverage`` (fraction of them within the radius, <=; one not found is outside),
        ``coverage_low``, ``coverage_high`` (95 % bootstrap interval over images), ``radius_mean``, ``radius_median``
        in the unit, and ``landmarks``, name -> coverage. NaN: nothing to measure.
    """
    summaries = []
    for (domain, unit), group in calibrated_rows(rows).items():
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


def radii_px(rows: Iterable[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Half axes (N, 2) of the radii in pixels of the image file, x first; NaN where a row has no radius."""
    lengths = []
    for row in rows:
        radius = row.get("radius", math.nan)
        steps = [row.get(f"spacing_{axis}", math.nan) if row["unit"] == "mm" else 1.0 for axis in "xy"]
        lengths.append([radius / step for step in steps])
    return np.array(lengths, dtype=np.float64).reshape(-1, 2)


def calibrated_rows(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Rows by domain and unit, of those where any landmark has a radius."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in checked_rows(rows):
        groups.setdefault((row["domain"], row["unit"]), []).append(row)
    return {key: group for key, group in groups.items() if any(math.isfinite(row["radius"]) for row in group)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
