# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have, each said once.

Nothing here imports what a command needs to run: help and errors of the command line must not wait for that.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from monai_gu2net.data import ALLOWED_OUTSIDE, SPACING_SOURCES, SPLITS
from monai_gu2net.evaluation import PROTOCOLS, Protocol, named_protocol

__all__ = [
    "add_accepted_sources",
    "add_allow_outside",
    "add_case_options",
    "add_checkpoint",
    "add_checkpoint_options",
    "add_datalist",
    "add_formats",
    "add_host",
    "add_image_domain",
    "add_min_confidence",
    "add_output_dir",
    "add_password_file",
    "add_port",
    "add_protocol_options",
    "add_scale_options",
    "add_spacing",
    "add_strict",
    "add_worst",
    "device_of",
    "pair",
    "protocol_of",
]


def add_checkpoint_options(command: argparse.ArgumentParser) -> None:
    """Add the models (``checkpoints``), the test-time augmentation (``tta``) and the device (see :func:`device_of`)."""
    add_checkpoint(command, "a trained model.pt; given several times, the models' heatmaps are averaged", several=True)
    command.add_argument(
        "--tta",
        type=int,
        default=1,
        metavar="N",
        help="test-time augmentation: average over N versions of each image, all but the first slightly turned, scaled "
        "and shifted (default %(default)s)",
    )
    command.add_argument("--device", help="where the network runs (default: cuda where it is there, else cpu)")


def add_checkpoint(
    command: argparse.ArgumentParser, what: str, *, required: bool = True, several: bool = False
) -> None:
    """Add the model (``checkpoint``), or one or several of them (``checkpoints``)."""
    command.add_argument(
        "-m",
        "--checkpoint",
        dest="checkpoints" if several else "checkpoint",
        required=required,
        action="append" if several else "store",
        type=Path,
        metavar="MODEL",
        help=what,
    )


def device_of(options: argparse.Namespace) -> str:
    """The device that was asked for, or the best one.

    Raises:
        ValueError: the one asked for is not there.
    """
    import torch

    from monai_gu2net.networks.checkpoint import checked_device

    if options.device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(checked_device(options.device))


def add_output_dir(
    command: argparse.ArgumentParser, what: str = "where the results go", *, required: bool = True
) -> None:
    """Add the folder of the results."""
    command.add_argument("-o", "--output-dir", required=required, type=Path, help=what)


def add_datalist(command: argparse.ArgumentParser, what: str, *, required: bool = False) -> None:
    """Add the datalist."""
    command.add_argument("--datalist", required=required, type=Path, help=what)


def add_case_options(command: argparse.ArgumentParser, *, cases: str, split: str, which: str) -> None:
    """Add what says which annotated cases are taken.

    Args:
        command: the parser.
        cases: what they are, in words.
        split: the split taken by default.
        which: cases it should have, in words.
    """
    add_datalist(command, f"{cases}; by default --dataset-dir, or the phantom")
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
        type=_share,
        default=ALLOWED_OUTSIDE,
        metavar="SHARE",
        help="share of a domain's landmarks, 0 to 1, that may lie outside of their images; they are left out "
        "(default %(default)s)",
    )


def add_image_domain(command: argparse.ArgumentParser) -> None:
    """Add the domain of images without ground truth."""
    command.add_argument("--domain", help="which of the model's domains the images are of")


def add_min_confidence(command: argparse.ArgumentParser) -> None:
    """Add the confidence below which a landmark is absent."""
    command.add_argument(
        "--min-confidence",
        type=_share,
        default=0.0,
        help="below it, 0 to 1, a landmark is absent (default %(default)s)",
    )


def add_formats(command: argparse.ArgumentParser, formats: Sequence[str], *, default: Sequence[str], what: str) -> None:
    """Add what the results are written as."""
    command.add_argument("--formats", nargs="+", choices=formats, default=default, metavar="FORMAT", help=what)


def add_scale_options(command: argparse.ArgumentParser) -> None:
    """Add the spacing of all images (``spacing``) and the sources to accept (``accept_spacing_source``)."""
    add_spacing(command, "mm per pixel of all images, whatever else says so")
    add_accepted_sources(command)


def add_spacing(command: argparse.ArgumentParser, what: str, *, or_unknown: bool = False) -> None:
    """Add mm per pixel (``spacing``), one number or two."""
    command.add_argument(
        "--spacing",
        type=_spacing_or_unknown if or_unknown else _spacing,
        metavar="MM[,MM]|unknown" if or_unknown else "MM[,MM]",
        help=what,
    )


def add_accepted_sources(command: argparse.ArgumentParser) -> None:
    """Add the sources of the spacing to accept (``accept_spacing_source``)."""
    command.add_argument(
        "--accept-spacing-source",
        nargs="+",
        metavar="SOURCE",
        help="take millimetres from these alone, by the beginning of their names, and else pixels: "
        f"{', '.join(SPACING_SOURCES[1:])}",
    )


def add_worst(command: argparse.ArgumentParser) -> None:
    """Add the number of pictures of a report."""
    command.add_argument("--worst", type=int, default=6, help="worst cases drawn per domain (default %(default)s)")


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
    add_strict(command)


def add_strict(command: argparse.ArgumentParser) -> None:
    """Add what a landmark on the threshold counts as."""
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


def add_host(command: argparse.ArgumentParser) -> None:
    """Add the address that a server listens at."""
    command.add_argument("--host", default="127.0.0.1", help="address to listen at (default %(default)s: this machine)")


def add_port(command: argparse.ArgumentParser, default: int) -> None:
    """Add the port that a server listens at."""
    command.add_argument("--port", type=_port, default=default, help="default %(default)s")


def add_password_file(command: argparse._ActionsContainer) -> None:
    """Add the credentials for a DICOMweb server."""
    command.add_argument(
        "--password-file", type=Path, help="a file with USER:PASSWORD for basic authentication at the DICOMweb server"
    )


def pair(form: str) -> Callable[[str], tuple[str, str]]:
    """What reads an option of a form such as ``KEYWORD=VALUE``."""

    def read(text: str) -> tuple[str, str]:
        first, equals, second = text.partition("=")
        if not (first and equals and second):
            raise argparse.ArgumentTypeError(f"must be {form}; got {text!r}")
        return first, second

    return read


def _spacing_or_unknown(text: str) -> tuple[float, float] | str:
    """As :func:`_spacing`; ``unknown`` stays that word."""
    return text if text == "unknown" else _spacing(text)


def _spacing(text: str) -> tuple[float, float]:
    """``MM[,MM]`` as mm per pixel along x and y."""
    if text == "unknown":
        raise argparse.ArgumentTypeError("must be mm per pixel; got 'unknown'. Leave it out")
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 < number < math.inf for number in numbers):
        raise argparse.ArgumentTypeError(f"must be one or two positive numbers; got {text!r}")
    return numbers[0], numbers[-1]


def _share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1; got {text!r}")
    return number


def _port(text: str) -> int:
    """A port; 0 is any that is free."""
    if not text.isdecimal() or len(text) > 5 or int(text) >= 2**16:
        raise argparse.ArgumentTypeError(f"must be a port, 0 to 65535; got {text!r}")
    return int(text)
