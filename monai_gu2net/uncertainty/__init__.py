# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How far off a prediction may be: the spread of its heatmap, and the radius that a calibration makes of it."""

from __future__ import annotations

from monai_gu2net.uncertainty.conformal import LEVELS, RADIUS_LEVEL, Calibration, calibrate, conformal_quantile
from monai_gu2net.uncertainty.spread import heatmap_spread, pixels_per_unit, spread_in_world

__all__ = [
    "LEVELS",
    "RADIUS_LEVEL",
    "Calibration",
    "calibrate",
    "conformal_quantile",
    "heatmap_spread",
    "pixels_per_unit",
    "spread_in_world",
]
