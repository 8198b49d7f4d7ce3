# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far measurements of predicted landmarks are from those of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from monai_gu2net.evaluation.case_measurements import (
    Measurements,
    compare_measurements,
    measure_rows,
    write_measurements,
)
from monai_gu2net.evaluation.cobb_scores import score_cobb_angles
from monai_gu2net.measurements import CHALLENGE_CLASSES, ClassAgreement, class_agreement
from monai_gu2net.report.document import Section, Table
from monai_gu2net.report.tables import table_of, with_and_without_doubtful, write_json

__all__ = ["measurement_sections"]

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
_COBB_NOTE = (
    "Of the three angles that the AASCE challenge scored, which are between middle lines of vertebrae. SMAPE: mean "
    "over images of the sum of the absolute differences over the sum of found and reference angles. MAE: mean absolute "
    "difference in degrees over all three. With the 95 % percentile bootstrap over images. Lost: measured in the "
    "reference, a corner not found."
)


def measurement_sections(
    folder: Path,
    table: pd.DataFrame,
    measurements: Measurements | None = None,
    annotators: Mapping[str, pd.DataFrame] | None = None,
    undoubted: pd.DataFrame | None = None,
) -> list[Section]:
    """Write ``measurements.csv`` and ``measurements.json``, and say what they hold.

    Args:
        folder: of the report.
        table: in the files' own scale, see :func:`~monai_gu2net.evaluation.result_table`.
        measurements: see :func:`~monai_gu2net.evaluation.measure_rows`.
        annotators: the table of each comparison of annotators, whose classes stand beside the model's.
        undoubted: the table without landmarks in doubt, see :func:`~monai_gu2net.evaluation.undoubted_rows`.

    Returns:
        A section per domain with a reference; none without.
    """
    measured = measure_rows(table, measurements)
    if measured.empty:
        return []
    compared = compare_measurements(measured)
    write_measurements(folder / "measurements.csv", measured)
    raters = {"Model": _agreements(measured)}
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
    cobb = score_cobb_angles(measured)
    surely = score_cobb_angles(measure_rows([] if undoubted is None else undoubted, measurements))
    content = {
        "measurements": compared.to_dict("records"),
        "classes": classes,
        "cobb": cobb.to_dict("records"),
        "cobb_without_doubtful": surely.to_dict("records"),
    }
    write_json(folder / "measurements.json", content)
    sections = []
    for domain, of_domain in compared.groupby("domain", sort=False) if len(compared) else ():
        title = f"Measurements of {domain}"
        parts: list[Any] = [_table(title, of_domain), _NOTE]
        if any(of == domain for of, _ in raters["Model"]):
            parts += [_class_table(domain, raters), _CLASS_NOTE]
        if domain in set(cobb.get("domain", ())):
            parts += [_cobb_table(domain, cobb, surely), _COBB_NOTE]
        sections.append(Section(title, parts))
    return sections


def _agreements(measured: pd.DataFrame) -> dict[tuple[str, str], ClassAgreement]:
    """By domain and measurement, where any image's reference has a class."""
    classed = measured[measured["name"].isin(CHALLENGE_CLASSES)]
    found = {
        (domain, name): class_agreement(name, zip(group["value"], group["reference"], group["unit"], strict=True))
        for (domain, name), group in classed.groupby(["domain", "name"], sort=False)
    }
    return {key: each for key, each in found.items() if each.count}


def _table(title: str, compared: pd.DataFrame) -> Table:
    columns = {"Measurement": "{measurement}", "Unit": "{unit}", "Images": "{count}", "Lost": "{lost}"}
    columns |= {"MAE": "{mae:.{digits}f}", "95 % interval": "{mae_low:.{digits}f} to {mae_high:.{digits}f}"}
    columns |= {"Bias": "{bias:.{digits}f}"}
    columns |= {"Limits of agreement": "{limit_low:.{digits}f} to {limit_high:.{digits}f}", "Covered": "{covered:.1f}"}
    return table_of(title, compared.assign(digits=np.where(compared["unit"] == "1", 3, 2)), columns)


def _cobb_table(domain: str, cobb: pd.DataFrame, surely: pd.DataFrame) -> Table:
    columns = {"Domain": "{domain}", "Images": "{images}", "Lost": "{lost}"}
    columns |= {"SMAPE %": "{smape:.2f}", "SMAPE's 95 % interval": "{smape_low:.2f} to {smape_high:.2f}"}
    columns |= {"MAE": "{mae:.2f}", "MAE's 95 % interval": "{mae_low:.2f} to {mae_high:.2f}"}
    own, sure = (scores[scores["domain"] == domain] if len(scores) else scores for scores in (cobb, surely))
    return table_of(f"Cobb angles of {domain}", with_and_without_doubtful(own, sure), columns)


def _class_table(domain: str, raters: Mapping[str, Mapping[tuple[str, str], ClassAgreement]]) -> Table:
    shown = {rater: found for rater, found in raters.items() if any(of == domain for of, _ in found)}
    lines = []
    for name in CHALLENGE_CLASSES:
        cells = [found.get((domain, name)) for found in shown.values()]
        if cells[0] is not None:
            rates = ["-" if each is None else f"{100 * each.rate:.1f} (n = {each.count})" for each in cells]
            lines.append([name, *rates])
    means = [np.mean([each.rate for (of, _), each in found.items() if of == domain]) for found in shown.values()]
    lines.append(["mean of these", *(f"{100 * mean:.1f}" for mean in means)])
    return Table(f"Success classification rate of {domain}", ["Measurement", *shown], lines)
