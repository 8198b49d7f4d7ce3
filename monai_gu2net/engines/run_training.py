# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A bundle's training workflow, run in this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import monai.bundle

from monai_gu2net.engines.plain_errors import plain_cause

__all__ = ["run_training"]


def run_training(config_file: str | os.PathLike[str], overrides: Mapping[str, Any]) -> None:
    """Run the ``training`` of a bundle.

    Args:
        config_file: the bundle's training configuration.
        overrides: of its values, by name.

    Raises:
        ValueError, OSError: what ended it. MONAI would hide it in an error of its own, which names the expression of
            the configuration that was evaluated.
    """
    try:
        monai.bundle.run(run_id="training", config_file=os.fspath(config_file), **overrides)
    except RuntimeError as error:
        raise (plain_cause(error) or error) from None
