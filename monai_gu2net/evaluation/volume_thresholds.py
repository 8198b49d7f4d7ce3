# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Thresholds of the detection rate that suit the voxels of volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from monai_gu2net.evaluation.protocol import DEFAULT_THRESHOLDS, Thresholds
from monai_gu2net.evaluation.result_table import in_space

__all__ = ["VOXELS", "suited_thresholds"]

VOXELS = (1, 2, 3, 4)
"""Thresholds of volumes, in voxels."""


def suited_thresholds(table: pd.DataFrame, thresholds: Thresholds) -> Thresholds:
    """The thresholds given; in place of the default ones, for domains of volumes those that suit their voxels.

    A volume may be of a mouse or of a man. Its thresholds are 1, 2, 3 and 4 voxels, in mm where the scale is known: of
    the cube as large as a voxel, in the median over the cases, with two digits. Where the scale of only some volumes of
    a domain is known, the domain has thresholds by unit.

    Args:
        table: of results, see :func:`~monai_gu2net.evaluation.result_table`.
        thresholds: see :func:`~monai_gu2net.evaluation.summarize_rows`. Others than
            :data:`~monai_gu2net.evaluation.DEFAULT_THRESHOLDS` itself stay as they are.
    """
    if thresholds is not DEFAULT_THRESHOLDS:
        return thresholds
    own = {name: _of_volumes(rows) for name, rows in table.groupby("domain", sort=False) if in_space(rows)}
    return {**own, "mm": DEFAULT_THRESHOLDS, "px": DEFAULT_THRESHOLDS} if own else thresholds


def _of_volumes(rows: pd.DataFrame) -> Sequence[float] | Mapping[str, Sequence[float]]:
    sides = {unit: _side(of_unit) if unit == "mm" else 1.0 for unit, of_unit in rows.groupby("unit", sort=False)}
    limits = {unit: tuple(float(f"{count * side:.2g}") for count in VOXELS) for unit, side in sides.items()}
    return limits if len(limits) > 1 else next(iter(limits.values()))


def _side(rows: pd.DataFrame) -> float:
    """Of a cube as large as a voxel, in mm."""
    spacing = rows[["case", *(f"spacing_{axis}" for axis in "xyz")]]
    spacing = spacing.drop_duplicates("case").drop(columns="case").dropna()
    return float(np.median(np.cbrt(spacing.prod(axis=1)))) if len(spacing) else 1.0
