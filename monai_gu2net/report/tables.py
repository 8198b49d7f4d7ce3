# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Summaries as CSV, JSON and tables."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any

import pandas as pd

from monai_gu2net.evaluation.summary import Thresholds, thresholds_of
from monai_gu2net.files import write_text_whole
from monai_gu2net.report.document import Table

__all__ = ["jsonable", "rates_by_threshold", "summary_table", "table_of", "with_and_without_doubtful", "write_json"]


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
    columns = {"#": "{number}", "Landmark": "{landmark}"} if by_landmark else {"Domain": "{domain}"}
    columns |= {"Unit": "{unit}", "Images": "{images}", "Landmarks": "{count}", "Not found": "{not_found}"}
    columns |= {"MRE": "{mre:.2f}", "95 % interval": "{mre_low:.2f} to {mre_high:.2f}"}
    columns |= {"MRE of found": "{mre_found:.2f}"} if summaries["not_found"].any() else {}
    columns |= {"SD of found": "{std_found:.2f}", "Median": "{median:.2f}"}
    columns |= {f"SDR {sign} {column.removeprefix('sdr_')}": f"{{{column}:.1f}}" for column in rates}
    return table_of(title, summaries, columns, text_columns=2 if by_landmark else 1)


def table_of(title: str, rows: pd.DataFrame, columns: Mapping[str, str], *, text_columns: int = 1) -> Table:
    """A table for readers.

    Args:
        title: what it shows.
        rows: what it is made of.
        columns: header -> format of the cell, in which "{mre:.2f}" is the row's ``mre`` with two digits and "{number}"
            the row's number from 1. A cell that has nothing but NaN to show is "-".
        text_columns: see :class:`~monai_gu2net.report.Table`.
    """
    records = [{"number": number, **row} for number, row in enumerate(rows.to_dict("records"), start=1)]
    lines = [[_cell(form, row) for form in columns.values()] for row in records]
    return Table(title, list(columns), lines, text_columns=text_columns)


def with_and_without_doubtful(rows: pd.DataFrame, without: pd.DataFrame) -> pd.DataFrame:
    """The rows, each followed by the one without landmarks in doubt of its ``domain``, where there is any."""
    named = without.assign(domain=without["domain"] + ", without doubtful") if len(without) else without
    order = [*rows.get("domain", ()), *without.get("domain", ())]
    both = pd.concat([rows, named], ignore_index=True)
    return both.iloc[pd.factorize(pd.Series(order, dtype=object))[0].argsort(kind="stable")]


def _cell(form: str, row: Mapping[str, Any]) -> str:
    cell = ""
    for text, column, spec, _ in Formatter().parse(form):  # str.format takes the point of "sdr_2.5" for an attribute's
        if column and row[column] != row[column]:
            return "-"
        cell += text + (format(row[column], (spec or "").format_map(row)) if column else "")
    return cell


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
