# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``predict``: find landmarks in images without ground truth."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from monai_gu2net.commands.command import add_command, list_failures, say
from monai_gu2net.commands.options import (
    add_checkpoint_options,
    add_formats,
    add_image_domain,
    add_min_confidence,
    add_output_dir,
    add_scale_options,
    device_of,
)
from monai_gu2net.files import left_out_lines
from monai_gu2net.transforms.result_formats import FORMATS, PREDICTION_FORMATS

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "predict", "find the landmarks in images without ground truth", run=_run)
    command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image files, or folders of them")
    add_checkpoint_options(command)
    add_output_dir(command)
    add_image_domain(command)
    add_scale_options(command)
    add_min_confidence(command)
    add_formats(
        command,
        PREDICTION_FORMATS,
        default=FORMATS,
        what="files per image: json, csv, mrk.json; sr, gsps, sc (for DICOM images); coco, one file of all images "
        "(default: the first three)",
    )


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.prediction import PredictionOptions, Predictor
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
    how = PredictionOptions(
        min_confidence=options.min_confidence,
        tta=options.tta,
        spacing=options.spacing,
        accept_spacing_source=options.accept_spacing_source,
    )
    predictor = Predictor(options.checkpoints, how, device=device)
    with tqdm(total=len(images), desc="predicting", unit="image") as bar:
        rows, failures = predictor.predict_files(
            images,
            output_dir=options.output_dir,
            domain=options.domain,
            formats=options.formats,
            on_case=lambda count: bar.update(),
        )
    landmarks = sum(math.isfinite(row["predicted_x"]) for row in rows)
    say(f"Wrote {landmarks} landmarks of {len(images) - len(failures)} image(s) to {options.output_dir}")
    return list_failures(failures, any_done=bool(rows))
