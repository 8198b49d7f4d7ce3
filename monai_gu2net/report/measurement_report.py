# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far measurements of predicted landmarks are from those of the reference."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from monai_gu2net.evaluation.case_measurements import MeasuredCase, Measurements, measure_rows, write_measurements
from monai_gu2net.evaluation.summary import bootstrap_mean_interval
from monai_gu2net.files import write_text_whole
from monai_gu2net.measurements import CHALLENGE_CLASSES, ClassAgreement, Measured, class_agreement
from monai_gu2net.report.document import Section, Table
from monai_gu2net.report.tables import decimal, jsonable

__all__ = ["compare_measurements", "measurement_sections"]

_WITHIN = 1.96  # standard errors, that hold 95 % of a normal distribution
_NOTE = (
    "MAE: mean absolute difference to the measurement of the reference landmarks, with the 95 % percentile bootstrap "
    "over images. Bias: mean difference, measured minus reference. Limits: bias -/+ 1.96 standard deviations of the "
    "difference (Bland and Altman 1986). Lost: measured in the reference, a landmark not found. Covered: percent of "
    "differences within 1.96 standard errors, as propagated from the landmarks' radii, without the reference's own "
    "error."
)
_CLASS_NOTE = (
    "Success classification rate (Wang et al. 2016): percent of the images whose class is the reference's. A landmark "
    "not found is a failure. SN-GoGn is the challenge's FMA. Images whose MW the challenge gives no class, from 0 to 2 "
    "mm, do not count."
)


def compare_measurements(cases: Iterable[MeasuredCase]) -> list[dict[str, Any]]:
    """Differences between measurements of predicted and of reference landmarks.

    Args:
        cases: from :func:`~monai_gu2net.evaluation.measure_rows`.

    Returns:
        Per domain, unit of lengths and measurement with any reference: ``domain``, ``measurement``, ``unit``; ``count``
        of images measured in both; ``lost``, measured in the reference alone; ``mae`` with ``mae_low`` and
        ``mae_high``, its 95 % interval; ``bias``; ``limit_low`` and ``limit_high``, the limits of agreement;
        ``covered``, percent of the differences within 1.96 standard errors of those with an error. NaN where there is
        nothing to measure.

    Source: Bland and Altman, Lancet 327 (1986) 307.
    """
    groups: dict[tuple[str, str, str], list[tuple[Measured, Measured]]] = {}
    for case in cases:
        for ours, theirs in zip(case.predicted, case.reference, strict=True):
            groups.setdefault((case.domain, case.unit, ours.name), []).append((ours, theirs))
    compared = []
    for (domain, _, name), pairs in groups.items():
        annotated = [(ours, theirs) for ours, theirs in pairs if not math.isnan(theirs.value)]
        if not annotated:
            continue
        both = [(ours.value - theirs.value, ours.error) for ours, theirs in annotated if not math.isnan(ours.value)]
        differences = np.array([difference for difference, _ in both])
        errors = np.array([error for _, error in both])
        known = ~np.isnan(errors)
        count = len(both)
        low, high = bootstrap_mean_interval([[value] for value in np.abs(differences).tolist()])
        bias = float(differences.mean()) if count else math.nan
        spread = _WITHIN * float(differences.std(ddof=1)) if count > 1 else math.nan
        inside = np.abs(differences[known]) <= _WITHIN * errors[known]
        compared.append(
            {
                "domain": domain,
                "measurement": name,
                "unit": annotated[0][1].unit,
                "count": count,
                "lost": len(annotated) - count,
                "mae": float(np.abs(differences).mean()) if count else math.nan,
                "mae_low": low,
                "mae_high": high,
                "bias": bias,
                "limit_low": bias - spread,
                "limit_high": bias + spread,
                "covered": 100 * float(inside.mean()) if known.any() else math.nan,
            }
        )
    return compared


