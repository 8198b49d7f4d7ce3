# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Options of the commands that answer radiographs of other systems."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from monai_gu2net.commands.options import MODELS, add_options, device_of, pair, prediction_of
from monai_gu2net.transforms.result_formats import ANSWER_FORMATS, DICOM_FORMATS

if TYPE_CHECKING:
    from monai_gu2net.connections import RadiographAnswers

__all__ = ["add_answer_options", "answers_of"]


def add_answer_options(command: argparse.ArgumentParser) -> None:
    """Add the options that :func:`answers_of` reads."""
    add_options(command, *MODELS, "--domain")
    command.add_argument(
        "--domain-by-body-part",
        nargs="+",
        action="extend",
        default=[],
        type=pair("PART=DOMAIN"),
        metavar="PART=DOMAIN",
        help="the domain by Body Part Examined, such as SKULL=head HAND=hand; other images are of --domain, or fail",
    )
    add_options(command, "--accept-spacing-source", "--min-confidence")
    add_options(
        command,
        "--formats",
        choices=ANSWER_FORMATS,
        default=DICOM_FORMATS,
        help="what an answer consists of: sr, gsps, sc (default: the first two)",
    )


def answers_of(options: argparse.Namespace) -> RadiographAnswers:
    """The model that answers, loaded.

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
