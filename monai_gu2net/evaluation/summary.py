# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is reported of a table of results, by domain and by landmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from monai_gu2net.evaluation.protocol import DEFAULT_THRESHOLDS, Thresholds
from monai_gu2net.evaluation.result_table import Rows, parts, result_table
from monai_gu2net.evaluation.volume_thresholds import suited_thresholds
from monai_gu2net.metrics import summarize_errors

__all__ = ["bootstrap_mean_interval", "summarize_rows"]

_COLUMNS = ["domain", "unit", "landmark", "spacing_source", "images", "count", "not_found"]
_COLUMNS += ["mre", "mre_low", "mre_high", "median", "mre_found", "std_found", "within"]


def bootstrap_mean_interval(
    errors: Sequence[Sequence[float]], *, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean error, resampling images.

    The landmarks of one image are not independent, so whole images are drawn with replacement, as many as
    there are; each draw's mean is pooled over the landmarks of the images drawn. The interval goes from the
    0.025 to the 0.975 quantile of these means, rounded outwards to means that were drawn.

    Args:
        errors: one sequence of radial errors per image; NaN (not annotated) is left out, inf (not found)
            makes the means of the draws it is in inf.
        resamples: number of draws.
        seed: of the draws; the same numbers give the same interval.

    Returns:
        (low, high) in the unit of the errors. NaN with fewer than two annotated images, which say nothing
        about other images.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), percentile interval.
    """
    annotated = [np.asarray(image, dtype=np.float64) for image in errors]
    annotated = [image[~np.isnan(image)] for image in annotated if not np.isnan(image).all()]
    if len(annotated) < 2:
        return float("nan"), float("nan")
    sums = np.array([image.sum() for image in annotated])
    counts = np.array([image.size for image in annotated])
    drawn = np.random.default_rng(seed).integers(len(annotated), size=(resamples, len(annotated)))
    means = np.sort(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    cut = int((1 - 0.95) / 2 * resamples)
    return float(means[cut]), float(means[resamples - 1 - cut])


def summarize_rows(rows: Rows, *, thresholds: Thresholds = DEFAULT_THRESHOLDS, strict: bool = False) -> pd.DataFrame:
    """Summaries of each domain and of each of its landmarks, pooled over the annotated landmarks.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`. Where the cases of a domain have two units,
            because only some have a known spacing, each unit has summaries of its own.
        thresholds: distances for the successful detection rate in the rows' unit; a mapping gives them by
            domain, or by unit ("mm", "px") for the domains it does not name; those of a domain may be by unit, too. The
            default ones are 1 to 4 voxels for domains of volumes, see
            :func:`~monai_gu2net.evaluation.suited_thresholds`.
        strict: an error that equals a threshold is a miss.

    Returns:
        A table with, per domain and unit in the order of the rows, first one row of all its landmarks, then one of
        each:

        - ``domain``, ``unit``, ``landmark`` (missing: all of them), ``spacing_source`` (a list of all that occur)
        - ``images``: with an annotated landmark; ``count``: annotated landmarks; ``not_found``
        - ``mre``: mean of the annotated, inf if one was not found; ``mre_low``, ``mre_high``: its 95 %
          interval, see :func:`bootstrap_mean_interval`; ``median``
        - ``mre_found``, ``std_found``: mean and population standard deviation of the found
        - ``within``: what counts as within a threshold, "<=" or "<" if ``strict``
        - ``sdr_2`` and so on, by threshold: percent of the annotated within it; NaN where it is none of the domain's

        NaN wherever there is nothing to measure.

    Raises:
        ValueError: a row breaks its rule, or ``thresholds`` has none for a domain.
    """
    summaries, table = [], result_table(rows)
    thresholds = suited_thresholds(table, thresholds)
    for domain, unit, landmark, group in parts(table):
        errors = torch.from_numpy(group["error"].to_numpy(copy=True))
        numbers = summarize_errors(errors, thresholds_of(domain, unit, thresholds), strict=strict)
        by_case = group.groupby("case", sort=False)["error"]
        low, high = bootstrap_mean_interval(by_case.agg(list))
        summaries.append(
            {
                "domain": domain,
                "unit": unit,
                "landmark": landmark,
                "spacing_source": sorted(set(group["spacing_source"]) - {""}),
                "images": int((by_case.count() > 0).sum()),
                "count": numbers["count"],
                "not_found": numbers["not_found"],
                "mre": numbers["mean"],
                "mre_low": low,
                "mre_high": high,
                "median": numbers["median"],
                "mre_found": numbers["mean_found"],
                "std_found": numbers["std_found"],
                "within": "<" if strict else "<=",
                "sdr": {f"{threshold:g}": 100 * rate for threshold, rate in numbers["sdr"].items()},
            }
        )
    return flat_rates(summaries) if summaries else pd.DataFrame(columns=_COLUMNS)


def flat_rates(summaries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Summaries as a table, ``sdr`` by threshold in columns at its end, in the order of the thresholds."""
    table = pd.json_normalize(summaries, sep="_")
    rates = sorted(table.filter(regex="^sdr_"), key=lambda column: float(column.split("_")[1]))
    return table[[*table.columns.difference(rates, sort=False), *rates]]


def of_landmarks(summaries: pd.DataFrame, domain: str, unit: str) -> pd.DataFrame:
    """The summaries of the single landmarks of a domain and unit."""
    return summaries[(summaries["domain"] == domain) & (summaries["unit"] == unit) & summaries["landmark"].notna()]


def thresholds_of(domain: str, unit: str, thresholds: Thresholds) -> Sequence[float]:
    """Those of a domain; see :func:`summarize_rows`."""
    if not isinstance(thresholds, Mapping):
        return thresholds
    if domain not in thresholds and unit not in thresholds:
        raise ValueError(
            f"thresholds must name every domain or its unit; got {sorted(thresholds)}. Add {domain!r} or {unit!r}."
        )
    own = thresholds[domain] if domain in thresholds else thresholds[unit]
    return own[unit] if isinstance(own, Mapping) else own
