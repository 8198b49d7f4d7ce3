# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of landmark detection."""

from __future__ import annotations

from monai_gu2net.metrics.ignite import DomainRadialError, evaluated_samples
from monai_gu2net.metrics.radial_error import (
    RadialErrorMetric,
    radial_error,
    successful_detection_rate,
    summarize_errors,
    summarize_landmarks,
)

__all__ = [
    "DomainRadialError",
    "RadialErrorMetric",
    "evaluated_samples",
    "radial_error",
    "successful_detection_rate",
    "summarize_errors",
    "summarize_landmarks",
]
