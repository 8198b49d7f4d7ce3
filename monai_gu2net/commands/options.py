# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch

from monai_gu2net.data import ALLOWED_OUTSIDE, SPACING_SOURCES, SPLITS
from monai_gu2net.evaluation import PROTOCOLS, Protocol, named_protocol

__all__ = [
    "add_allow_outside",
    "add_case_options",
    "add_checkpoint_options",
    "add_output_dir",
    "add_protocol_options",
    "add_scale_options",
    "protocol_of",
    "share",
    "spacing",
]


def add_checkpoint_options(command: argparse.ArgumentParser) -> None:
    """Add the models (``checkpoints``), the test-time augmentation (``tta``) and the device."""
    command.add_argument(
        "-m",
        "--checkpoint",
        dest="checkpoints",
        required=True,
        action="append",
        type=Path,
        metavar="MODEL",
        help="a trained model.pt; given several times, the models' heatmaps are averaged",
    )
    command.add_argument(
        "--tta",
        type=int,
        default=1,
        metavar="N",
        help="test-time augmentation: average over N versions of each image, all but the first slightly turned, scaled "
        "and shifted (default %(default)s)",
    )
    command.add_argument(
        "--device", type=_device, default="cuda" if torch.cuda.is_available() else "cpu", help="default: %(default)s"
    )


def add_output_dir(command: argparse.ArgumentParser) -> None:
    """Add the folder of the results."""
    command.add_argument("-o", "--output-dir", required=True, type=Path, help="where the results go")


def add_case_options(command: argparse.ArgumentParser, *, cases: str, split: str, which: str) -> None:
    """Add what says which annotated cases are taken.

    Args:
        command: the parser.
        cases: what they are, in words.
        split: the split taken by default.
        which: cases it should have, in words.
    """
    command.add_argument("--datalist", type=Path, help=f"{cases}; by default --dataset-dir, or the phantom")
    command.add_argument("--dataset-dir", type=Path, help="a folder with a datalist.json or a known layout")
    command.add_argument(
        "--domain", metavar="NAME", help="the domain of --dataset-dir; by default the layout's or the folder's name"
    )
    command.add_argument("--split", choices=(*SPLITS, "all"), default=split, help=f"{which} (default %(default)s)")
    command.add_argument("--domains", nargs="+", metavar="DOMAIN", help="only these of the data's domains")
    add_allow_outside(command)


def add_allow_outside(command: argparse.ArgumentParser) -> None:
    """Add the share of landmarks that may lie outside of their images (``allow_outside``)."""
    command.add_argument(
        "--allow-outside",
        type=share,
        default=ALLOWED_OUTSIDE,
        metavar="SHARE",
        help="share of a domain's landmarks, 0 to 1, that may lie outside of their images; they are left out "
        "(default %(default)s)",
    )


def add_scale_options(command: argparse.ArgumentParser) -> None:
    """Add the spacing of all images (``spacing``) and the sources to accept (``accept_spacing_source``)."""
    command.add_argument(
        "--spacing", type=_known_spacing, metavar="MM[,MM]", help="mm per pixel of all images, whatever else says so"
    )
    command.add_argument(
        "--accept-spacing-source",
        nargs="+",
        metavar="SOURCE",
        help="take millimetres from these alone, by the beginning of their names, and else pixels: "
        f"{', '.join(SPACING_SOURCES[1:])}",
    )


def add_protocol_options(command: argparse.ArgumentParser) -> None:
    """Add the options that :func:`protocol_of` reads."""
    command.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="original",
        help="original: sub-pixel, in pixels of the files times their spacing; paper: whole pixels of the paper's "
        "grids (default %(default)s)",
    )
    command.add_argument(
        "--leave-out",
        nargs="+",
        action="extend",
        default=[],
        metavar="DOMAIN:LANDMARK",
        help="landmarks that do not count, such as head:soft_tissue_pogonion",
    )
    command.add_argument("--strict", action="store_true", help="detected below a threshold (<) instead of up to it")


def protocol_of(options: argparse.Namespace) -> Protocol:
    """The protocol that a command's options ask for.

    Raises:
        ValueError: what is left out is not DOMAIN:LANDMARK.
    """
    left_out: dict[str, list[str]] = {}
    for text in options.leave_out:
        domain, colon, landmark = text.partition(":")
        if not (domain and colon and landmark):
            raise ValueError(f"--leave-out must be DOMAIN:LANDMARK; got {text!r}. Name both.")
        left_out.setdefault(domain, []).append(landmark)
    return named_protocol(options.protocol, strict=options.strict, left_out=left_out)


def spacing(text: str) -> tuple[float, float] | str:
    """``MM[,MM]`` as mm per pixel along x and y; ``unknown`` stays that word."""
    if text == "unknown":
        return text
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 < number < math.inf for number in numbers):
        raise argparse.ArgumentTypeError(f"must be one or two positive numbers; got {text!r}")
    return numbers[0], numbers[-1]


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1; got {text!r}")
    return number


def _known_spacing(text: str) -> tuple[float, float] | str:
    """As :func:`spacing`, without that word."""
    if text == "unknown":
        raise argparse.ArgumentTypeError("must be mm per pixel; got 'unknown'. Leave it out")
    return spacing(text)


def _device(text: str) -> str:
    """A device that is there."""
    try:
        torch.empty(0, device=text)
    except (RuntimeError, AssertionError) as error:  # a build without CUDA raises an AssertionError
        raise argparse.ArgumentTypeError(f"must be a device of this machine; got {text!r} ({error})") from error
    return text
