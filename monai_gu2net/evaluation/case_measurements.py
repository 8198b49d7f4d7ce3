# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements of a table of results, and the CSV file they are kept in."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from monai_gu2net.evaluation.result_table import Rows, in_space, points_of, result_table, write_csv
from monai_gu2net.evaluation.summary import bootstrap_mean_interval
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import SPINE_LANDMARKS
from monai_gu2net.measurements import (
    AASCE_ANGLES,
    AASCE_SOURCE,
    Measured,
    Measurement,
    aasce_angles,
    classify,
    default_measurements,
    measure,
)

__all__ = ["Measurements", "compare_measurements", "measure_rows", "measured_table", "write_measurements"]

Measurements = Mapping[str, Sequence[Measurement]]
"""By domain."""
MeasuredCase = tuple[str, str, str, Sequence[Measured], Sequence[Measured] | None]
"""Name, domain, scale, and measurements of the predicted and of the reference landmarks."""

_COLUMNS = ["case", "domain", "scale", "name", "value", "error", "unit", "class", "reference", "reference_class"]
_WITHIN = 1.96  # standard errors, that hold 95 % of a normal distribution


def measure_rows(rows: Rows, measurements: Measurements | None = None) -> pd.DataFrame:
    """Measure the landmarks of each case.

    Of pictures of a spine with the corners of T1 to L5 there are the AASCE challenge's three angles as well, see
    :func:`~monai_gu2net.measurements.aasce_angles`, which are for scores and have no standard error.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.result_table`; in the files' own scale.
        measurements: by domain; of a domain that is not there, the built-in ones of its landmarks.

    Returns:
        A table with a row per case and measurement, in the order of the rows: ``case``, ``domain``; ``scale`` of the
        case, "mm" or "px"; ``name`` of the measurement; ``value`` of the predicted landmarks with ``error``, its
        standard error where they have radii; ``unit``; ``class``, the ISBI 2015 challenge's where it has one;
        ``reference``, the same measurement of the reference landmarks, NaN where they are not annotated, and
        ``reference_class``.

    Raises:
        ValueError: a row breaks its rule.
    """
    cases: list[MeasuredCase] = []
    for (domain, name), case in result_table(rows).groupby(["domain", "case"], sort=False):
        names = tuple(case["landmark"])
        of_domain = (measurements or {}).get(domain)
        if of_domain is None:
            of_domain = default_measurements(names) if not in_space(case) else ()
        if not of_domain:
            continue
        unit: Literal["mm", "px"] = case["unit"].iloc[0]
        sets, scored = [], []
        for kind in ("predicted", "reference"):
            points = points_of(case, kind)
            points[~np.isfinite(points).all(axis=1)] = np.nan  # a row may know one coordinate of an absent landmark
            sets.append(LandmarkSet(names, points, "mm" if unit == "mm" else "index"))
            scored.append(_aasce(case, sets[-1]))
        predicted = measure(of_domain, sets[0], unit=unit, radius=case["radius"].to_numpy()) + scored[0]
        cases.append((name, domain, unit, predicted, measure(of_domain, sets[1], unit=unit) + scored[1]))
    return measured_table(cases)


def measured_table(cases: Iterable[MeasuredCase]) -> pd.DataFrame:
    """The table of :func:`measure_rows` for cases that are measured already.

    Args:
        cases: name, domain and scale of each, its predicted landmarks measured and, in the same order, those of the
            reference, where there is one.
    """
    lines = []
    for name, domain, scale, predicted, reference in cases:
        for position, ours in enumerate(predicted):
            theirs = None if reference is None else reference[position]
            found = (ours.name, ours.value, ours.error, ours.unit, _class(ours))
            truth = (math.nan, "") if theirs is None else (theirs.value, _class(theirs))
            lines.append((name, domain, scale, *found, *truth))
    return pd.DataFrame(lines, columns=_COLUMNS)


def compare_measurements(measured: pd.DataFrame) -> pd.DataFrame:
    """Differences between measurements of predicted and of reference landmarks.

    Args:
        measured: from :func:`~monai_gu2net.evaluation.measure_rows`.

    Returns:
        A table with a row per domain, scale of the files and measurement with any reference: ``domain``,
        ``measurement``, ``unit``; ``count`` of images measured in both; ``lost``, measured in the reference alone;
        ``mae`` with ``mae_low`` and ``mae_high``, its 95 % interval; ``bias``; ``limit_low`` and ``limit_high``, the
        limits of agreement; ``covered``, percent of the differences within 1.96 standard errors of those with an
        error. NaN where there is nothing to measure.

    Source: Bland and Altman, Lancet 327 (1986) 307.
    """
    compared = []
    for (domain, _, name), group in measured.groupby(["domain", "scale", "name"], sort=False):
        annotated = group[group["reference"].notna()]
        if annotated.empty:
            continue
        both = annotated[annotated["value"].notna()]
        differences, errors = (both["value"] - both["reference"]).to_numpy(), both["error"].to_numpy()
        has_error = ~np.isnan(errors)
        count = len(both)
        low, high = bootstrap_mean_interval(np.abs(differences)[:, None])
        bias = float(differences.mean()) if count else math.nan
        spread = _WITHIN * float(differences.std(ddof=1)) if count > 1 else math.nan
        inside = np.abs(differences[has_error]) <= _WITHIN * errors[has_error]
        compared.append(
            {
                "domain": domain,
                "measurement": name,
                "unit": annotated["unit"].iloc[0],
                "count": count,
                "lost": len(annotated) - count,
                "mae": float(np.abs(differences).mean()) if count else math.nan,
                "mae_low": low,
                "mae_high": high,
                "bias": bias,
                "limit_low": bias - spread,
                "limit_high": bias + spread,
                "covered": 100 * float(inside.mean()) if has_error.any() else math.nan,
            }
        )
    return pd.DataFrame(compared)


def write_measurements(path: str | os.PathLike[str], measured: pd.DataFrame) -> Path:
    """Write measurements as CSV, whole or not at all.

    The columns are ``case``, ``domain``, ``name``, ``value``, ``error`` (standard error), ``unit`` and ``class``, the
    ISBI 2015 challenge's class where it has one; ``reference`` and ``reference_class`` follow where any case has a
    reference. What is not known is an empty field.

    Args:
        path: the file; its folder is made.
        measured: from :func:`measure_rows`.

    Returns:
        The path.
    """
    unknown = ["scale"] if measured["reference"].notna().any() else ["scale", "reference", "reference_class"]
    return write_csv(path, measured.drop(columns=unknown))


def _aasce(case: pd.DataFrame, landmarks: LandmarkSet) -> list[Measured]:
    """The challenge's angles of a case, where its landmarks are those of a spine in a picture."""
    if landmarks.dims != 2 or not set(landmarks.names).issuperset(SPINE_LANDMARKS):
        return []
    corners = landmarks.points[[landmarks.names.index(name) for name in SPINE_LANDMARKS]]
    height = float(case["image_y"].iloc[0]) * (float(case["spacing_y"].iloc[0]) if landmarks.frame == "mm" else 1)
    angles = zip(AASCE_ANGLES, aasce_angles(corners, height).tolist(), strict=True)
    return [Measured(name, angle, "deg", math.nan, "aasce", None, AASCE_SOURCE) for name, angle in angles]


def _class(measured: Measured) -> str:
    found = classify(measured.name, measured.value, measured.unit)
    return "" if found is None else found.name
