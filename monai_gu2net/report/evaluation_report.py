# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: a folder of tables and pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from monai_gu2net.data.case_names import file_names
from monai_gu2net.evaluation.case_measurements import Measurements
from monai_gu2net.evaluation.protocol import ORIGINAL, Protocol
from monai_gu2net.evaluation.rescoring import rescore
from monai_gu2net.evaluation.result_table import Rows, result_table, write_csv, write_tables
from monai_gu2net.evaluation.shifted_levels import Levels, shifted_levels, summarize_shifts
from monai_gu2net.evaluation.summary import of_landmarks, summarize_rows
from monai_gu2net.evaluation.volume_thresholds import suited_thresholds
from monai_gu2net.files import LeftOut, left_out_lines, results_of_one_run, write_text_whole
from monai_gu2net.report.axis_section import axis_sections
from monai_gu2net.report.case_pictures import Case, write_case_pictures
from monai_gu2net.report.coverage_section import coverage_section
from monai_gu2net.report.document import Document, Part, Picture, Section
from monai_gu2net.report.measurement_report import measurement_sections
from monai_gu2net.report.rendering import render_markdown, write_page
from monai_gu2net.report.shift_section import shift_section
from monai_gu2net.report.tables import rates_by_threshold, summary_table, write_json
from monai_gu2net.uncertainty import Calibration
from monai_gu2net.visualize.curves import draw_cumulative_errors, draw_landmark_errors
from monai_gu2net.visualize.pictures import save_figure

__all__ = ["EvaluationResult", "write_report"]

_log = logging.getLogger(__name__)

_IN_DOUBT = (
    "The data names landmarks that may be annotated wrongly. Above they count like the others; here they do not."
)
_COUNTED = {
    "Pooling": "every annotated landmark weighs the same; one not found has the error inf",
    "95 % interval": "of the MRE: percentile bootstrap, images drawn with replacement",
}


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """What an evaluation gave, and where its report is.

    Args:
        path: of ``report.md``; the other files lie beside it.
        table: as evaluated, see :func:`~monai_gu2net.evaluation.result_table`.
        scored: the same as the protocol scores it, see :func:`~monai_gu2net.evaluation.rescore`.
        summaries: of ``scored``, see :func:`~monai_gu2net.evaluation.summarize_rows`.
        annotators: summaries of the annotators' disagreement, by domain, with the column ``comparison``.
        failures: cases without result: ``case``, ``domain``, ``reason``.
        left_out: what was not taken, and why.
    """

    path: Path
    table: pd.DataFrame
    scored: pd.DataFrame
    summaries: pd.DataFrame
    annotators: pd.DataFrame
    failures: Sequence[Mapping[str, str]]
    left_out: Sequence[LeftOut]

    @property
    def by_domain(self) -> pd.DataFrame:
        """The summaries of whole domains."""
        return self.summaries[self.summaries["landmark"].isna()]


