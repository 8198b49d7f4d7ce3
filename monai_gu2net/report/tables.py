# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Summaries as CSV, JSON and tables."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from monai_gu2net.files import LeftOut, csv_text, write_text_whole
from monai_gu2net.report.document import Table

__all__ = ["decimal", "jsonable", "summary_table", "write_summary_csv", "write_summary_json"]

Summaries = Sequence[Mapping[str, Any]]


def write_summary_csv(path: str | os.PathLike[str], summaries: Summaries) -> Path:
    """Write summaries as CSV, whole or not at all.

    Args:
        path: the file; its folder is made.
        summaries: from :func:`~monai_gu2net.evaluation.summarize_rows`. A detection rate in percent has the
            column ``sdr_THRESHOLD``; ``landmark`` is empty for all landmarks of the domain. Nothing to
            measure (NaN) is an empty field.

    Returns:
        The path.
    """
    thresholds = _thresholds(summaries)
    scalars = [key for key in (summaries[0] if summaries else ()) if key != "sdr"]
    lines = [[*scalars, *(f"sdr_{threshold:g}" for threshold in thresholds)]]
    for summary in summaries:
        values = [summary[key] for key in scalars] + [summary["sdr"].get(t) for t in thresholds]
        lines.append([" ".join(value) if isinstance(value, list) else value for value in values])
    return write_text_whole(path, csv_text(lines))


def write_summary_json(
    path: str | os.PathLike[str],
    summaries: Summaries,
    *,
    protocol: Mapping[str, str] | None = None,
    scoring: Mapping[str, Any] | None = None,
    annotators: Summaries = (),
    failures: Iterable[Mapping[str, str]] = (),
    left_out: Iterable[LeftOut] = (),
) -> Path:
    """Write summaries as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        summaries: from :func:`~monai_gu2net.evaluation.summarize_rows`. JSON knows neither NaN nor inf: both
            are null; a mean that is inf has ``not_found`` above 0.
        protocol: how was measured; by heading.
        scoring: the same for programs, see :class:`~monai_gu2net.evaluation.Protocol`.
        annotators: summaries of the annotators' disagreement, each with its ``comparison``.
        failures: cases without result: ``case``, ``domain``, ``reason``.
        left_out: what was not taken, and why.

    Returns:
        The path.
    """
    content = {
        "protocol": dict(protocol or {}),
        "scoring": dict(scoring or {}),
        "summaries": [jsonable(summary) for summary in summaries],
        "annotators": [jsonable(summary) for summary in annotators],
        "failures": [dict(failure) for failure in failures],
        "left_out": [asdict(item) for item in left_out],
    }
    return write_text_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def summary_table(title: str, summaries: Summaries) -> Table:
    """A table, one line per summary.

    Args:
        title: what it shows.
        summaries: from :func:`~monai_gu2net.evaluation.summarize_rows`; of whole domains, or of the landmarks
            of one domain, which are then numbered as in the pictures.

    Returns:
        The table. Every line says its unit; detection rates are percent; "-" is nothing to measure. The mean
        of the found landmarks has a column where some were not found.
    """
    thresholds = _thresholds(summaries)
    by_landmark = any(summary["landmark"] is not None for summary in summaries)
    sign = "<" if any(summary["within"] == "<" for summary in summaries) else "≤"
    some_lost = any(summary["not_found"] for summary in summaries)
    header = ["#", "Landmark"] if by_landmark else ["Domain"]
    header += ["Unit", "Images", "Landmarks", "Not found", "MRE", "95 % interval"]
    header += ["MRE of found"] if some_lost else []
    header += ["SD of found", "Median", *(f"SDR {sign} {threshold:g}" for threshold in thresholds)]
    lines = []
    for number, summary in enumerate(summaries, start=1):
        low, high = summary["mre_low"], summary["mre_high"]
        names = [str(number), summary["landmark"] or "all"] if by_landmark else [summary["domain"]]
        counts = [str(summary[key]) for key in ("images", "count", "not_found")]
        cells = [*names, summary["unit"], *counts, decimal(summary["mre"], 2)]
        cells.append("-" if math.isnan(low) else f"{decimal(low, 2)} to {decimal(high, 2)}")
        cells += [decimal(summary["mre_found"], 2)] if some_lost else []
        cells += [decimal(summary["std_found"], 2), decimal(summary["median"], 2)]
        cells += [decimal(summary["sdr"].get(threshold, math.nan), 1) for threshold in thresholds]
        lines.append(cells)
    return Table(title, header, lines, text_columns=2 if by_landmark else 1)


def decimal(value: float, digits: int) -> str:
    """The number with so many digits behind the point; "-" for NaN."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def jsonable(value: Any) -> Any:
    """The value with null for what is not finite and text for the thresholds."""
    if isinstance(value, Mapping):
        return {f"{key:g}" if isinstance(key, float) else key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _thresholds(summaries: Summaries) -> list[float]:
    return sorted({threshold for summary in summaries for threshold in summary["sdr"]})
