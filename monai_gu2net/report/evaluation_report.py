# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: a folder of tables and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_gu2net.evaluation.case_measurements import Measurements
from monai_gu2net.evaluation.protocol import ORIGINAL, Protocol
from monai_gu2net.evaluation.rescoring import rescore
from monai_gu2net.evaluation.result_table import checked_rows, write_rows
from monai_gu2net.evaluation.summary import summarize_rows
from monai_gu2net.files import LeftOut, left_out_lines, results_of_one_run, write_text_whole
from monai_gu2net.report.case_pictures import Case, Rows, file_names, write_case_pictures
from monai_gu2net.report.coverage_section import coverage_section
from monai_gu2net.report.document import Document, Part, Picture, Section
from monai_gu2net.report.measurement_report import measurement_sections
from monai_gu2net.report.rendering import render_markdown, write_page
from monai_gu2net.report.tables import summary_table, write_summary_csv, write_summary_json
from monai_gu2net.uncertainty import Calibration
from monai_gu2net.visualize.curves import draw_cumulative_errors, draw_landmark_errors
from monai_gu2net.visualize.pictures import save_figure

__all__ = ["write_report"]

_COUNTED = {
    "Pooling": "every annotated landmark weighs the same; one not found has the error inf",
    "95 % interval": "of the MRE: percentile bootstrap, images drawn with replacement",
}