def write_report(
    folder: str | os.PathLike[str],
    rows: Rows,
    *,
    images: Mapping[Case, str | os.PathLike[str]],
    scoring: Protocol = ORIGINAL,
    protocol: Mapping[str, str] | None = None,
    annotators: Mapping[str, Rows] | None = None,
    undoubted: Rows | None = None,
    calibrations: Mapping[str, Calibration] | None = None,
    measurements: Measurements | None = None,
    levels: Levels | None = None,
    failures: Sequence[Mapping[str, str]] = (),
    left_out: Sequence[LeftOut] = (),
    worst: int = 6,
) -> EvaluationResult:
    """Write tables, plots, and pictures of the worst and the median case of each domain.

    Files: ``report.md``, which shows the others; ``report.html``, the same on one page that needs no other
    file, see :func:`~monai_gu2net.report.write_page`; ``landmarks.csv`` (the table as given, whatever the
    protocol, so that it can be scored under another), ``scored.csv`` (as scored, where the protocol changes
    errors or leaves landmarks out), both as ``.parquet`` too, ``summary.csv``,
    ``summary.json``, ``curves.png``, ``per_landmark_DOMAIN.png``, ``overlays/DOMAIN_CASE.png`` and
    ``overlays.png``, all of them on one page; ``coverage.json`` and ``coverage.png`` where
    the rows have radii; ``measurements.csv`` and ``measurements.json`` where there is anything to measure;
    ``levels.csv`` where a domain has levels, such as vertebrae. Each is
    written whole or not at all. What needs annotated landmarks is left out where there are none; of such a domain the
    first cases are drawn. Of domains of volumes in mm there is ``axis_errors.csv`` too, and the default thresholds are
    1 to 4 voxels.

    Args:
        folder: where the files go; it is made. What an earlier report wrote there and this one does not is removed, see
            :func:`~monai_gu2net.files.results_of_one_run`.
        rows: see :func:`~monai_gu2net.evaluation.result_table`; as evaluated.
        images: (domain, case) -> image file, in whose pixels the rows' points are. A case without one, or
            whose file cannot be read, has no picture, and the report says so.
        scoring: how the rows are scored, see :class:`~monai_gu2net.evaluation.Protocol`.
        protocol: what else makes the numbers comparable, by heading: model, data.
        annotators: the table of each comparison of annotators, see :func:`~monai_gu2net.evaluation.annotator_rows`.
        undoubted: see :func:`~monai_gu2net.evaluation.undoubted_rows`.
        calibrations: by domain, those that the rows' radii come from.
        measurements: by domain, see :func:`~monai_gu2net.evaluation.measure_rows`; by default the built-in ones.
        levels: by domain, see :func:`~monai_gu2net.evaluation.shifted_levels`; by default those that names tell.
        failures: cases without result: ``case``, ``domain``, ``reason``.
        left_out: what was not taken, and why.
        worst: number of worst cases to draw in each domain, by their mean error; 0: no pictures of cases.

    Returns:
        The result.

    Raises:
        ValueError: a row breaks its rule or lacks what the protocol needs, or the protocol's thresholds have none for
            a domain.
    """
    folder = Path(folder)
    table = result_table(rows)
    scored = rescore(table, scoring)
    given = scoring.thresholds
    scoring = replace(scoring, thresholds=suited_thresholds(scored, given))
    summaries = summarize_rows(scored, thresholds=scoring.thresholds, strict=scoring.strict)
    raters = {comparison: result_table(of) for comparison, of in (annotators or {}).items()}
    apart = _annotators(raters, scoring)
    known = result_table([] if undoubted is None else undoubted)
    sure = summarize_rows(rescore(known, scoring), thresholds=scoring.thresholds, strict=scoring.strict)
    sure = sure[sure["landmark"].isna()]
    facts = {**scoring.words(table["domain"].unique()), **_COUNTED, **(protocol or {})}
    voxels = "the side of a cube as large as a voxel, times 1, 2, 3 and 4"
    facts |= {"Thresholds of volumes": voxels} if scoring.thresholds is not given else {}
    own = replace(ORIGINAL, left_out=scoring.left_out)  # the scale of the files, as the radii are
    in_own_scale = rescore(table, own)
    known_in_own_scale = rescore(known, own)
    shifts = shifted_levels(in_own_scale, levels)
    shifted, surely_shifted = summarize_shifts(shifts), summarize_shifts(shifted_levels(known_in_own_scale, levels))
    path = folder / "report.md"
    result = EvaluationResult(path, table, scored, summaries, apart, failures, left_out)
    with results_of_one_run(folder, kind="report"):
        write_tables(folder, {"landmarks": table} | ({"scored": scored} if scoring.changes_rows else {}))
        write_csv(folder / "summary.csv", summaries)
        if not shifts.empty:
            write_csv(folder / "levels.csv", shifts)
        content = {
            "protocol": facts,
            "scoring": scoring.to_dict(),
            "summaries": rates_by_threshold(summaries, scoring.thresholds),
            "annotators": rates_by_threshold(apart, scoring.thresholds),
            "without_doubtful": rates_by_threshold(sure, scoring.thresholds),
            "shifts": shifted.to_dict("records"),
            "shifts_without_doubtful": surely_shifted.to_dict("records"),
            "failures": failures,
            "left_out": [asdict(item) for item in left_out],
        }
        write_json(folder / "summary.json", content)
        sections = [Section("What was measured", [facts]), _by_domain(folder, result)]
        if not sure.empty:
            sections.append(Section("Without landmarks in doubt", [[_IN_DOUBT], summary_table("Without them", sure)]))
        if not apart.empty:
            named = apart.assign(domain=apart["domain"] + ": " + apart["comparison"])
            title = "Disagreement of the annotators"
            sections.append(Section(title, [summary_table(title, named)]))
        raters = {comparison: rescore(of, own) for comparison, of in raters.items()}
        sections += shift_section(shifted, surely_shifted)
        sections += coverage_section(folder, in_own_scale, calibrations or {})
        sections += measurement_sections(folder, in_own_scale, measurements, raters, known_in_own_scale)
        sections += _by_landmark(folder, scored, summaries)
        sections += axis_sections(folder, in_own_scale)
        cases = write_case_pictures(folder, scored, images, worst)
        sections += [Section("Cases", [cases])] if cases else []
        doubts = _doubts(table)
        sections += [Section("Doubtful domains", [doubts])] if doubts else []
        sections.append(Section("Left out", [left_out_lines(left_out) or "Nothing."]))
        failed = [f"{failure['domain']} {failure['case']}: {failure['reason']}" for failure in failures]
        sections.append(Section("Failures", [failed or "None."]))
        document = Document("Landmark detection: results", sections)
        write_page(folder / "report.html", document)
        write_text_whole(path, render_markdown(document))
    return result


