# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``report``: what can be made of stored result tables, without a network."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, say
from monai_gu2net.commands.options import PROTOCOL, add_options, protocol_of
from monai_gu2net.data import Datalist
from monai_gu2net.files import LeftOut, read_json

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command, with commands of its own, to those of the program."""
    report = add_command(commands, "report", "work on stored result tables")
    parts = report.add_subparsers(required=True, metavar="COMMAND")

    rescored = add_command(
        parts,
        "rescore",
        "score a table of landmarks under another protocol",
        run=_rescore,
        description="Score a table of landmarks under another protocol, without the network.",
    )
    rescored.add_argument("table", type=Path, metavar="LANDMARKS.csv", help="as evaluate wrote it")
    add_options(rescored, "--output-dir")
    add_options(rescored, "--datalist", help="for pictures and the line of the annotators' disagreement")
    add_options(rescored, "--worst", *PROTOCOL)

    compared = add_command(
        parts,
        "compare",
        "compare two tables of the same cases",
        run=_compare,
        description="Compare two tables of the same cases with a paired bootstrap over images.",
    )
    for table, what in (("a", "landmarks.csv, or the folder of a report"), ("b", "likewise")):
        compared.add_argument(table, type=Path, metavar=table.upper(), help=what)
    plots = "where files and plots go; by default none are written"
    add_options(compared, "--output-dir", required=False, help=plots)
    compared.add_argument("--names", nargs=2, default=("A", "B"), metavar=("A", "B"), help="what to call them")
    compared.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        help="of the detection rates, in the tables' unit (default those of reports that share them, else 2 2.5 3 4, "
        "and 1 to 4 voxels of volumes)",
    )
    add_options(compared, "--strict")


def _rescore(options: argparse.Namespace) -> int:
    from monai_gu2net.evaluation import annotator_rows, read_rows, undoubted_rows
    from monai_gu2net.report import write_report

    if options.table.stem == "scored":
        raise ValueError(
            f"LANDMARKS.csv must hold what the model found; got {str(options.table)!r}, which is scored already. "
            "Give the landmarks.csv beside it."
        )
    rows = read_rows(options.table)
    landmarks = rows.groupby("domain", sort=False)["landmark"].unique().map(list).to_dict()
    protocol = protocol_of(options)
    protocol.check(landmarks)
    earlier = _summary(options.table.parent)
    protocol = replace(protocol, ground_truth=earlier.get("scoring", {}).get("ground_truth", {}))
    words = protocol.words(landmarks)
    facts = {name: text for name, text in earlier.get("protocol", {}).items() if name not in words}
    images, annotators, measurements, levels, undoubted = {}, {}, {}, {}, None
    if options.datalist is not None:
        data = Datalist.load(options.datalist)
        cases = data.cases("all")
        images = {(case["domain"], case["case"]): case["image"] for case in cases}
        annotators = annotator_rows(rows, cases, data.domains)
        undoubted = undoubted_rows(rows, cases)
        measurements = {name: domain.all_measurements for name, domain in data.domains.items()}
        levels = {name: domain.all_levels for name, domain in data.domains.items()}
    result = write_report(
        options.output_dir,
        rows,
        images=images,
        scoring=protocol,
        protocol={**facts, "Table": str(options.table)},
        failures=earlier.get("failures", []),
        left_out=[LeftOut(**item) for item in earlier.get("left_out", [])],
        annotators=annotators,
        undoubted=undoubted,
        measurements=measurements,
        levels=levels,
        worst=options.worst if images else 0,
    )
    say(f"Wrote {result.path}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    """Print the tables; what cannot be compared is listed, and the status is then 1."""
    from monai_gu2net.evaluation import DEFAULT_THRESHOLDS, compare_rows, read_rows
    from monai_gu2net.report import comparison_notes, difference_table, rate_table, table_markdown, write_comparison

    first, second = options.names
    if first == second:
        raise ValueError(f"--names must be two different names; got {first!r} twice. Give each its own.")
    paths, scoring = _tables(options.a, options.b)
    strict = options.strict or scoring.get("strict", False)
    thresholds = options.thresholds or scoring.get("thresholds", DEFAULT_THRESHOLDS)
    comparison = compare_rows(*map(read_rows, paths), thresholds=thresholds, strict=strict)
    facts = {name: str(path) for name, path in zip(options.names, paths, strict=True)}
    facts["Detected"] = f"{'below' if strict else 'up to'} the threshold"
    for name, text in facts.items():
        say(f"{name}: {text}")
    for table in (difference_table, rate_table):
        sys.stdout.write("\n" + table_markdown(table("", comparison, names=options.names)))
    if options.output_dir is not None:
        path = write_comparison(options.output_dir, comparison, names=options.names, protocol=facts)
        say(f"\nWrote {path}")
    notes = comparison_notes(comparison, names=options.names)
    sys.stderr.write("".join(f"differs: {note}\n" for note in notes))
    return int(bool(notes))


def _tables(*given: Path) -> tuple[list[Path], dict[str, Any]]:
    """The table of each, and the scoring of reports that share one: their tables are then those it scored."""
    scorings = [_summary(path).get("scoring") if path.is_dir() else None for path in given]
    shared = scorings[0] if scorings[0] and all(scoring == scorings[0] for scoring in scorings) else {}
    tables = []
    for path in given:
        scored = path / "scored.csv"
        tables.append(path if not path.is_dir() else scored if shared and scored.is_file() else path / "landmarks.csv")
    return tables, shared


def _summary(folder: Path) -> dict[str, Any]:
    """What the report in a folder says of itself; nothing where there is none."""
    path = folder / "summary.json"
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} must be JSON as a report has it; got {error}. Evaluate again.") from error
    return content
