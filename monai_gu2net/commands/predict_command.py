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
from monai_gu2net.commands.options import MODELS, SCALE, add_options, device_of, dims_of, prediction_of, progress
from monai_gu2net.commands.ray_options import add_ray_options, predict_on_ray, refuse_ray_options
from monai_gu2net.files import left_out_lines
from monai_gu2net.transforms.result_formats import FORMATS, PREDICTION_FORMATS

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "predict", "find the landmarks in images without ground truth", run=_run)
    command.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="image files, or folders of them; of a model of volumes also the folder of a DICOM series",
    )
    add_options(command, *MODELS)
    add_options(command, "--output-dir", type=str)
    add_options(command, "--domain", *SCALE, "--min-confidence")
    add_options(
        command,
        "--formats",
        choices=PREDICTION_FORMATS,
        default=FORMATS,
        help="files per image: json, csv, mrk.json; sr, gsps, sc (for DICOM images); coco, one file of all images "
        "(default: the first three)",
    )
    add_ray_options(command)


def _run(options: argparse.Namespace) -> int:
    if options.ray:
        if options.formats is not FORMATS:
            raise ValueError(
                f"--formats must be of a run without --ray, which writes Parquet alone; got {options.formats}. "
                "Leave it out."
            )
        return predict_on_ray(options)
    refuse_ray_options(options)
    from monai_gu2net.prediction import Predictor
    from monai_gu2net.sources import images_in

    device, dims = device_of(options), dims_of(options)
    images: list[Path] = []
    for path in map(Path, options.images):
        found, passed_over = images_in(path, dims=dims) if path.is_dir() else ([path], [])
        images += found
        sys.stderr.write("".join(f"{line}\n" for line in left_out_lines(passed_over)))
    if not images:
        raise ValueError(
            f"IMAGE must be image files or a folder of them; got none in "
            f"{', '.join(options.images) or 'the command'}. Check the path."
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
    say(f"Wrote {landmarks} landmarks of {len({row['case'] for row in rows})} image(s) to {options.output_dir}")
    say(f"Ran on {predictor.backend}")
    return list_failures(failures, any_done=bool(rows))
