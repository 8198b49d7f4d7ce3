# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``add-domain``: teach a trained model a new domain."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, say
from monai_gu2net.commands.options import add_options

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "add-domain", "teach a trained model a new domain", run=_run)
    model = {"dest": "checkpoint", "action": "store", "help": "the trained model; it is left as it is"}
    add_options(command, "--checkpoint", **model)
    add_options(command, "--datalist", required=True, help="the new domain's cases, made by prepare")
    add_options(command, "--output-dir", help="where the new model.pt goes")
    command.add_argument(
        "--config-file",
        type=Path,
        default=Path("bundles/gu2net/configs/train.json"),
        help="the bundle's training (default %(default)s)",
    )
    command.add_argument(
        "--shared-rate",
        type=float,
        default=0.0,
        help="learning rate of the shared weights as a share of the new domain's; 0 keeps the other domains as they "
        "are (default %(default)s)",
    )
    command.add_argument("--like", metavar="DOMAIN", help="the known domain that the new one starts as a copy of")
    command.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    add_options(command, "--allow-outside")
    command.add_argument("--max-epochs", type=int, help="by default the bundle's")
    command.add_argument("--batches-per-epoch", type=int, help="by default one pass through the cases")
    command.add_argument("--batch-size", type=int, help="by default the bundle's")


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.engines import add_domain

    given = {name: getattr(options, name) for name in ("max_epochs", "batches_per_epoch", "batch_size")}
    model = add_domain(
        options.checkpoint,
        options.datalist,
        output_dir=options.output_dir,
        config_file=options.config_file,
        shared_rate=options.shared_rate,
        like=options.like,
        resume=options.resume,
        allow_outside=options.allow_outside,
        options={name: value for name, value in given.items() if value is not None},
    )
    say(f"Wrote {model}")
    return 0
