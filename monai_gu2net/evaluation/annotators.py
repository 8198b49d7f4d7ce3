# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far the annotators of a dataset are apart: the line that a model is to be seen against."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from monai_gu2net.data.domain import Domain
from monai_gu2net.evaluation.result_table import Rows, result_table

__all__ = ["annotator_rows"]


def annotator_rows(
    rows: Rows, cases: Iterable[Mapping[str, Any]], domains: Mapping[str, Domain]
) -> dict[str, pd.DataFrame]:
    """Tables in which an annotator takes the place of the model.

    Distances are along the file's axes, which are taken to be at right angles.
    They can be rescored and summarized like those of a model. A landmark that one of the two left out does not count.

    Args:
        rows: a model's, see :func:`~monai_gu2net.evaluation.result_table`; reference, size, spacing and unit of each
            case are taken from them, and cases without rows are left out.
        cases: of the datalist. Domains are left out whose cases have fewer than two ``annotators``.
        domains: by name, for the order of the landmarks.

    Returns:
        Comparison -> table: each annotator "against the ground truth" of the rows, then each against each.
    """
    by_case = dict(iter(result_table(rows).groupby(["domain", "case"], sort=False)))
    compared: dict[str, list[dict[str, Any]]] = {}
    pairs: dict[str, list[dict[str, Any]]] = {}
    for case in cases:
        found = by_case.get((case["domain"], case["case"]))
        sets: Mapping[str, Sequence[Any]] = case.get("annotators", {})
        if found is None or len(sets) < 2:
            continue
        domain = domains[case["domain"]]
        axes = "xyz"[: domain.dims]
        found = found.drop(columns=[column for column in found if column.endswith("_lps_mm")])  # of the model's points
        by_name = found.set_index("landmark", drop=False).to_dict("index")
        for index, name in enumerate(domain.landmarks):
            if name not in by_name:
                continue
            row = by_name[name]
            truth = [row[f"reference_{axis}"] for axis in axes]
            for who, points in sets.items():
                compared.setdefault(f"{who} against the ground truth", []).append(_row(row, axes, points[index], truth))
            for first, second in combinations(sets, 2):
                pair = _row(row, axes, sets[first][index], sets[second][index])
                pairs.setdefault(f"{first} against {second}", []).append(pair)
    return {comparison: result_table(of) for comparison, of in (compared | pairs).items()}


def _row(
    row: Mapping[str, Any], axes: str, point: Sequence[float] | None, other: Sequence[float] | None
) -> dict[str, Any]:
    """The row with one annotator's point as the prediction and another as the reference."""
    absent = [math.nan] * len(axes)
    a, b = (absent if p is None or any(map(math.isnan, p)) else p for p in (point, other))
    if math.isnan(a[0]) or math.isnan(b[0]):
        a = b = absent
    scale = [row[f"spacing_{axis}"] if row["unit"] == "mm" else 1.0 for axis in axes]
    if row["unit"] == "mm" and not all(length > 0 for length in scale):
        raise ValueError(
            f"Case {row['case']!r} of domain {row['domain']!r} must have "
            f"{' and '.join(f'spacing_{axis}' for axis in axes)}; got none. "
            "Evaluate the model again."
        )
    points = {f"predicted_{axis}": value for axis, value in zip(axes, a, strict=True)}
    points |= {f"reference_{axis}": value for axis, value in zip(axes, b, strict=True)}
    error = math.dist([p * s for p, s in zip(a, scale, strict=True)], [p * s for p, s in zip(b, scale, strict=True)])
    return {**row, **points, "error": error, "confidence": math.nan, "radius": math.nan, "presence": math.nan}