def _annotators(annotators: Mapping[str, pd.DataFrame], scoring: Protocol) -> pd.DataFrame:
    """Summaries of whole domains, each with its comparison, domain by domain."""
    summaries = {
        comparison: summarize_rows(rescore(of, scoring), thresholds=scoring.thresholds, strict=scoring.strict)
        for comparison, of in annotators.items()
    }
    if not summaries:
        return pd.DataFrame()
    table = pd.concat(summaries, names=["comparison"]).reset_index("comparison")
    totals = table[table["landmark"].isna()]
    order = pd.factorize(totals["domain"])[0].argsort(kind="stable")
    return totals.iloc[order].reset_index(drop=True)


def _by_domain(folder: Path, result: EvaluationResult) -> Section:
    """Table of all domains, their physical scale, and the plot of all curves."""
    totals = result.by_domain
    if totals.empty:
        return Section("By domain", ["No case has a result."])
    scales = [_scale_line(total) for total in totals.to_dict("records")]
    parts: list[Part] = [summary_table("By domain", totals), scales]
    if totals["count"].any():
        save_figure(draw_cumulative_errors(result.scored), folder / "curves.png")
        parts.append(Picture("curves.png", "Share of landmarks within a radial error"))
    return Section("By domain", parts)


def _by_landmark(folder: Path, table: pd.DataFrame, summaries: pd.DataFrame) -> list[Section]:
    """Table and plot of each domain and unit."""
    groups = dict(iter(table.groupby(["domain", "unit"], sort=False)))
    plain = len({domain for domain, _ in groups}) == len(groups)
    names = file_names({group: group[:1] if plain else group for group in groups})
    sections = []
    for (domain, unit), rows in groups.items():
        title = f"Landmarks of {domain} ({unit})"
        parts: list[Part] = [summary_table(title, of_landmarks(summaries, domain, unit))]
        if rows["error"].notna().any():
            path = f"per_landmark_{names[domain, unit]}.png"
            save_figure(draw_landmark_errors(rows), folder / path)
            parts.append(Picture(path, f"Errors by landmark of {domain}"))
        sections.append(Section(title, parts))
    return sections


def _doubts(table: pd.DataFrame) -> list[str]:
    """What speaks against the domain of each case of which anything does."""
    if "domain_doubt" not in table:
        return []
    of_cases = table[["domain", "case", "domain_doubt"]].drop_duplicates()
    lines = of_cases[of_cases["domain_doubt"] != ""].itertuples(index=False)
    return [f"{domain} {case}: {doubt}" for domain, case, doubt in lines]


def _scale_line(total: Mapping[str, Any]) -> str:
    source = ", ".join(total["spacing_source"]) or "not stated"
    return (
        f"{total['domain']}: {total['count']} annotated landmarks in {total['images']} images; "
        f"in {total['unit']}, spacing from: {source}"
    )
