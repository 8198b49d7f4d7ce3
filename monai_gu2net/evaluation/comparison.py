# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Two result tables of the same cases, compared landmark by landmark."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.evaluation.paired_bootstrap import paired_bootstrap
from monai_gu2net.evaluation.protocol import DEFAULT_THRESHOLDS, Thresholds
from monai_gu2net.evaluation.result_table import checked_rows
from monai_gu2net.evaluation.summary import thresholds_of

__all__ = ["Comparison", "compare_rows", "compare_with_first"]

Rows = Iterable[Mapping[str, Any]]
Pair = dict[str, Any]

_SAME_POINT_PX = 0.01
_SAME_SPACING = 1e-3  # relative


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare_rows` found.

    Args:
        summaries: per domain and unit first one of all landmarks, then one of each; the keys are those that
            :func:`compare_rows` names.
        pairs: the landmarks compared: ``domain``, ``unit``, ``case``, ``landmark``, ``error_a``, ``error_b``
            (inf: not found).
        only_a: landmarks that only the first table has, or has annotated: ``domain``, ``case``, ``landmark``.
        only_b: likewise of the second.
        other_reference: landmarks whose reference is not the same point in both tables, or whose image has
            another spacing in the other. They are compared, but such a difference is not one of the models alone.
    """

    summaries: list[dict[str, Any]]
    pairs: list[Pair]
    only_a: list[dict[str, str]]
    only_b: list[dict[str, str]]
    other_reference: list[dict[str, str]]


def compare_rows(
    a: Rows,
    b: Rows,
    *,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    strict: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare two result tables on the landmarks that are annotated in both, image by image.

    A landmark that one table did not find has no finite error, so means and their difference are over the
    landmarks that **both** found; how many each did not find stands beside them, and the detection rates
    count such a landmark as a miss. Images whose landmarks were not all found are thus not left out.

    Args:
        a: rows of the first table, see :func:`~monai_gu2net.evaluation.checked_rows`.
        b: of the second. The order of the rows says nothing.
        thresholds: see :func:`~monai_gu2net.evaluation.summarize_rows`.
        strict: an error that equals a threshold is a miss.
        resamples: number of draws of the bootstrap.
        seed: of the draws.

    Returns:
        The comparison. Its summaries have, in the order of the first table:

        - ``domain``, ``unit``, ``landmark`` (None: all of them)
        - ``images``, ``count``: images and landmarks annotated in both; ``found``: landmarks found by both
        - ``not_found_a``, ``not_found_b``: of the ``count``
        - ``mre_a``, ``mre_b``, ``difference`` (b - a): means over the ``found``; ``low``, ``high``: the 95 %
          interval of the difference; ``p``: two-sided, not adjusted for the number of landmarks tested; see
          :func:`~monai_gu2net.evaluation.paired_bootstrap`
        - ``better``, ``worse``: percent of the images with landmarks found by both in which the mean error of
          b is below, or above, that of a
        - ``sdr``: threshold -> ``a``, ``b`` (percent of the ``count``), ``difference``, ``low``, ``high``, ``p``

        NaN wherever there is nothing to measure, and for intervals and p-values of a single image.

    Raises:
        ValueError: a row breaks its rule, a landmark has another unit in the other table, no landmark is
            annotated in both, or ``thresholds`` has none for a domain.
    """
    first, second = (
        {(row["domain"], row["case"], row["landmark"]): row for row in checked_rows(rows)} for rows in (a, b)
    )
    pairs: list[Pair] = []
    other_reference = []
    for key, row in first.items():
        other = second.get(key)
        if other is None:
            continue
        where = dict(zip(("domain", "case", "landmark"), key, strict=True))
        if row["unit"] != other["unit"]:
            raise ValueError(
                f"Landmark {key[2]!r} of case {key[1]!r} of domain {key[0]!r} must have one unit in both tables; got "
                f"{row['unit']!r} and {other['unit']!r}. Evaluate both with the same spacing."
            )
        if math.isnan(row["error"]) or math.isnan(other["error"]):
            continue
        pairs.append({**where, "unit": row["unit"], "error_a": row["error"], "error_b": other["error"]})
        if _differ(row, other):
            other_reference.append(where)
    if not pairs:
        raise ValueError(
            f"Two tables must share annotated landmarks to be compared; got none among {len(first)} and {len(second)} "
            "rows. Evaluate both on the same cases."
        )
    groups: dict[tuple[str, str], dict[str | None, list[Pair]]] = {}
    for pair in pairs:
        selections = groups.setdefault((pair["domain"], pair["unit"]), {None: []})
        selections[None].append(pair)
        selections.setdefault(pair["landmark"], []).append(pair)
    summaries = []
    for (domain, unit), selections in groups.items():
        limits = thresholds_of(domain, unit, thresholds)
        for landmark, selected in selections.items():
            numbers = _compare(selected, limits, strict=strict, resamples=resamples, seed=seed)
            summaries.append({"domain": domain, "unit": unit, "landmark": landmark, **numbers})
    return Comparison(summaries, pairs, _only(first, second), _only(second, first), other_reference)


def compare_with_first(
    tables: Mapping[str, Rows],
    *,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    strict: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare each table with the first one, which is the ``a`` of every comparison.

    Args:
        tables: name -> rows, at least two.
        thresholds: see :func:`compare_rows`, as for the others.
        strict: an error that equals a threshold is a miss.
        resamples: number of draws.
        seed: of the draws; it draws the same images in every comparison over the same ones.

    Returns:
        Name -> comparison, for all but the first. The p-values are not adjusted for their number.

    Raises:
        ValueError: there are fewer than two tables; see :func:`compare_rows`, with the table named.
    """
    names = list(tables)
    if len(names) < 2:
        raise ValueError(f"There must be two tables to compare; got {names}. Add another.")
    first = checked_rows(tables[names[0]])
    found = {}
    for name in names[1:]:
        try:
            found[name] = compare_rows(
                first, tables[name], thresholds=thresholds, strict=strict, resamples=resamples, seed=seed
            )
        except ValueError as error:
            raise ValueError(f"{names[0]!r} and {name!r}: {error}") from error
    return found


def _compare(
    pairs: Sequence[Pair], thresholds: Sequence[float], *, strict: bool, resamples: int, seed: int
) -> dict[str, Any]:
    pairs = sorted(pairs, key=lambda pair: (pair["case"], pair["landmark"]))  # sums do not depend on the rows' order
    errors = np.array([[pair["error_a"], pair["error_b"]] for pair in pairs])
    cases = {case: place for place, case in enumerate(sorted({pair["case"] for pair in pairs}))}
    image = np.array([cases[pair["case"]] for pair in pairs])
    both = np.isfinite(errors).all(axis=1)
    sums, counts = _by_image(errors[both], image[both], len(cases))
    change = sums[counts > 0] @ (-1.0, 1.0)
    low, high, p = paired_bootstrap(change[:, None], counts[counts > 0], resamples=resamples, seed=seed)[0]
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
    intervals = paired_bootstrap(change, counts, resamples=resamples, seed=seed)
    numbers["sdr"] = {
        threshold: {
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


def _differ(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both references, or both spacings, are known and not the same."""
    axes = [axis for axis in "xyz" if f"reference_{axis}" in row and f"reference_{axis}" in other]
    points = (abs(row[f"reference_{axis}"] - other[f"reference_{axis}"]) > _SAME_POINT_PX for axis in axes)
    pairs = [(row[f"spacing_{axis}"], other[f"spacing_{axis}"]) for axis in axes]
    return any(points) or any(abs(a - b) > _SAME_SPACING * b for a, b in pairs)


def _only(rows: Mapping[tuple[str, str, str], Any], others: Mapping[tuple[str, str, str], Any]) -> list[dict[str, str]]:
    """Where the landmarks are that are annotated in these rows alone."""
    return [
        dict(zip(("domain", "case", "landmark"), key, strict=True))
        for key, row in rows.items()
        if not math.isnan(row["error"]) and (key not in others or math.isnan(others[key]["error"]))
    ]
