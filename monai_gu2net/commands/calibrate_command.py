# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``calibrate``: measure how far off a model's landmarks may be."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, list_failures, say
from monai_gu2net.commands.info_command import calibration_lines
from monai_gu2net.commands.options import MODELS, add_case_options, add_options, data_of, device_of, progress

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "calibrate", "measure how far off a model's landmarks may be", run=_run)
    add_options(command, *MODELS)
    command.add_argument(
        "-o", "--output", type=Path, metavar="MODEL", help="the calibrated model; by default the model's own file"
    )
    add_case_options(command, cases="annotated cases", split="validation", which="cases that were not trained on")


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.engines import calibrate_model
    from monai_gu2net.networks import ModelCard

    device = device_of(options)
    written = options.checkpoints[0] if options.output is None else options.output
    data = data_of(options, written.parent)
    with progress("calibrating", len(data.cases(options.split))) as on_case:
        written, failures = calibrate_model(
            options.checkpoints,
            data,
            split=options.split,
            output=options.output,
            tta=options.tta,
            device=device,
            backend=options.backend,
            precision=options.precision,
            on_case=on_case,
        )
    for line in calibration_lines(ModelCard.load(written)):
        say(line)
    say(f"Wrote {written}")
    return list_failures(failures, any_done=True)
