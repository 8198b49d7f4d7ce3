# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Whether levels that look alike, such as vertebrae, were taken for each other."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from monai_gu2net.evaluation.result_table import Rows, points_of, result_table
from monai_gu2net.landmarks.anatomical_names import vertebral_levels

__all__ = ["Levels", "shifted_levels", "summarize_shifts"]

Levels = Mapping[str, Sequence[Sequence[str]]]
"""By domain, see :class:`~monai_gu2net.data.Domain`."""

_COLUMNS = ["case", "domain", "level", "nearest", "shifted"]


def shifted_levels(rows: Rows, levels: Levels | None = None) -> pd.DataFrame:
    """Where each level of each case was found.

    A level is shifted where the mean of its found landmarks lies nearer to the reference mean of another level than to
    its own, in mm where the spacing is known. Both means are of the same places of a level, those found in the one and
    annotated in the other, so that a landmark that is missing moves neither against the other. A mean that lies as far
    from its own level as from another one is not shifted.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`; in the files' own scale.
        levels: by domain; of a domain that is not there, the vertebrae that the names of its landmarks tell, see
            :func:`~monai_gu2net.landmarks.anatomical_names.vertebral_levels`.

    Returns:
        A table with a row per case and annotated level: ``case``, ``domain``; ``level``, counted from 1 for the first;
        ``nearest``, the level it was found at, NaN where none of its annotated landmarks was found; ``shifted``.
    """
    found = []
    for (domain, name), case in result_table(rows).groupby(["domain", "case"], sort=False):
        places = {landmark: position for position, landmark in enumerate(case["landmark"])}
        of_domain = (levels or {}).get(domain)
        if of_domain is None:
            of_domain = vertebral_levels(tuple(places))
        if not of_domain:
            continue
        predicted, reference = (_by_level(case, kind, of_domain, places) for kind in ("predicted", "reference"))
        distances = _distances(predicted, reference)
        for level in range(len(of_domain)):
            own = distances[level, level]
            if np.isfinite(reference[level]).all(axis=-1).any():
                nearest = math.nan
                if np.isfinite(own):
                    best = int(np.argmin(distances[level]))
                    nearest = 1 + (best if distances[level, best] < own else level)
                found.append((name, domain, level + 1, nearest, nearest == nearest and nearest != level + 1))
    return pd.DataFrame(found, columns=_COLUMNS)


def summarize_shifts(shifts: pd.DataFrame) -> pd.DataFrame:
    """How many levels, and in how many images any, were taken for another one.

    Args:
        shifts: from :func:`shifted_levels`.

    Returns:
        A table with a row per domain: ``domain``; ``images`` with any level found; ``shifted_images``, those with any
        level shifted; ``share``, percent of the images, with ``share_low`` and ``share_high``, its exact 95 % interval
        (Clopper and Pearson 1934), which a bootstrap has not where none or all are shifted; ``levels`` found,
        ``shifted_levels`` of them, and ``not_found``, annotated levels of which nothing was found, in whatever images.
    """
    summaries = []
    for domain, group in shifts.groupby("domain", sort=False):
        judged = group[group["nearest"].notna()]
        any_shifted = judged.groupby("case", sort=False)["shifted"].any().astype(float)
        low, high = _share_interval(int(any_shifted.sum()), len(any_shifted))
        summaries.append(
            {
                "domain": domain,
                "images": len(any_shifted),
                "shifted_images": int(any_shifted.sum()),
                "share": 100 * float(any_shifted.mean()) if len(any_shifted) else math.nan,
                "share_low": 100 * low,
                "share_high": 100 * high,
                "levels": len(judged),
                "shifted_levels": int(judged["shifted"].sum()),
                "not_found": len(group) - len(judged),
            }
        )
    return pd.DataFrame(summaries)


def _share_interval(count: int, of: int) -> tuple[float, float]:
    if not of:
        return math.nan, math.nan
    interval = binomtest(count, of).proportion_ci(method="exact")
    return float(interval.low), float(interval.high)


def _by_level(case: pd.DataFrame, kind: str, levels: Sequence[Sequence[str]], places: Mapping[str, int]) -> np.ndarray:
    """(L, K, D) points by level and place in it; NaN where there is none."""
    points = points_of(case, kind)
    points[~np.isfinite(points).all(axis=1)] = np.nan
    by_level = np.full((len(levels), max(map(len, levels)), points.shape[1]), np.nan)
    for level, names in enumerate(levels):
        for place, name in enumerate(names):
            if name in places:
                by_level[level, place] = points[places[name]]
    return by_level


def _distances(predicted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(L, L) from the mean of each level found to that of each of the reference; inf where no place is in both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is NaN
        ways = np.nanmean(predicted[:, None] - reference[None], axis=2)
    return np.nan_to_num(np.linalg.norm(ways, axis=-1), nan=np.inf)
