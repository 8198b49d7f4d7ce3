# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Two result tables of the same cases, compared landmark by landmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monai_gu2net.evaluation.paired_bootstrap import paired_bootstrap
from monai_gu2net.evaluation.protocol import DEFAULT_THRESHOLDS, Thresholds
from monai_gu2net.evaluation.result_table import KEY, Rows, parts, result_table
from monai_gu2net.evaluation.summary import flat_rates, thresholds_of
from monai_gu2net.evaluation.volume_thresholds import suited_thresholds

__all__ = ["Comparison", "compare_rows"]

_SAME_POINT_PX = 0.01
_SAME_SPACING = 1e-3  # relative


@dataclass(frozen=True, eq=False)
class Comparison:
    """What :func:`compare_rows` found, in tables.

    Args:
        summaries: per domain and unit first a row of all landmarks, then one of each; the columns are those that
            :func:`compare_rows` names.
        pairs: the landmarks compared: ``domain``, ``case``, ``landmark``, ``unit``, ``error_a``, ``error_b``
            (inf: not found).
        only_a: landmarks that only the first table has, or has annotated: ``domain``, ``case``, ``landmark``.
        only_b: likewise of the second.
        other_reference: landmarks whose reference is not the same point in both tables, or whose image has
            another spacing in the other; of volumes the points in the patient's frame tell, where both tables have
            them, whatever axes the files have. They are compared, but such a difference is not one of the models alone.
        thresholds: of the detection rates.
    """

    summaries: pd.DataFrame
    pairs: pd.DataFrame
    only_a: pd.DataFrame
    only_b: pd.DataFrame
    other_reference: pd.DataFrame
    thresholds: Thresholds


def compare_rows(a: Rows, b: Rows, *, thresholds: Thresholds = DEFAULT_THRESHOLDS, strict: bool = False) -> Comparison:
    """Compare two result tables on the landmarks that are annotated in both, image by image.

    A landmark that one table did not find has no finite error, so means and their difference are over the
    landmarks that **both** found; how many each did not find stands beside them, and the detection rates
    count such a landmark as a miss. Images whose landmarks were not all found are thus not left out.

    Args:
        a: the first table, see :func:`~monai_gu2net.evaluation.result_table`.
        b: the second. The order of the rows says nothing.
        thresholds: see :func:`~monai_gu2net.evaluation.summarize_rows`.
        strict: an error that equals a threshold is a miss.

    Returns:
        The comparison. Its summaries have, in the order of the first table:

        - ``domain``, ``unit``, ``landmark`` (missing: all of them)
        - ``images``, ``count``: images and landmarks annotated in both; ``found``: landmarks found by both
        - ``not_found_a``, ``not_found_b``: of the ``count``
        - ``mre_a``, ``mre_b``, ``difference`` (b - a): means over the ``found``; ``low``, ``high``: the 95 %
          interval of the difference; ``p``: two-sided, not adjusted for the number of landmarks tested; see
          :func:`~monai_gu2net.evaluation.paired_bootstrap`
        - ``better``, ``worse``: percent of the images with landmarks found by both in which the mean error of
          b is below, or above, that of a
        - ``sdr_2_a``, ``sdr_2_b`` (percent of the ``count``), ``sdr_2_difference``, ``sdr_2_low``, ``sdr_2_high``,
          ``sdr_2_p`` and so on, by threshold; NaN where it is none of the domain's

        NaN wherever there is nothing to measure, and for intervals and p-values of a single image.

    Raises:
        ValueError: a row breaks its rule, a landmark has another unit in the other table, no landmark is
            annotated in both, or ``thresholds`` has none for a domain.
    """
    first, second = result_table(a), result_table(b)
    thresholds = suited_thresholds(first, thresholds)
    both = first.merge(second, on=KEY, suffixes=("_a", "_b"))
    for row in both[both["unit_a"] != both["unit_b"]].itertuples():
        raise ValueError(
            f"Landmark {row.landmark!r} of case {row.case!r} of domain {row.domain!r} must have one unit in both "
            f"tables; got {row.unit_a!r} and {row.unit_b!r}. Evaluate both with the same spacing."
        )
    both = both[both["error_a"].notna() & both["error_b"].notna()]
    if both.empty:
        raise ValueError(
            f"Two tables must share annotated landmarks to be compared; got none among {len(first)} and {len(second)} "
            "rows. Evaluate both on the same cases."
        )
    pairs = both[[*KEY, "unit_a", "error_a", "error_b"]].rename(columns={"unit_a": "unit"})
    summaries = []
    for domain, unit, landmark, selected in parts(pairs):
        limits = thresholds_of(domain, unit, thresholds)
        numbers = _compare(selected, limits, strict=strict)
        summaries.append({"domain": domain, "unit": unit, "landmark": landmark, **numbers})
    return Comparison(
        summaries=flat_rates(summaries),
        pairs=pairs.reset_index(drop=True),
        only_a=_only(first, second),
        only_b=_only(second, first),
        other_reference=both.loc[_differ(both), KEY].reset_index(drop=True),
        thresholds=thresholds,
    )


