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

_SPLIT = "validation"


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "calibrate", "measure how far off a model's landmarks may be", run=_run)
    add_options(command, *MODELS)
    command.add_argument(
        "-o", "--output", type=Path, metavar="MODEL", help="the calibrated model; by default the model's own file"
    )
    command.add_argument(
        "--folds",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="instead of cases: the trainings of a cross-validation (model.pt, datalist.json), each measured on its "
        "test part",
    )
    add_case_options(command, cases="annotated cases", split=_SPLIT, which="cases that were not trained on")


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.data import Datalist
    from monai_gu2net.engines import calibrate_by_folds, calibrate_model
    from monai_gu2net.networks import ModelCard

    device = device_of(options)
    written = options.checkpoints[0] if options.output is None else options.output
    given = {
        "output": options.output,
        "tta": options.tta,
        "device": device,
        "backend": options.backend,
        "precision": options.precision,
    }
    if options.folds:
        _check_only_folds(options)
        total = sum(len(Datalist.load(folder / "datalist.json").test) for folder in options.folds)
        with progress("calibrating", total) as on_case:
            written, failures = calibrate_by_folds(
                options.checkpoints[0], options.folds, allow_outside=options.allow_outside, on_case=on_case, **given
            )
    else:
        data = data_of(options, written.parent)
        with progress("calibrating", len(data.cases(options.split))) as on_case:
            written, failures = calibrate_model(
                options.checkpoints, data, split=options.split, on_case=on_case, **given
            )
    for line in calibration_lines(ModelCard.load(written)):
        say(line)
    say(f"Wrote {written}")
    return list_failures(failures, any_done=True)


def _check_only_folds(options: argparse.Namespace) -> None:
    """Raise ValueError where cases, or several models, are named beside the folds."""
    beside = [name for name in ("datalist", "dataset_dir", "domain", "domains") if getattr(options, name)]
    beside += ["split"] if options.split != _SPLIT else []
    if beside or len(options.checkpoints) > 1:
        other = f"--{beside[0].replace('_', '-')}" if beside else "a second --checkpoint"
        raise ValueError(
            f"--folds must stand without {other}, for the folds name their own data and models. Leave one of them out."
        )
