# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""``predict --ray``: very many images, on many workers."""

from __future__ import annotations

import argparse
import sys

from monai_gu2net.commands.command import list_failures, say
from monai_gu2net.commands.options import device_of, dims_of, prediction_of, progress
from monai_gu2net.files import left_out_lines

__all__ = ["add_ray_options", "predict_on_ray", "refuse_ray_options"]

_OPTIONS = ("list", "ray_address", "workers", "retry_failed")


def add_ray_options(command: argparse.ArgumentParser) -> None:
    """Add ``--ray`` and what goes with it."""
    group = command.add_argument_group("very many images", "The results are Parquet parts, and a run can be killed.")
    group.add_argument("--ray", action="store_true", help="predict on Ray Data; IMAGE can then be a URI, as s3://...")
    group.add_argument(
        "--list", action="append", default=[], metavar="FILE", help="a text file with an image (path or URI) per line"
    )
    group.add_argument("--ray-address", metavar="ADDRESS", help="of a Ray cluster (default: workers on this machine)")
    group.add_argument("--workers", type=int, metavar="N", help="how many (default: one per core, or per GPU)")
    group.add_argument("--retry-failed", action="store_true", help="do images that failed in an earlier run again")


def refuse_ray_options(options: argparse.Namespace) -> None:
    """Refuse what goes with ``--ray`` alone.

    Raises:
        ValueError: such an option, or a URI, is given.
    """
    given = [f"--{name.replace('_', '-')}" for name in _OPTIONS if getattr(options, name)]
    given += [place for place in options.images if "://" in place]
    if given:
        raise ValueError(f"{given[0]} must go with --ray; got none. Add it, or leave that out.")


def predict_on_ray(options: argparse.Namespace) -> int:
    """Run ``predict --ray``."""
    from monai_gu2net.prediction import predict_many
    from monai_gu2net.sources import image_places

    device = device_of(options)
    images, left_out = image_places(options.images, lists=options.list, dims=dims_of(options))
    sys.stderr.write("".join(f"{line}\n" for line in left_out_lines(left_out)))
    if not len(images):
        raise ValueError(
            f"IMAGE must be images, folders or lists of them; got none in "
            f"{', '.join([*options.images, *options.list]) or 'the command'}. Check the paths."
        )
    with progress("predicting", len(images), unit="image") as on_case:
        done = predict_many(
            images,
            options.checkpoints,
            prediction_of(options),
            output_dir=options.output_dir,
            domain=options.domain,
            device=device,
            address=options.ray_address,
            workers=options.workers,
            retry_failed=options.retry_failed,
            on_case=on_case,
        )
    before = f"; {done.earlier} image(s) were done before" if done.earlier else ""
    say(f"Wrote landmarks of {done.done} image(s) to {options.output_dir}{before}")
    if done.done:
        say(f"Ran on {done.engine}")
    list_failures(done.reasons, any_done=True)
    if not done.failed:
        return 0
    sys.stderr.write(f"{done.failed} image(s) failed; all are in {options.output_dir}/failures\n")
    return 1