def _compare(pairs: pd.DataFrame, thresholds: Sequence[float], *, strict: bool) -> dict[str, Any]:
    pairs = pairs.sort_values(["case", "landmark"])  # sums do not depend on the rows' order
    errors = pairs[["error_a", "error_b"]].to_numpy()
    image, cases = pd.factorize(pairs["case"])
    both = np.isfinite(errors).all(axis=1)
    sums, counts = _by_image(errors[both], image[both], len(cases))
    change = sums[counts > 0] @ (-1.0, 1.0)
    low, high, p = paired_bootstrap(change[:, None], counts[counts > 0])[0]
    numbers: dict[str, Any] = {
        "images": len(cases),
        "count": len(pairs),
        "found": int(both.sum()),
        "not_found_a": int(np.isinf(errors[:, 0]).sum()),
        "not_found_b": int(np.isinf(errors[:, 1]).sum()),
        "mre_a": _ratio(sums[:, 0].sum(), counts.sum()),
        "mre_b": _ratio(sums[:, 1].sum(), counts.sum()),
        "difference": _ratio(change.sum(), counts.sum()),
        "low": low,
        "high": high,
        "p": p,
        "better": 100 * _ratio((change < 0).sum(), change.size),
        "worse": 100 * _ratio((change > 0).sum(), change.size),
    }
    limits = np.asarray(thresholds, dtype=np.float64)
    hits = (errors[:, :, None] < limits if strict else errors[:, :, None] <= limits).astype(np.float64)
    shares = 100 * hits.mean(axis=0)
    change, counts = _by_image(100 * (hits[:, 1] - hits[:, 0]), image, len(cases))
    intervals = paired_bootstrap(change, counts)
    numbers["sdr"] = {
        f"{threshold:g}": {
            "a": float(shares[0, place]),
            "b": float(shares[1, place]),
            "difference": float(change[:, place].sum() / len(pairs)),
            **dict(zip(("low", "high", "p"), intervals[place], strict=True)),
        }
        for place, threshold in enumerate(thresholds)
    }
    return numbers


def _by_image(
    values: NDArray[np.float64], image: NDArray[np.intp], images: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The (images, K) sums of each image's values, and their (images,) numbers."""
    sums = np.zeros((images, values.shape[1]))
    np.add.at(sums, image, values)
    return sums, np.bincount(image, minlength=images).astype(np.float64)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _differ(both: pd.DataFrame) -> pd.Series:
    """Whether both references, or both spacings, are known and not the same."""
    placed, moved = _moved_in_patient(both)
    differ = pd.Series(moved, index=both.index)
    for axis in (axis for axis in "xyz" if {f"reference_{axis}_a", f"reference_{axis}_b"} <= {*both}):
        point_a, point_b, spacing_a, spacing_b = (
            both[f"{what}_{axis}_{table}"] for what in ("reference", "spacing") for table in "ab"
        )
        differ |= ~placed & ((point_a - point_b).abs() > _SAME_POINT_PX)
        differ |= ~placed & ((spacing_a - spacing_b).abs() > _SAME_SPACING * spacing_b)
    return differ


def _moved_in_patient(both: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which references both tables have in the patient's frame, and which of those are not the same there."""
    first, second = (both.reindex(columns=[f"reference_{axis}_lps_mm_{table}" for axis in "xyz"]) for table in "ab")
    placed = first.notna().all(axis=1).to_numpy() & second.notna().all(axis=1).to_numpy()
    apart = np.abs(first.to_numpy(float) - second.to_numpy(float)).max(axis=1, initial=0.0)
    voxel = both.reindex(columns=[f"spacing_{axis}_b" for axis in "xyz"]).to_numpy(float).min(axis=1, initial=np.inf)
    return placed, placed & (apart > _SAME_POINT_PX * np.nan_to_num(voxel))


def _only(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Where the landmarks are that are annotated in this table alone."""
    own, others = (rows.loc[rows["error"].notna(), KEY] for rows in (table, other))
    found = own.merge(others, how="left", on=KEY, indicator=True)
    return found.loc[found["_merge"] == "left_only", KEY].reset_index(drop=True)