def measurement_sections(
    folder: Path,
    rows: Iterable[Mapping[str, Any]],
    measurements: Measurements | None = None,
    annotators: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
) -> list[Section]:
    """Write ``measurements.csv`` and ``measurements.json``, and say what they hold.

    Args:
        folder: of the report.
        rows: in the files' own scale, see :func:`~monai_gu2net.evaluation.checked_rows`.
        measurements: see :func:`~monai_gu2net.evaluation.measure_rows`.
        annotators: rows of each comparison of annotators, whose classes stand beside the model's.

    Returns:
        A section per domain with a reference; none without.
    """
    cases = measure_rows(rows, measurements)
    compared = compare_measurements(cases)
    if not cases:
        return []
    write_measurements(folder / "measurements.csv", cases)
    raters = {"Model": _agreements(cases)}
    raters |= {name: _agreements(measure_rows(of, measurements)) for name, of in (annotators or {}).items()}
    classes = [
        {
            "comparison": rater,
            "domain": domain,
            "measurement": each.name,
            "count": each.count,
            "unclassed": each.unclassed,
            "rate": 100 * each.rate,
            "confusion": each.confusion.tolist(),
        }
        for rater, found in raters.items()
        for (domain, _), each in found.items()
    ]
    content = {"measurements": [jsonable(each) for each in compared], "classes": [jsonable(each) for each in classes]}
    write_text_whole(folder / "measurements.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    sections = []
    for domain in dict.fromkeys(each["domain"] for each in compared):
        title = f"Measurements of {domain}"
        parts: list[Any] = [_table(title, [each for each in compared if each["domain"] == domain]), _NOTE]
        if any(of == domain for of, _ in raters["Model"]):
            parts += [_class_table(domain, raters), _CLASS_NOTE]
        sections.append(Section(title, parts))
    return sections


def _agreements(cases: Sequence[MeasuredCase]) -> dict[tuple[str, str], ClassAgreement]:
    """By domain and measurement, where any image's reference has a class."""
    pairs: dict[tuple[str, str], list[tuple[Measured, Measured]]] = {}
    for case in cases:
        for ours, theirs in zip(case.predicted, case.reference, strict=True):
            if ours.name in CHALLENGE_CLASSES:
                pairs.setdefault((case.domain, ours.name), []).append((ours, theirs))
    found = {key: class_agreement(key[1], of_images) for key, of_images in pairs.items()}
    return {key: each for key, each in found.items() if each.count}


def _table(title: str, compared: Sequence[Mapping[str, Any]]) -> Table:
    header = ["Measurement", "Unit", "Images", "Lost", "MAE", "95 % interval", "Bias", "Limits of agreement", "Covered"]
    lines = []
    for each in compared:
        digits = 3 if each["unit"] == "1" else 2
        lines.append(
            [
                each["measurement"],
                each["unit"],
                str(each["count"]),
                str(each["lost"]),
                decimal(each["mae"], digits),
                _range(each["mae_low"], each["mae_high"], digits),
                decimal(each["bias"], digits),
                _range(each["limit_low"], each["limit_high"], digits),
                decimal(each["covered"], 1),
            ]
        )
    return Table(title, header, lines)


def _class_table(domain: str, raters: Mapping[str, Mapping[tuple[str, str], ClassAgreement]]) -> Table:
    shown = {rater: found for rater, found in raters.items() if any(of == domain for of, _ in found)}
    lines = []
    for name in CHALLENGE_CLASSES:
        cells = [found.get((domain, name)) for found in shown.values()]
        if cells[0] is not None:
            rates = ["-" if each is None else f"{decimal(100 * each.rate, 1)} (n = {each.count})" for each in cells]
            lines.append([name, *rates])
    means = [np.mean([each.rate for (of, _), each in found.items() if of == domain]) for found in shown.values()]
    lines.append(["mean of these", *(decimal(100 * float(mean), 1) for mean in means)])
    return Table(f"Success classification rate of {domain}", ["Measurement", *shown], lines)


def _range(low: float, high: float, digits: int) -> str:
    return "-" if math.isnan(low) else f"{decimal(low, digits)} to {decimal(high, digits)}"
