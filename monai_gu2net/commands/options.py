# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands have, each said once.

Nothing here imports what a command needs to run: help and errors of the command line must not wait for that.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from monai_gu2net.data import ALLOWED_OUTSIDE, SPACING_SOURCES, SPLITS
from monai_gu2net.evaluation import PROTOCOLS, Protocol, named_protocol
from monai_gu2net.export import BACKENDS, PRECISIONS
from monai_gu2net.transforms.result_formats import ANSWER_FORMATS, DICOM_FORMATS

if TYPE_CHECKING:
    from monai_gu2net.connections import RadiographAnswers
    from monai_gu2net.data import Datalist
    from monai_gu2net.prediction import PredictionOptions

__all__ = [
    "ANSWERS",
    "ENGINE",
    "MODELS",
    "PROTOCOL",
    "SCALE",
    "add_case_options",
    "add_options",
    "answers_of",
    "data_of",
    "device_of",
    "dims_of",
    "pair",
    "prediction_of",
    "progress",
    "protocol_of",
    "spacing_or_unknown",
]


def pair(form: str) -> Callable[[str], tuple[str, str]]:
    """What reads an option of a form such as ``KEYWORD=VALUE``."""

    def read(text: str) -> tuple[str, str]:
        first, equals, second = text.partition("=")
        if not (first and equals and second):
            raise argparse.ArgumentTypeError(f"must be {form}; got {text!r}")
        return first, second

    return read


def _spacing(text: str) -> tuple[float, ...]:
    """``MM[,MM[,MM]]`` as mm per pixel along each axis; one number is that of both axes of a radiograph."""
    if text == "unknown":
        raise argparse.ArgumentTypeError("must be mm per pixel; got 'unknown'. Leave it out")
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2, 3) or not all(0 < number < math.inf for number in numbers):
        raise argparse.ArgumentTypeError(f"must be one, two or three positive numbers; got {text!r}")
    return (numbers[0], numbers[0]) if len(numbers) == 1 else tuple(numbers)


def spacing_or_unknown(text: str) -> tuple[float, ...] | str:
    """As ``--spacing`` is read; ``unknown`` stays that word."""
    return text if text == "unknown" else _spacing(text)


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


