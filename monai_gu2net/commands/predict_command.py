# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``predict``: find landmarks in images without ground truth."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, list_failures, say
from monai_gu2net.commands.options import MODELS, SCALE, add_options, device_of, prediction_of, progress
from monai_gu2net.files import left_out_lines
from monai_gu2net.transforms.result_formats import FORMATS, PREDICTION_FORMATS

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "predict", "find the landmarks in images without ground truth", run=_run)
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    add_options(command, *MODELS, "--output-dir", "--domain", *SCALE, "--min-confidence")
    add_options(
        command,
        "--formats",
        choices=PREDICTION_FORMATS,
        default=FORMATS,
        help="files per image: json, csv, mrk.json; sr, gsps, sc (for DICOM images); coco, one file of all images "
        "(default: the first three)",
    )


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.prediction import Predictor
    from monai_gu2net.sources import images_in

    device = device_of(options)
    images: list[Path] = []
    for path in options.images:
        found, passed_over = images_in(path) if path.is_dir() else ([path], [])
        images += found
        sys.stderr.write("".join(f"{line}\n" for line in left_out_lines(passed_over)))
    if not images:
        raise ValueError(
            f"IMAGE must be image files or a folder of them; got none in "
            f"{', '.join(map(str, options.images))}. Check the path."
        )
    predictor = Predictor(options.checkpoints, prediction_of(options), device=device)
    with progress("predicting", len(images), unit="image") as on_case:
        rows, failures = predictor.predict_files(
            images,
            output_dir=options.output_dir,
            domain=options.domain,
            formats=options.formats,
            on_case=on_case,
        )
    landmarks = sum(math.isfinite(row["predicted_x"]) for row in rows)
    say(f"Wrote {landmarks} landmarks of {len(images) - len(failures)} image(s) to {options.output_dir}")
    say(f"Ran on {predictor.backend}")
    return list_failures(failures, any_done=bool(rows))