def write_report(
    folder: str | os.PathLike[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    images: Mapping[Case, str | os.PathLike[str]],
    scoring: Protocol = ORIGINAL,
    protocol: Mapping[str, str] | None = None,
    annotators: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
    calibrations: Mapping[str, Calibration] | None = None,
    measurements: Measurements | None = None,
    failures: Sequence[Mapping[str, str]] = (),
    left_out: Sequence[LeftOut] = (),
    worst: int = 6,
) -> Path:
    """Write tables, plots, and pictures of the worst and the median case of each domain.

    Files: ``report.md``, which shows the others; ``report.html``, the same on one page that needs no other
    file, see :func:`~monai_gu2net.report.write_page`; ``landmarks.csv`` (the rows as given, whatever the
    protocol, so that they can be scored under another), ``scored.csv`` (as scored, where the protocol changes
    errors or leaves landmarks out), ``summary.csv``,
    ``summary.json``, ``curves.png``, ``per_landmark_DOMAIN.png``, ``overlays/DOMAIN_CASE.png`` and
    ``overlays.png``, all of them on one page; ``coverage.json`` and ``coverage.png`` where
    the rows have radii; ``measurements.csv`` and ``measurements.json`` where there is anything to measure. Each is
    written whole or not at all. What needs annotated landmarks is left out where there are none; of such a domain the
    first cases are drawn. Volumes are not.

    Args:
        folder: where the files go; it is made. What an earlier report wrote there and this one does not is removed, see
            :func:`~monai_gu2net.files.results_of_one_run`.
        rows: see :func:`~monai_gu2net.evaluation.checked_rows`; as evaluated.
        images: (domain, case) -> image file, in whose pixels the rows' points are. A case without one, or
            whose file cannot be read, has no picture, and the report says so.
        scoring: how the rows are scored, see :class:`~monai_gu2net.evaluation.Protocol`.
        protocol: what else makes the numbers comparable, by heading: model, data.
        annotators: rows of each comparison of annotators, see :func:`~monai_gu2net.evaluation.annotator_rows`.
        calibrations: by domain, those that the rows' radii come from.
        measurements: by domain, see :func:`~monai_gu2net.evaluation.measure_rows`; by default the built-in ones.
        failures: cases without result: ``case``, ``domain``, ``reason``.
        left_out: what was not taken, and why.
        worst: number of worst cases to draw in each domain, by their mean error; 0: no pictures of cases.

    Returns:
        The path of ``report.md``.

    Raises:
        ValueError: a row breaks its rule or lacks what the protocol needs, or the protocol's thresholds have none for
            a domain.
    """
    folder = Path(folder)
    given = checked_rows(rows)
    checked = rescore(given, scoring)
    groups: dict[Case, Rows] = {}
    for row in checked:
        groups.setdefault((row["domain"], row["unit"]), []).append(row)
    summaries = summarize_rows(checked, thresholds=scoring.thresholds, strict=scoring.strict)
    raters = {comparison: list(of) for comparison, of in (annotators or {}).items()}
    apart = _annotators(raters, scoring)
    told = {**scoring.words(dict.fromkeys(row["domain"] for row in given)), **_COUNTED, **(protocol or {})}
    with results_of_one_run(folder, kind="report"):
        write_rows(folder / "landmarks.csv", given)
        if scoring.changes_rows:
            write_rows(folder / "scored.csv", checked)
        write_summary_csv(folder / "summary.csv", summaries)
        write_summary_json(
            folder / "summary.json",
            summaries,
            protocol=told,
            scoring=scoring.to_dict(),
            annotators=apart,
            failures=failures,
            left_out=left_out,
        )

        sections = [Section("What was measured", [told]), _by_domain(folder, checked, summaries)]
        if apart:
            named = [summary | {"domain": f"{summary['domain']}: {summary['comparison']}"} for summary in apart]
            title = "Disagreement of the annotators"
            sections.append(Section(title, [summary_table(title, named)]))
        in_own_scale = rescore(given, replace(ORIGINAL, left_out=scoring.left_out))  # as the radii are
        sections += coverage_section(folder, in_own_scale, calibrations or {})
        sections += measurement_sections(
            folder,
            in_own_scale,
            measurements,
            {
                comparison: rescore(of, replace(ORIGINAL, left_out=scoring.left_out))
                for comparison, of in raters.items()
            },
        )
        sections += _by_landmark(folder, groups, summaries)
        cases = write_case_pictures(folder, groups, images, worst)
        sections += [Section("Cases", [cases])] if cases else []
        sections.append(Section("Left out", [left_out_lines(left_out) or "Nothing."]))
        failed = [f"{failure['domain']} {failure['case']}: {failure['reason']}" for failure in failures]
        sections.append(Section("Failures", [failed or "None."]))
        document = Document("Landmark detection: results", sections)
        write_page(folder / "report.html", document)
        return write_text_whole(folder / "report.md", render_markdown(document))


def _annotators(annotators: Mapping[str, Iterable[Mapping[str, Any]]], scoring: Protocol) -> list[dict[str, Any]]:
    """Summaries of whole domains, each with its comparison, domain by domain."""
    summaries = [
        {"comparison": comparison, **summary}
        for comparison, rows in annotators.items()
        for summary in summarize_rows(rescore(rows, scoring), thresholds=scoring.thresholds, strict=scoring.strict)
        if summary["landmark"] is None
    ]
    domains = list(dict.fromkeys(summary["domain"] for summary in summaries))
    return sorted(summaries, key=lambda summary: domains.index(summary["domain"]))


def _by_domain(folder: Path, rows: Rows, summaries: Sequence[Mapping[str, Any]]) -> Section:
    """Table of all domains, their physical scale, and the plot of all curves."""
    totals = [summary for summary in summaries if summary["landmark"] is None]
    if not totals:
        return Section("By domain", ["No case has a result."])
    parts: list[Part] = [summary_table("By domain", totals), [_scale_line(total) for total in totals]]
    if any(total["count"] for total in totals):
        save_figure(draw_cumulative_errors(rows), folder / "curves.png")
        parts.append(Picture("curves.png", "Share of landmarks within a radial error"))
    return Section("By domain", parts)


def _by_landmark(folder: Path, groups: Mapping[Case, Rows], summaries: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Table and plot of each domain and unit."""
    plain = len({domain for domain, _ in groups}) == len(groups)
    names = file_names({group: group[:1] if plain else group for group in groups})
    sections = []
    for (domain, unit), rows in groups.items():
        own = [s for s in summaries if (s["domain"], s["unit"]) == (domain, unit) and s["landmark"] is not None]
        title = f"Landmarks of {domain} ({unit})"
        parts: list[Part] = [summary_table(title, own)]
        if any(summary["count"] for summary in own):
            path = f"per_landmark_{names[domain, unit]}.png"
            save_figure(draw_landmark_errors(rows), folder / path)
            parts.append(Picture(path, f"Errors by landmark of {domain}"))
        sections.append(Section(title, parts))
    return sections


def _scale_line(total: Mapping[str, Any]) -> str:
    source = ", ".join(total["spacing_source"]) or "not stated"
    return (
        f"{total['domain']}: {total['count']} annotated landmarks in {total['images']} images; "
        f"in {total['unit']}, spacing from: {source}"
    )
