# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: a folder of tables and pictures."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from monai_gu2net.landmarks.formats.parsing import write_text_whole
from monai_gu2net.transforms.load import LoadRadiographd
from monai_gu2net.visualize.curves import draw_cumulative_errors, draw_landmark_errors
from monai_gu2net.visualize.overlay import draw_landmarks
from monai_gu2net.visualize.pictures import contact_sheet, save_figure, save_picture
from monai_gu2net.visualize.rows import checked_rows, write_rows
from monai_gu2net.visualize.summary import DEFAULT_THRESHOLDS, Thresholds, summarize_rows
from monai_gu2net.visualize.tables import (
    markdown_text,
    summary_markdown,
    write_summary_csv,
    write_summary_json,
)

__all__ = ["write_report"]

Case = tuple[str, str]
Rows = list[dict[str, Any]]

_MEASURED = {
    "Radial error": "distance between sub-pixel prediction and reference in the original image's pixels, "
    "times the spacing where the unit is mm",
    "Detection rate (SDR)": "percent of the annotated landmarks within a threshold (≤); not found is a miss",
    "Pooling": "every annotated landmark weighs the same; one not found has the error inf",
    "95 % interval": "of the MRE: percentile bootstrap, images drawn with replacement",
}


def write_report(
    folder: str | os.PathLike[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    images: Mapping[Case, str | os.PathLike[str]],
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    protocol: Mapping[str, str] | None = None,
    failures: Sequence[Mapping[str, str]] = (),
    worst: int = 6,
) -> Path:
    """Write tables, plots, and pictures of the worst and the median case of each domain.

    Files: ``report.md``, which shows the others; ``landmarks.csv`` (the rows), ``summary.csv``,
    ``summary.json``, ``curves.png``, ``per_landmark_DOMAIN.png``, ``overlays/DOMAIN_CASE.png`` and
    ``overlays.png``, all of them on one page. Each is written whole or not at all. What needs annotated
    landmarks is left out where there are none; of such a domain the first cases are drawn. Volumes are not.

    Args:
        folder: where the files go; it is made.
        rows: see :func:`~monai_gu2net.visualize.checked_rows`.
        images: (domain, case) -> image file, in whose pixels the rows' points are. A case without one, or
            whose file cannot be read, has no picture, and the report says so.
        thresholds: see :func:`~monai_gu2net.visualize.summarize_rows`.
        protocol: what else makes the numbers comparable, by heading: model, data, which ground truth.
        failures: cases without result: ``case``, ``domain``, ``reason``.
        worst: number of worst cases to draw in each domain, by their mean error.

    Returns:
        The path of ``report.md``.

    Raises:
        ValueError: a row breaks its rule, or ``thresholds`` has none for a domain.
    """
    folder = Path(folder)
    checked = checked_rows(rows)
    groups: dict[Case, Rows] = {}
    for row in checked:
        groups.setdefault((row["domain"], row["unit"]), []).append(row)
    summaries = summarize_rows(checked, thresholds=thresholds)
    told = {**_MEASURED, **(protocol or {})}
    write_rows(folder / "landmarks.csv", checked)
    write_summary_csv(folder / "summary.csv", summaries)
    write_summary_json(folder / "summary.json", summaries, protocol=told, failures=failures)

    text = ["# Landmark detection: results\n", "## What was measured\n"]
    text += [_list(f"**{markdown_text(name)}**: {markdown_text(told[name])}" for name in told)]
    totals = [summary for summary in summaries if summary["landmark"] is None]
    text += ["## By domain\n", summary_markdown(totals) if totals else "No case has a result.\n"]
    text += [_list(_scale_line(total) for total in totals)] if totals else []
    if any(total["count"] for total in totals):
        save_figure(draw_cumulative_errors(checked), folder / "curves.png")
        text.append("![Share of landmarks within a radial error](curves.png)\n")
    text += _write_landmarks(folder, groups, summaries)
    text += _write_overlays(folder, groups, images, worst)
    text += ["## Failures\n", _list(map(_failure_line, failures)) if failures else "None.\n"]
    return write_text_whole(folder / "report.md", "\n".join(text))


def _write_landmarks(folder: Path, groups: Mapping[Case, Rows], summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Table and plot of each domain and unit."""
    plain = len({domain for domain, _ in groups}) == len(groups)
    names = _file_names({group: group[:1] if plain else group for group in groups})
    text = []
    for (domain, unit), rows in groups.items():
        own = [s for s in summaries if (s["domain"], s["unit"]) == (domain, unit) and s["landmark"] is not None]
        text += [f"## Landmarks of {markdown_text(domain)} ({unit})\n", summary_markdown(own)]
        if any(summary["count"] for summary in own):
            path = f"per_landmark_{names[domain, unit]}.png"
            save_figure(draw_landmark_errors(rows), folder / path)
            text.append(f"![Errors by landmark]({path})\n")
    return text


def _write_overlays(
    folder: Path, groups: Mapping[Case, Rows], images: Mapping[Case, str | os.PathLike[str]], worst: int
) -> list[str]:
    """Pictures of chosen cases, one by one and on a page."""
    chosen = [
        (kind, case, error, group) for group, rows in groups.items() for kind, case, error in _choose(rows, worst)
    ]
    if not chosen:
        return []
    names = _file_names({_case(rows): _case(rows) for _, rows, _, _ in chosen})
    load = LoadRadiographd("image")
    lines, pictures = [], []
    for kind, rows, error, group in chosen:
        (domain, case), unit = _case(rows), group[1]
        # the landmark's number in the domain's table, whichever landmarks this case has
        numbers = {name: n for n, name in enumerate(dict.fromkeys(row["landmark"] for row in groups[group]), start=1)}
        told = f", mean error {error:.2f} {unit}" if math.isfinite(error) else ", not all found"
        title = f"{domain} {case}: {kind}{'' if math.isnan(error) else told}"
        try:
            image = _plane(load, images, (domain, case))
        except (
            OSError,
            ValueError,
            RuntimeError,
        ) as problem:  # readers of other libraries raise all of these
            lines.append(f"{markdown_text(title)}. No picture: {markdown_text(str(problem))}")
            continue
        path = f"overlays/{names[domain, case]}.png"
        save_picture(_draw(image, rows, numbers, title, 1200), folder / path)
        pictures.append(_draw(image, rows, numbers, title, 560))
        lines.append(f"[{markdown_text(title)}]({path})")
    text = ["## Cases\n"]
    if pictures:
        save_picture(contact_sheet(pictures, columns=4), folder / "overlays.png")
        text.append("![Predicted and reference landmarks](overlays.png)\n")
    return [*text, _list(lines)]


def _choose(rows: Rows, worst: int) -> list[tuple[str, Rows, float]]:
    """Kind, rows and mean error (NaN: none annotated) of the worst cases, the worst first, and the median."""
    cases: dict[str, Rows] = {}
    for row in rows:
        cases.setdefault(row["case"], []).append(row)
    flat = [case for case in cases.values() if not any(math.isfinite(row.get("predicted_z", math.nan)) for row in case)]
    means = []
    for case in flat:
        errors = [row["error"] for row in case if not math.isnan(row["error"])]
        means.append((sum(errors) / len(errors) if errors else math.nan, case))
    ranked = sorted((entry for entry in means if not math.isnan(entry[0])), key=lambda entry: -entry[0])
    if not ranked:
        return [("no reference", case, math.nan) for _, case in means[:worst]]
    chosen = [(f"worst {place}", case, error) for place, (error, case) in enumerate(ranked[:worst], start=1)]
    middle = len(ranked) // 2
    return chosen if middle < worst else [*chosen, ("median", ranked[middle][1], ranked[middle][0])]


def _plane(load: LoadRadiographd, images: Mapping[Case, str | os.PathLike[str]], case: Case) -> Tensor:
    """The first channel, (W, H)."""
    if case not in images:
        raise ValueError("the case has no image file")
    image = load({"image": images[case]})["image"]
    if image.ndim != 3:
        raise ValueError("the image is a volume")
    plane: Tensor = image[0]
    return plane


def _draw(image: Tensor, rows: Rows, numbers: Mapping[str, int], title: str, longest_side: int) -> NDArray[np.uint8]:
    points = {kind: [[row[f"{kind}_x"], row[f"{kind}_y"]] for row in rows] for kind in ("predicted", "reference")}
    return draw_landmarks(
        image,
        predicted=points["predicted"],
        reference=points["reference"],
        names=[str(numbers[row["landmark"]]) for row in rows],
        title=title,
        longest_side=longest_side,
    )


def _file_names(parts: Mapping[Any, Sequence[str]]) -> dict[Any, str]:
    """For each key a file name of its own, without ending, that is safe whatever the parts hold."""
    names: dict[Hashable, str] = {}
    taken: set[str] = set()
    for key, words in parts.items():
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", "_".join(words)).lstrip(".")[:100] or "_"
        name, number = stem, 1
        while name.casefold() in taken:  # some file systems do not tell "a" from "A"
            number += 1
            name = f"{stem}~{number}"
        taken.add(name.casefold())
        names[key] = name
    return names


def _case(rows: Rows) -> Case:
    return rows[0]["domain"], rows[0]["case"]


def _scale_line(total: Mapping[str, Any]) -> str:
    source = ", ".join(total["spacing_source"]) or "not stated"
    return (
        f"{markdown_text(total['domain'])}: {total['count']} annotated landmarks in "
        f"{total['images']} images; in {total['unit']}, spacing from: {markdown_text(source)}"
    )


def _failure_line(failure: Mapping[str, str]) -> str:
    return markdown_text(f"{failure['domain']} {failure['case']}: {failure['reason']}")


def _list(lines: Iterable[str]) -> str:
    return "".join(f"- {line}\n" for line in lines)
