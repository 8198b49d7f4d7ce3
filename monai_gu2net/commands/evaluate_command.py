# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``evaluate``: measure a model on annotated cases."""

from __future__ import annotations

import argparse
from typing import Any

from tqdm import tqdm

from monai_gu2net.commands.command import add_command, list_failures, say
from monai_gu2net.commands.options import (
    add_case_options,
    add_checkpoint_options,
    add_output_dir,
    add_protocol_options,
    add_scale_options,
    add_worst,
    device_of,
    protocol_of,
)

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "evaluate", "measure a model on annotated cases", run=_run)
    add_checkpoint_options(command)
    add_output_dir(command)
    add_case_options(command, cases="the cases", split="test", which="which cases")
    add_worst(command)
    command.add_argument("--annotator", metavar="mean|NAME", help="another ground truth that the datalist holds")
    add_scale_options(command)
    add_protocol_options(command)


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.engines import evaluate_model
    from monai_gu2net.report import summary_table, table_markdown
    from monai_gu2net.sources import open_data

    device = device_of(options)
    data = open_data(
        options.datalist,
        options.dataset_dir,
        domain=options.domain,
        domains=options.domains,
        allow_outside=options.allow_outside,
        phantom_dir=options.output_dir / "phantom",
    )
    with tqdm(total=len(data.cases(options.split)), desc="evaluating", unit="case") as bar:
        result = evaluate_model(
            options.checkpoints,
            data,
            output_dir=options.output_dir,
            split=options.split,
            tta=options.tta,
            device=device,
            worst=options.worst,
            protocol=protocol_of(options),
            annotator=options.annotator,
            spacing=options.spacing,
            accept_spacing_source=options.accept_spacing_source,
            on_case=lambda count: bar.update(),
        )
    totals = result.by_domain
    say("No case has a result." if totals.empty else table_markdown(summary_table("By domain", totals)))
    say(f"Wrote {result.path}")
    return list_failures(result.failures, any_done=not totals.empty)
