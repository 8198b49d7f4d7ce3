# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements of result rows, and the CSV file they are kept in."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from monai_gu2net.evaluation.result_table import checked_rows
from monai_gu2net.files import csv_text, write_text_whole
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import Measured, Measurement, classify, default_measurements, measure

__all__ = ["MeasuredCase", "Measurements", "measure_rows", "write_measurements"]

Measurements = Mapping[str, Sequence[Measurement]]
"""By domain."""


@dataclass(frozen=True)
class MeasuredCase:
    """What was measured in one image.

    Args:
        domain, case: names.
        unit: of lengths, "mm" or "px".
        predicted: of the predicted landmarks, with errors where they have radii.
        reference: the same measurements of the reference landmarks; NaN where they are not annotated.
    """

    domain: str
    case: str
    unit: Literal["mm", "px"]
    predicted: Sequence[Measured]
    reference: Sequence[Measured]


def measure_rows(rows: Iterable[Mapping[str, Any]], measurements: Measurements | None = None) -> list[MeasuredCase]:
    """Measure the landmarks of each case.

    Args:
        rows: see :func:`~monai_gu2net.evaluation.checked_rows`; in the files' own scale.
        measurements: by domain; of a domain that is not there, the built-in ones of its landmarks.

    Returns:
        A result per case with anything to measure, in the order of the rows.

    Raises:
        ValueError: a row breaks its rule.
    """
    cases: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in checked_rows(rows):
        cases.setdefault((row["domain"], row["case"]), []).append(row)
    measured = []
    for (domain, name), case in cases.items():
        axes = "xyz" if _in_space(case) else "xy"
        names = tuple(row["landmark"] for row in case)
        of_domain = (measurements or {}).get(domain)
        if of_domain is None:
            of_domain = default_measurements(names) if len(axes) == 2 else ()
        if not of_domain:
            continue
        unit: Literal["mm", "px"] = case[0]["unit"]
        scale = [case[0][f"spacing_{axis}"] if unit == "mm" else 1.0 for axis in axes]
        sets = {}
        for kind in ("predicted", "reference"):
            points = np.array([[row[f"{kind}_{axis}"] for axis in axes] for row in case]) * scale
            points[~np.isfinite(points).all(axis=1)] = np.nan  # a row may know one coordinate of an absent landmark
            sets[kind] = LandmarkSet(names, points, "mm" if unit == "mm" else "index")
        radius = np.array([row["radius"] for row in case])
        measured.append(
            MeasuredCase(
                domain=domain,
                case=name,
                unit=unit,
                predicted=measure(of_domain, sets["predicted"], unit=unit, radius=radius),
                reference=measure(of_domain, sets["reference"], unit=unit),
            )
        )
    return measured


def write_measurements(path: str | os.PathLike[str], cases: Sequence[MeasuredCase]) -> Path:
    """Write measurements as CSV, whole or not at all.

    The columns are ``case``, ``domain``, ``name``, ``value``, ``error`` (standard error), ``unit`` and ``class``, the
    ISBI 2015 challenge's class where it has one; ``reference`` and ``reference_class`` follow where any case has a
    reference. What is not known is an empty field.

    Args:
        path: the file; its folder is made.
        cases: from :func:`measure_rows`.

    Returns:
        The path.
    """
    compared = any(theirs.value == theirs.value for case in cases for theirs in case.reference)
    lines: list[list[Any]] = [
        ["case", "domain", "name", "value", "error", "unit", "class", *(["reference", "reference_class"] * compared)]
    ]
    for case in cases:
        for ours, theirs in zip(case.predicted, case.reference, strict=True):
            cells: list[Any] = [case.case, case.domain, ours.name, ours.value, ours.error, ours.unit, _class(ours)]
            cells += [theirs.value, _class(theirs)] * compared
            lines.append(cells)
    return write_text_whole(path, csv_text(lines))


def _in_space(case: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any point of the case has a third coordinate."""
    return any(not math.isnan(row.get(f"{kind}_z", math.nan)) for row in case for kind in ("predicted", "reference"))


def _class(measured: Measured) -> str:
    found = classify(measured)
    return "" if found is None else found.name
