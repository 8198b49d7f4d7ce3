# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Summaries as CSV, JSON and tables."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from monai_gu2net.evaluation.protocol import ORIGINAL, Protocol
from monai_gu2net.evaluation.summary import Thresholds, thresholds_of
from monai_gu2net.files import LeftOut, write_text_whole
from monai_gu2net.report.document import Table

__all__ = ["decimal", "interval", "jsonable", "rates_by_threshold", "summary_table", "write_json", "write_summary_json"]


def write_summary_json(
    path: str | os.PathLike[str],
    summaries: pd.DataFrame,
    *,
    scoring: Protocol = ORIGINAL,
    protocol: Mapping[str, str] | None = None,
    annotators: pd.DataFrame | None = None,
    failures: Iterable[Mapping[str, str]] = (),
    left_out: Iterable[LeftOut] = (),
) -> Path:
    """Write summaries as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        summaries: from :func:`~monai_gu2net.evaluation.summarize_rows`. JSON knows neither NaN nor inf: both
            are null; a mean that is inf has ``not_found`` above 0. ``sdr`` is by threshold.
        scoring: the protocol of the summaries.
        protocol: how was measured, in words; by heading.
        annotators: summaries of the annotators' disagreement, with the column ``comparison``.
        failures: cases without result: ``case``, ``domain``, ``reason``.
        left_out: what was not taken, and why.

    Returns:
        The path.
    """
    content = {
        "protocol": dict(protocol or {}),
        "scoring": scoring.to_dict(),
        "summaries": rates_by_threshold(summaries, scoring.thresholds),
        "annotators": [] if annotators is None else rates_by_threshold(annotators, scoring.thresholds),
        "failures": [dict(failure) for failure in failures],
        "left_out": [asdict(item) for item in left_out],
    }
    return write_json(path, content)


def rates_by_threshold(summaries: pd.DataFrame, thresholds: Thresholds) -> list[dict[str, Any]]:
    """A mapping for each summary, with ``sdr`` by the thresholds of its domain in place of the columns.

    Args:
        summaries: from :func:`~monai_gu2net.evaluation.summarize_rows` or
            :func:`~monai_gu2net.evaluation.compare_rows`; of the latter a rate has parts, ``a`` and so on.
        thresholds: those that the summaries were made with.
    """
    found = []
    for summary in summaries.to_dict("records"):
        rates: dict[str, Any] = {}
        for limit in thresholds_of(summary["domain"], summary["unit"], thresholds):
            column = f"sdr_{limit:g}"
            of_parts = {key.removeprefix(f"{column}_"): summary[key] for key in summary if key.startswith(f"{column}_")}
            rates[f"{limit:g}"] = of_parts or summary[column]
        found.append({key: value for key, value in summary.items() if not key.startswith("sdr_")} | {"sdr": rates})
    return found


def summary_table(title: str, summaries: pd.DataFrame) -> Table:
    """A table, one line per summary.

    Args:
        title: what it shows.
        summaries: from :func:`~monai_gu2net.evaluation.summarize_rows`; of whole domains, or of the landmarks
            of one domain, which are then numbered as in the pictures.

    Returns:
        The table. Every line says its unit; detection rates are percent; "-" is nothing to measure. The mean
        of the found landmarks has a column where some were not found.
    """
    rates = summaries.filter(regex="^sdr_")
    rates = rates.dropna(axis="columns", how="all") if rates.notna().any(axis=None) else rates  # not of other domains
    by_landmark = summaries["landmark"].notna().any()
    sign = "<" if (summaries["within"] == "<").any() else "≤"
    some_lost = summaries["not_found"].any()
    header = ["#", "Landmark"] if by_landmark else ["Domain"]
    header += ["Unit", "Images", "Landmarks", "Not found", "MRE", "95 % interval"]
    header += ["MRE of found"] if some_lost else []
    header += ["SD of found", "Median", *(f"SDR {sign} {column.removeprefix('sdr_')}" for column in rates)]
    lines = []
    for number, summary in enumerate(summaries.to_dict("records"), start=1):
        names = [str(number), summary["landmark"]] if by_landmark else [summary["domain"]]
        counts = [str(summary[key]) for key in ("images", "count", "not_found")]
        cells = [*names, summary["unit"], *counts, decimal(summary["mre"], 2)]
        cells.append(interval(summary["mre_low"], summary["mre_high"], 2))
        cells += [decimal(summary["mre_found"], 2)] if some_lost else []
        cells += [decimal(summary["std_found"], 2), decimal(summary["median"], 2)]
        lines.append([*cells, *(decimal(summary[column], 1) for column in rates)])
    return Table(title, header, lines, text_columns=2 if by_landmark else 1)


def decimal(value: float, digits: int) -> str:
    """The number with so many digits behind the point; "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def interval(low: float, high: float, digits: int) -> str:
    """Both ends of an interval; "-" for NaN."""
    return "-" if math.isnan(low) else f"{decimal(low, digits)} to {decimal(high, digits)}"


def jsonable(value: Any) -> Any:
    """The value with null for what is not finite and text for the thresholds."""
    if isinstance(value, Mapping):
        return {f"{key:g}" if isinstance(key, float) else key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write numbers and texts as JSON, whole or not at all; what is not finite is null."""
    text = json.dumps(jsonable(content), indent=2, ensure_ascii=False, allow_nan=False)
    return write_text_whole(path, text + "\n")
