# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One number for a model on validation cases, to compare two models by."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from monai_gu2net.data import Datalist
from monai_gu2net.prediction import Predictor, fitting_cases

__all__ = ["validation_error"]


def validation_error(checkpoint: str | os.PathLike[str], data: Datalist, *, device: str = "cpu") -> tuple[float, str]:
    """Mean radial error over all landmarks of the validation cases.

    Args:
        checkpoint: the model.
        data: with validation cases.
        device: where the network runs.

    Returns:
        The error and its unit: "mm" where the spacing of every image is known, else "px" of the files. NaN where
        nothing could be measured; inf where a landmark was not found.

    Raises:
        ValueError: the data is not of the model's domains, or has no validation cases.
    """
    predictor = Predictor(checkpoint, device=device)
    domains, cases = fitting_cases(predictor.card, data, split="validation")
    rows, _ = predictor.run(cases, domains=domains)
    unit = "mm" if all(row["unit"] == "mm" for row in rows) else "px"
    errors = np.array([row["error"] if unit == "mm" else _error_px(row) for row in rows], dtype=float)
    known = errors[~np.isnan(errors)]
    return (float(known.mean()), unit) if len(known) else (math.nan, unit)


def _error_px(row: Mapping[str, Any]) -> float:
    """Distance in pixels of the file; NaN: not annotated, inf: not found."""
    if not math.isfinite(row["error"]):
        return float(row["error"])
    return math.hypot(*(row[f"predicted_{axis}"] - row[f"reference_{axis}"] for axis in "xy"))
