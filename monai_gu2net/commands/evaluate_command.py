# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``evaluate``: measure a model on annotated cases."""

from __future__ import annotations

import argparse
from typing import Any

from monai_gu2net.commands.command import add_command, list_failures, say
from monai_gu2net.commands.options import (
    MODELS,
    PROTOCOL,
    SCALE,
    add_case_options,
    add_options,
    data_of,
    device_of,
    progress,
    protocol_of,
)

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "evaluate", "measure a model on annotated cases", run=_run)
    add_options(command, *MODELS, "--output-dir")
    add_case_options(command, cases="the cases", split="test", which="which cases")
    add_options(command, "--worst")
    command.add_argument("--annotator", metavar="mean|NAME", help="another ground truth that the datalist holds")
    add_options(command, *SCALE, *PROTOCOL)


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.engines import evaluate_model
    from monai_gu2net.report import summary_table, table_markdown

    device = device_of(options)
    data = data_of(options, options.output_dir)
    with progress("evaluating", len(data.cases(options.split))) as on_case:
        result = evaluate_model(
            options.checkpoints,
            data,
            output_dir=options.output_dir,
            split=options.split,
            tta=options.tta,
            device=device,
            backend=options.backend,
            precision=options.precision,
            worst=options.worst,
            protocol=protocol_of(options),
            annotator=options.annotator,
            spacing=options.spacing,
            accept_spacing_source=options.accept_spacing_source,
            on_case=on_case,
        )
    totals = result.by_domain
    say("No case has a result." if totals.empty else table_markdown(summary_table("By domain", totals)))
    say(f"Wrote {result.path}")
    return list_failures(result.failures, any_done=not totals.empty)