ENGINE = ("--device", "--backend", "--precision")
"""Where and how networks run."""
MODELS = ("--checkpoint", "--tta", *ENGINE)
"""The models (``checkpoints``), and how and where they run, see :func:`device_of`."""
ANSWERS = (*MODELS, "--domain", "--domain-by-body-part", "--accept-spacing-source", "--min-confidence", "--formats")
"""What :func:`answers_of` reads."""
PROTOCOL = ("--protocol", "--leave-out", "--strict")
"""What :func:`protocol_of` reads."""
SCALE = ("--spacing", "--accept-spacing-source")
"""Where millimetres are taken from."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "--accept-spacing-source": {
        "nargs": "+",
        "metavar": "SOURCE",
        "help": "take millimetres from these alone, by the beginning of their names, and else pixels: "
        f"{', '.join(SPACING_SOURCES[1:])}",
    },
    "--allow-outside": {
        "type": _share,
        "default": ALLOWED_OUTSIDE,
        "metavar": "SHARE",
        "help": "share of a domain's landmarks, 0 to 1, that may lie outside of their images; they are left out "
        "(default %(default)s)",
    },
    "--backend": {
        "choices": BACKENDS,
        "default": "auto",
        "help": "the engine that runs the network (default %(default)s: on a processor OpenVINO, or else ONNX "
        "Runtime, if it is installed and there are enough images to make up for its start; PyTorch otherwise)",
    },
    "--checkpoint": {
        "dest": "checkpoints",
        "required": True,
        "action": "append",
        "type": Path,
        "metavar": "MODEL",
        "help": "a trained model.pt; given several times, the models' heatmaps are averaged",
    },
    "--datalist": {"type": Path},
    "--dataset-dir": {"type": Path, "help": "a folder with a datalist.json or a known layout"},
    "--device": {"help": "where the network runs (default: cuda where it is there, else cpu)"},
    "--domain": {"help": "which of the model's domains the images are of (default: told from each image)"},
    "--domain-by-body-part": {
        "nargs": "+",
        "action": "extend",
        "default": [],
        "type": pair("PART=DOMAIN"),
        "metavar": "PART=DOMAIN",
        "help": "the domain by Body Part Examined, such as SKULL=head HAND=hand; other images are of --domain, or fail",
    },
    "--domains": {"nargs": "+", "metavar": "DOMAIN", "help": "only these of the data's domains"},
    "--formats": {
        "nargs": "+",
        "choices": ANSWER_FORMATS,
        "default": DICOM_FORMATS,
        "metavar": "FORMAT",
        "help": "what an answer consists of: sr, gsps, sc (default: the first two)",
    },
    "--host": {"default": "127.0.0.1", "help": "address to listen at (default %(default)s: this machine)"},
    "--leave-out": {
        "nargs": "+",
        "action": "extend",
        "default": [],
        "metavar": "DOMAIN:LANDMARK",
        "help": "landmarks that do not count, such as head:soft_tissue_pogonion",
    },
    "--min-confidence": {
        "type": _share,
        "default": 0.0,
        "help": "below it, 0 to 1, a landmark is absent (default %(default)s)",
    },
    "--output-dir": {"required": True, "type": Path, "help": "where the results go"},
    "--password-file": {
        "type": Path,
        "help": "a file with USER:PASSWORD for basic authentication at the DICOMweb server",
    },
    "--port": {"type": _port, "help": "default %(default)s"},
    "--precision": {
        "choices": PRECISIONS,
        "default": "auto",
        "help": "what the network computes in (default %(default)s: float32 on a processor); bfloat16 is faster on "
        "some, and moves some percent of the points by more than 0.05 pixels of the network's input",
    },
    "--protocol": {
        "choices": PROTOCOLS,
        "default": "original",
        "help": "original: sub-pixel, in pixels of the files times their spacing; paper: whole pixels of the paper's "
        "grids (default %(default)s)",
    },
    "--spacing": {
        "type": _spacing,
        "metavar": "MM[,MM[,MM]]",
        "help": "mm per pixel of all images, whatever else says so: two numbers for radiographs, or one where they are "
        "the same; three for volumes",
    },
    "--split": {"choices": (*SPLITS, "all")},
    "--strict": {"action": "store_true", "help": "detected below a threshold (<) instead of up to it"},
    "--tta": {
        "type": int,
        "default": 1,
        "metavar": "N",
        "help": "test-time augmentation: average over N versions of each image, all but the first slightly turned, "
        "scaled and shifted (default %(default)s)",
    },
    "--worst": {"type": int, "default": 6, "help": "worst cases drawn per domain (default %(default)s)"},
}
# tqdm's own, but for the rate: things per second, also where there is less than one
_BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
_SHORT = {"--checkpoint": "-m", "--output-dir": "-o"}


def add_options(command: argparse._ActionsContainer, *names: str, **changes: Any) -> None:
    """Add options that several commands have.

    Args:
        command: the parser, or a group of it.
        names: of the options, in the order of the help.
        changes: what a command says differently of them, as ``add_argument`` takes it.
    """
    for name in names:
        short = [_SHORT[name]] if name in _SHORT else []
        command.add_argument(*short, name, **{**_OPTIONS[name], **changes})


def add_case_options(command: argparse.ArgumentParser, *, cases: str, split: str, which: str) -> None:
    """Add what says which annotated cases are taken; :func:`data_of` opens their data.

    Args:
        command: the parser.
        cases: what they are, in words.
        split: the split taken by default.
        which: cases it should have, in words.
    """
    layout = "the domain of --dataset-dir; by default the layout's or the folder's name"
    add_options(command, "--datalist", help=f"{cases}; by default --dataset-dir, or the phantom")
    add_options(command, "--dataset-dir")
    add_options(command, "--domain", metavar="NAME", help=layout)
    add_options(command, "--split", default=split, help=f"{which} (default %(default)s)")
    add_options(command, "--domains", "--allow-outside")


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


def dims_of(options: argparse.Namespace) -> int:
    """Axes of space of the images that the model is for.

    Raises:
        FileNotFoundError, ValueError: the model is not there, or is none.
    """
    from monai_gu2net.networks import ModelCard

    return ModelCard.load(options.checkpoints[0]).spatial_dims


def data_of(options: argparse.Namespace, results: Path) -> Datalist:
    """The data that the options of cases say; without any the phantom, which is drawn in the results' folder."""
    from monai_gu2net.sources import open_data

    return open_data(
        options.datalist,
        options.dataset_dir,
        domain=options.domain,
        domains=options.domains,
        allow_outside=options.allow_outside,
        phantom_dir=results / "phantom",
    )


def prediction_of(options: argparse.Namespace) -> PredictionOptions:
    """How a model is used, by those of the options that a command has."""
    from monai_gu2net.prediction import PredictionOptions

    names = ("min_confidence", "tta", "spacing", "accept_spacing_source", "backend", "precision")
    return PredictionOptions(**{name: getattr(options, name) for name in names if hasattr(options, name)})


def answers_of(options: argparse.Namespace) -> RadiographAnswers:
    """The model that answers radiographs of other systems, loaded.

    Raises:
        FileNotFoundError, ValueError: the model is not there, or a domain is not one of its.
    """
    from monai_gu2net.connections import RadiographAnswers

    return RadiographAnswers(
        options.checkpoints,
        domain=options.domain,
        by_body_part=dict(options.domain_by_body_part),
        options=prediction_of(options),
        formats=options.formats,
        device=device_of(options),
    )


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


@contextmanager
def progress(doing: str, total: int, *, unit: str = "case") -> Iterator[Callable[[int], None]]:
    """A bar of what is done, how many a second and the time left, and a line of the whole when it has ended.

    Args:
        doing: what.
        total: number of things to do.
        unit: a thing.

    Yields:
        What to call with the number of things done so far.
    """
    begun = time.monotonic()
    with tqdm(total=total, desc=doing, unit=f" {unit}s", bar_format=_BAR) as bar:
        yield lambda count: bar.update(count - bar.n)
    seconds = max(time.monotonic() - begun, 1e-3)
    if bar.n:
        sys.stderr.write(f"{bar.n} {unit}(s) in {seconds:.1f} s, {bar.n / seconds:.2f} {unit}s per second\n")
