# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command line's ``report``: what can be made of stored result tables, without a network."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_gu2net.data import SPLITS, Datalist
from monai_gu2net.visualize import (
    DEFAULT_THRESHOLDS,
    PROTOCOLS,
    Protocol,
    annotator_rows,
    compare_rows,
    comparison_notes,
    difference_table,
    named_protocol,
    rate_table,
    read_rows,
    table_markdown,
    write_comparison,
    write_report,
)

__all__ = ["add_protocol_options", "add_report_commands", "protocol_of"]


def add_report_commands(commands: Any) -> None:
    """Add ``report`` with its own commands to the program's; each sets ``run``."""
    report = commands.add_parser(
        "report", help="work on stored result tables", description="Work on stored result tables."
    )
    parts = report.add_subparsers(required=True, metavar="COMMAND")

    rescored = parts.add_parser(
        "rescore",
        help="score a table of landmarks under another protocol",
        description="Score a table of landmarks under another protocol, without the network.",
    )
    rescored.set_defaults(run=_rescore)
    rescored.add_argument("table", type=Path, metavar="LANDMARKS.csv", help="as evaluate wrote it")
    rescored.add_argument("-o", "--output-dir", required=True, type=Path, help="where the report goes")
    rescored.add_argument("--datalist", type=Path, help="for pictures and the line of the annotators' disagreement")
    rescored.add_argument("--worst", type=int, default=6, help="worst cases drawn per domain (default %(default)s)")
    add_protocol_options(rescored)

    compared = parts.add_parser(
        "compare",
        help="compare two tables of the same cases",
        description="Compare two tables of the same cases with a paired bootstrap over images.",
    )
    compared.set_defaults(run=_compare)
    for table, what in (("a", "landmarks.csv, or the folder of a report"), ("b", "likewise")):
        compared.add_argument(table, type=Path, metavar=table.upper(), help=what)
    compared.add_argument("-o", "--output-dir", type=Path, help="where files and plots go; by default none are written")
    compared.add_argument("--names", nargs=2, default=("A", "B"), metavar=("A", "B"), help="what to call them")
    compared.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        default=DEFAULT_THRESHOLDS,
        help="of the detection rates, in the tables' unit (default 2 2.5 3 4)",
    )
    compared.add_argument("--strict", action="store_true", help="detected below a threshold (<) instead of up to it")


def add_protocol_options(command: argparse.ArgumentParser) -> None:
    """Add the options that :func:`protocol_of` reads."""
    command.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="original",
        help="original: sub-pixel, in pixels of the files times their spacing; paper: whole pixels of the paper's "
        "grids (default %(default)s)",
    )
    command.add_argument(
        "--leave-out",
        nargs="+",
        action="extend",
        default=[],
        metavar="DOMAIN:LANDMARK",
        help="landmarks that do not count, such as head:soft_tissue_pogonion",
    )
    command.add_argument("--strict", action="store_true", help="detected below a threshold (<) instead of up to it")


def protocol_of(options: argparse.Namespace) -> Protocol:
    """The protocol that a command's options ask for.

    Raises:
        ValueError: what is left out is not DOMAIN:LANDMARK.
    """
    left_out: dict[str, list[str]] = {}
    for text in options.leave_out:
        domain, colon, landmark = text.partition(":")
        if not (domain and colon and landmark):
            raise ValueError(f"--leave-out must be DOMAIN:LANDMARK; got {text!r}. Name both.")
        left_out.setdefault(domain, []).append(landmark)
    return named_protocol(options.protocol, strict=options.strict, left_out=left_out)


def _rescore(options: argparse.Namespace) -> int:
    rows = read_rows(options.table)
    landmarks: dict[str, list[str]] = {}
    for row in rows:
        landmarks.setdefault(row["domain"], []).append(row["landmark"])
    protocol = protocol_of(options)
    protocol.check({domain: list(dict.fromkeys(names)) for domain, names in landmarks.items()})
    told, failures = {"Table": str(options.table)}, []
    earlier = options.table.with_name("summary.json")
    if earlier.is_file():
        content = json.loads(earlier.read_text(encoding="utf-8"))
        told |= {
            name: text for name, text in content.get("protocol", {}).items() if name not in protocol.words(landmarks)
        }
        failures = content.get("failures", [])
        protocol = replace(protocol, ground_truth=content.get("scoring", {}).get("ground_truth", {}))
    images, annotators = {}, {}
    if options.datalist is not None:
        data = Datalist.load(options.datalist)
        cases = [case for split in SPLITS for case in getattr(data, split)]
        images = {(case["domain"], case["case"]): case["image"] for case in cases}
        annotators = annotator_rows(rows, cases, data.domains)
    report = write_report(
        options.output_dir,
        rows,
        images=images,
        scoring=protocol,
        protocol=told,
        failures=failures,
        annotators=annotators,
        worst=options.worst if images else 0,
    )
    sys.stdout.write(f"Wrote {report}\n")
    return 0


def _compare(options: argparse.Namespace) -> int:
    """Print the tables; what cannot be compared is listed, and the status is then 1."""
    first, second = options.names
    if first == second:
        raise ValueError(f"--names must be two different names; got {first!r} twice. Give each its own.")
    paths = _tables(options.a, options.b)
    rows = [read_rows(path) for path in paths]
    comparison = compare_rows(*rows, thresholds=options.thresholds, strict=options.strict)
    compared = {second: comparison}
    shown = [difference_table("", compared, first=first), rate_table("", compared, first=first)]
    sys.stdout.write("\n".join(table_markdown(table) for table in shown))
    if options.output_dir is not None:
        told = {name: str(path) for name, path in zip(options.names, paths, strict=True)}
        told["Detected"] = f"{'below' if options.strict else 'up to'} the threshold"
        path = write_comparison(options.output_dir, comparison, names=options.names, protocol=told)
        sys.stdout.write(f"Wrote {path}\n")
    notes = comparison_notes(comparison, names=options.names)
    sys.stderr.write("".join(f"differs: {note}\n" for note in notes))
    return int(bool(notes))


def _tables(*paths: Path) -> list[Path]:
    """The table of each report: as its protocol scored it where they share one, else as the model gave it."""
    scored = all((path / "scored.csv").is_file() for path in paths)
    if scored:
        contents = [json.loads((path / "summary.json").read_text(encoding="utf-8")) for path in paths]
        scored = all(content["scoring"] == contents[0]["scoring"] for content in contents)
    tables = [path / ("scored.csv" if scored else "landmarks.csv") if path.is_dir() else path for path in paths]
    for table in tables:
        if not table.is_file():
            raise FileNotFoundError(
                f"A result table must be a file; got {str(table)!r}. Check the folder and the name."
            )
    return tables
