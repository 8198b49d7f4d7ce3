# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison of result tables as tables, files and a page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from monai_gu2net.data.case_names import file_names
from monai_gu2net.evaluation.comparison import Comparison
from monai_gu2net.evaluation.result_table import write_csv
from monai_gu2net.evaluation.summary import of_landmarks
from monai_gu2net.files import results_of_one_run, write_text_whole
from monai_gu2net.report.document import Document, Part, Picture, Section, Table
from monai_gu2net.report.rendering import render_markdown, write_page
from monai_gu2net.report.tables import rates_by_threshold, table_of, write_json
from monai_gu2net.visualize.compare_plots import draw_compared_curves, draw_differences
from monai_gu2net.visualize.pictures import save_figure

__all__ = ["comparison_notes", "difference_table", "rate_table", "write_comparison"]

_HOW = {
    "Landmarks": "those annotated in both tables; means and differences are over those that both found, "
    "detection rates count one that was not found as a miss",
    "95 % interval": "of the difference: percentile bootstrap, images drawn with replacement, both tables together",
    "p": "two-sided, of the same bootstrap; not adjusted for the number of comparisons",
    "Better": "percent of the images with a smaller mean error; the rest is worse or equal",
}


def difference_table(
    title: str, comparison: Comparison, *, names: Sequence[str], group: tuple[str, str] | None = None
) -> Table:
    """Mean radial errors and their difference.

    Args:
        title: what it shows.
        comparison: from :func:`~monai_gu2net.evaluation.compare_rows`.
        names: of the two tables.
        group: (domain, unit) whose landmarks to list; by default the domains as wholes.

    Returns:
        The table; "-" is not known.
    """
    first, second = names
    columns = {"Domain": "{domain}"} if group is None else {"#": "{number}", "Landmark": "{landmark}"}
    words = len(columns)
    columns |= {"Unit": "{unit}", "Images": "{images}", "Landmarks": "{count}"}
    columns |= {f"Not found {first}": "{not_found_a}", f"Not found {second}": "{not_found_b}"}
    columns |= {f"MRE {first}": "{mre_a:.2f}", f"MRE {second}": "{mre_b:.2f}"}
    columns |= _difference(3) | {"Better": "{better:.0f}", "Worse": "{worse:.0f}"}
    return table_of(title, _select(comparison, group), columns, text_columns=words)


def rate_table(title: str, comparison: Comparison, *, names: Sequence[str]) -> Table:
    """Detection rates of whole domains in percent, and their difference in points.

    Args:
        title: what it shows.
        comparison: from :func:`~monai_gu2net.evaluation.compare_rows`.
        names: of the two tables.

    Returns:
        The table.
    """
    rates = [
        {"domain": summary["domain"], "unit": summary["unit"], "threshold": threshold, **rate}
        for summary in rates_by_threshold(_select(comparison, None), comparison.thresholds)
        for threshold, rate in summary["sdr"].items()
    ]
    columns = {"Domain": "{domain}", "Threshold": "{threshold} {unit}"}
    columns |= {f"SDR {names[0]}": "{a:.1f}", f"SDR {names[1]}": "{b:.1f}"} | _difference(2)
    return table_of(title, pd.DataFrame(rates), columns)


def comparison_notes(comparison: Comparison, *, names: Sequence[str]) -> list[str]:
    """What is not the same in both tables, a line for each case; empty where all is.

    Args:
        comparison: from :func:`~monai_gu2net.evaluation.compare_rows`.
        names: of the two tables.
    """
    differences = [
        (f"only in {names[0]}", comparison.only_a),
        (f"only in {names[1]}", comparison.only_b),
        ("compared, though reference or spacing differ", comparison.other_reference),
    ]
    return [
        f"{domain} {case}: {len(found)} annotated landmarks {what}: {', '.join(found)}"
        for what, places in differences
        for (domain, case), found in places.groupby(["domain", "case"], sort=False)["landmark"]
    ]


def write_comparison(
    folder: str | os.PathLike[str],
    comparison: Comparison,
    *,
    names: Sequence[str] = ("A", "B"),
    protocol: Mapping[str, str] | None = None,
) -> Path:
    """Write a comparison of two tables as files.

    Files: ``compare.md``, ``compare.html`` (the same on one page that needs no other file), ``compare.csv`` (a
    line for each domain and landmark), ``compare.json`` (all of it, with what is not the same in both; null is
    NaN), ``compare_curves.png`` and ``compare_DOMAIN.png``. Each is written whole or not at all.

    Args:
        folder: where the files go; it is made.
        comparison: from :func:`~monai_gu2net.evaluation.compare_rows`.
        names: of the two tables.
        protocol: what else to say, by heading: which files were compared.

    Returns:
        The path of ``compare.md``.
    """
    folder, (first, second) = Path(folder), names
    conditions = {
        **(protocol or {}),
        "Difference": f"{second} - {first}; below 0 {second} has the smaller error",
        **_HOW,
    }
    notes = comparison_notes(comparison, names=names)
    with results_of_one_run(folder, kind="comparison"):
        write_csv(folder / "compare.csv", comparison.summaries)
        content = {
            "names": [first, second],
            "protocol": conditions,
            "summaries": rates_by_threshold(comparison.summaries, comparison.thresholds),
            "only_a": comparison.only_a.to_dict("records"),
            "only_b": comparison.only_b.to_dict("records"),
            "other_reference": comparison.other_reference.to_dict("records"),
        }
        write_json(folder / "compare.json", content)
        save_figure(draw_compared_curves(comparison, names=names), folder / "compare_curves.png")
        curves = Picture("compare_curves.png", f"Share of landmarks within a radial error: {first} and {second}")
        sections = [
            Section("What was compared", [conditions]),
            Section("By domain", [difference_table("By domain", comparison, names=names), curves]),
            Section("Detection rates", [rate_table("Detection rates", comparison, names=names)]),
            *_by_landmark(folder, comparison, names),
            Section("What differs beside the predictions", [notes or "Nothing."]),
        ]
        document = Document(f"Comparison: {first} and {second}", sections)
        write_page(folder / "compare.html", document)
        return write_text_whole(folder / "compare.md", render_markdown(document))


def _by_landmark(folder: Path, comparison: Comparison, names: Sequence[str]) -> Iterator[Section]:
    """Table and plot of each domain and unit."""
    groups = list(comparison.summaries[["domain", "unit"]].drop_duplicates().itertuples(index=False, name=None))
    plain = len({domain for domain, _ in groups}) == len(groups)
    stems = file_names({group: ("compare", *(group[:1] if plain else group)) for group in groups})
    for group in groups:
        path = f"{stems[group]}.png"
        title = f"Landmarks of {group[0]} ({group[1]})"
        save_figure(draw_differences(_select(comparison, group), names=names), folder / path)
        parts: list[Part] = [difference_table(title, comparison, names=names, group=group)]
        yield Section(title, [*parts, Picture(path, f"Difference of mean errors by landmark of {group[0]}")])


def _select(comparison: Comparison, group: tuple[str, str] | None) -> pd.DataFrame:
    """Summaries of the domains as wholes, or of the landmarks of one."""
    summaries = comparison.summaries
    return summaries[summaries["landmark"].isna()] if group is None else of_landmarks(summaries, *group)


def _difference(digits: int) -> dict[str, str]:
    """Columns of the difference, its interval and its p-value."""
    signed = f"+.{digits}f"
    interval = f"{{low:{signed}}} to {{high:{signed}}}"
    return {"Difference": f"{{difference:{signed}}}", "95 % interval": interval, "p": "{p:.2g}"}
