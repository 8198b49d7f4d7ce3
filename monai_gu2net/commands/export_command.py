# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``export``: a model as files that other programs run."""

from __future__ import annotations

import argparse
from typing import Any

from monai_gu2net.commands.command import add_command, say
from monai_gu2net.commands.options import add_options, progress

__all__ = ["add"]

_FORMATS = ("onnx", "openvino", "pt2", "torchscript")


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(
        commands,
        "export",
        "write a model as files that other programs run",
        run=_run,
        description="Write a model as files that other programs run: image in; points and confidence out, in\n"
        "pixels of the image. Each is checked with the engine that it is for.",
    )
    add_options(command, "--checkpoint", "--output-dir", "--min-confidence")
    add_options(
        command,
        "--domain",
        nargs="+",
        default=["all"],
        help="those of the model's domains that get a file each (default: all)",
    )
    add_options(
        command, "--formats", choices=_FORMATS, default=_FORMATS, help=f"{', '.join(_FORMATS)} (default: all of them)"
    )


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.export import export_detectors
    from monai_gu2net.networks import ModelCard

    known = list(ModelCard.load(options.checkpoints[0]).domains)
    domains = known if options.domain == ["all"] and "all" not in known else options.domain
    with progress("exporting", len(domains) * len(options.formats), unit="file") as on_file:
        written = export_detectors(
            options.checkpoints,
            options.output_dir,
            domains=domains,
            formats=options.formats,
            min_confidence=options.min_confidence,
            on_file=on_file,
        )
    for each in written:
        size = sum(file.stat().st_size for file in each.files) / 1e6
        say(
            f"Wrote {', '.join(map(str, each.files))} ({size:.1f} MB; beside PyTorch points {each.off_px:.1g} px, "
            f"confidences {each.off_confidence:.1g})"
        )
    return 0
