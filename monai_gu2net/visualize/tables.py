# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Summaries as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai_gu2net.landmarks.formats.parsing import write_text_whole

__all__ = ["markdown_text", "summary_markdown", "write_summary_csv", "write_summary_json"]

Summaries = Sequence[Mapping[str, Any]]


def write_summary_csv(path: str | os.PathLike[str], summaries: Summaries) -> Path:
    """Write summaries as CSV, whole or not at all.

    Args:
        path: the file; its folder is made.
        summaries: from :func:`~monai_gu2net.visualize.summarize_rows`. A detection rate in percent has the
            column ``sdr_THRESHOLD``; ``landmark`` is empty for all landmarks of the domain. Nothing to
            measure (NaN) is an empty field.

    Returns:
        The path.
    """
    thresholds = _thresholds(summaries)
    scalars = [key for key in (summaries[0] if summaries else ()) if key != "sdr"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*scalars, *(f"sdr_{threshold:g}" for threshold in thresholds)])
    for summary in summaries:
        values = [summary[key] for key in scalars] + [summary["sdr"].get(t) for t in thresholds]
        values = [" ".join(value) if isinstance(value, list) else value for value in values]
        writer.writerow(["" if value is None or value != value else value for value in values])
    return write_text_whole(path, text.getvalue())


def write_summary_json(
    path: str | os.PathLike[str],
    summaries: Summaries,
    *,
    protocol: Mapping[str, str] | None = None,
    failures: Iterable[Mapping[str, str]] = (),
) -> Path:
    """Write summaries as JSON, whole or not at all.

    Args:
        path: the file; its folder is made.
        summaries: from :func:`~monai_gu2net.visualize.summarize_rows`. JSON knows neither NaN nor inf: both
            are null; a mean that is inf has ``not_found`` above 0.
        protocol: how was measured; by heading.
        failures: cases without result: ``case``, ``domain``, ``reason``.

    Returns:
        The path.
    """
    content = {
        "protocol": dict(protocol or {}),
        "summaries": [_jsonable(summary) for summary in summaries],
        "failures": [dict(failure) for failure in failures],
    }
    return write_text_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def summary_markdown(summaries: Summaries) -> str:
    """A Markdown table, one line per summary.

    Args:
        summaries: from :func:`~monai_gu2net.visualize.summarize_rows`; of whole domains, or of the landmarks
            of one domain, which are then numbered as in the pictures.

    Returns:
        The table with a line break at its end. Every line says its unit; detection rates are percent; "-" is
        nothing to measure. The mean of the found landmarks has a column where some were not found.
    """
    thresholds = _thresholds(summaries)
    by_landmark = any(summary["landmark"] is not None for summary in summaries)
    some_lost = any(summary["not_found"] for summary in summaries)
    header = ["#", "Landmark"] if by_landmark else ["Domain"]
    header += ["Unit", "Images", "Landmarks", "Not found", "MRE", "95 % interval"]
    header += ["MRE of found"] if some_lost else []
    header += ["SD of found", "Median", *(f"SDR ≤ {threshold:g}" for threshold in thresholds)]
    lines = [
        header,
        ["---"] * (2 if by_landmark else 1) + ["---:"] * (len(header) - (2 if by_landmark else 1)),
    ]
    for number, summary in enumerate(summaries, start=1):
        low, high = summary["mre_low"], summary["mre_high"]
        names = [str(number), summary["landmark"] or "all"] if by_landmark else [summary["domain"]]
        counts = [str(summary[key]) for key in ("images", "count", "not_found")]
        cells = [*names, summary["unit"], *counts, _decimal(summary["mre"], 2)]
        cells.append("-" if math.isnan(low) else f"{_decimal(low, 2)} to {_decimal(high, 2)}")
        cells += [_decimal(summary["mre_found"], 2)] if some_lost else []
        cells += [_decimal(summary["std_found"], 2), _decimal(summary["median"], 2)]
        cells += [_decimal(summary["sdr"].get(threshold, math.nan), 1) for threshold in thresholds]
        lines.append([markdown_text(cell) for cell in cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown_text(text: str) -> str:
    """The text with nothing in it that Markdown or HTML would take for markup, on one line."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*[]|" else letter for letter in text)
    return " ".join(escaped.replace("&", "&amp;").replace("<", "&lt;").split())


def _thresholds(summaries: Summaries) -> list[float]:
    return sorted({threshold for summary in summaries for threshold in summary["sdr"]})


def _decimal(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _jsonable(value: Any) -> Any:
    """The value with null for what is not finite and text for the thresholds."""
    if isinstance(value, Mapping):
        return {f"{key:g}" if isinstance(key, float) else key: _jsonable(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
