# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the commands that answer radiographs of other systems."""

from __future__ import annotations

import argparse

from monai_gu2net.commands.options import add_checkpoint_options, share
from monai_gu2net.connections import RadiographAnswers
from monai_gu2net.connections.answers import DEFAULT_FORMATS, FORMATS
from monai_gu2net.prediction import PredictionOptions

__all__ = ["add_answer_options", "answers_of"]


def add_answer_options(command: argparse.ArgumentParser) -> None:
    """Add the options that :func:`answers_of` reads."""
    add_checkpoint_options(command)
    command.add_argument("--domain", help="which of the model's domains the images are of")
    command.add_argument(
        "--domain-by-body-part",
        nargs="+",
        action="extend",
        default=[],
        type=_part_and_domain,
        metavar="PART=DOMAIN",
        help="the domain by Body Part Examined, such as SKULL=head HAND=hand; other images are of --domain, or fail",
    )
    command.add_argument(
        "--accept-spacing-source",
        nargs="+",
        metavar="SOURCE",
        help="take millimetres from these alone, by the beginning of their names, and else pixels",
    )
    command.add_argument(
        "--min-confidence",
        type=share,
        default=0.0,
        help="below it, 0 to 1, a landmark is absent (default %(default)s)",
    )
    command.add_argument(
        "--formats",
        nargs="+",
        choices=FORMATS,
        default=DEFAULT_FORMATS,
        metavar="FORMAT",
        help="what an answer consists of: sr, gsps, sc (default: the first two)",
    )


def answers_of(options: argparse.Namespace) -> RadiographAnswers:
    """The model that answers, loaded.

    Raises:
        FileNotFoundError, ValueError: the model is not there, or a domain is not one of its.
    """
    return RadiographAnswers(
        options.checkpoints,
        domain=options.domain,
        by_body_part=dict(options.domain_by_body_part),
        options=PredictionOptions(
            min_confidence=options.min_confidence,
            tta=options.tta,
            accept_spacing_source=options.accept_spacing_source,
        ),
        formats=options.formats,
        device=options.device,
    )


def _part_and_domain(text: str) -> tuple[str, str]:
    part, equals, domain = text.partition("=")
    if not (part and equals and domain):
        raise argparse.ArgumentTypeError(f"must be PART=DOMAIN; got {text!r}")
    return part, domain
