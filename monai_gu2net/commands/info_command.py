# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``info``: what a checkpoint holds."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monai_gu2net.commands.command import add_command, say

if TYPE_CHECKING:
    from monai_gu2net.networks import ModelCard

__all__ = ["add", "calibration_lines"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(commands, "info", "say what a checkpoint holds", run=_run)
    command.add_argument("checkpoint", type=Path)
    command.add_argument("--json", action="store_true", help="all of it, as JSON")


def calibration_lines(card: ModelCard) -> list[str]:
    """A line for each domain that is calibrated."""
    from monai_gu2net.uncertainty import Calibration

    return [
        f"{name}: calibrated by {each.landmarks} landmarks of {each.images} images, "
        f"test-time augmentation {each.tta}, {each.members} model(s)"
        for name, each in ((name, Calibration.from_dict(fields)) for name, fields in card.calibration.items())
    ]


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.networks import ModelCard

    card = ModelCard.load(options.checkpoint)
    if options.json:
        say(json.dumps(card.state_dict(), indent=1))
        return 0
    say(card.network["name"])
    for name, domain in card.domains.items():
        size = " x ".join(map(str, domain.size))
        sigma = f"targets with sigma {card.sigma_of(name):g} px"
        say(f"{name}: {len(domain.landmarks)} landmarks, input {size}, {sigma}, unit {domain.unit}")
        say("  " + ", ".join(domain.landmarks))
    for line in calibration_lines(card):
        say(line)
    for name, appearance in card.appearances.items():
        say(f"{name}: told from an image by the looks of {appearance.images} images")
    for key, value in card.provenance.items():
        say(f"{key}: {value}")
    return 0
