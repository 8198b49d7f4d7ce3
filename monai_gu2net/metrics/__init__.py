# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of landmark detection."""

from __future__ import annotations

from monai_gu2net.metrics.radial_error import radial_error, successful_detection_rate, summarize_errors
from monai_gu2net.metrics.radial_error_metric import RadialErrorMetric, evaluated_samples

__all__ = [
    "RadialErrorMetric",
    "evaluated_samples",
    "radial_error",
    "successful_detection_rate",
    "summarize_errors",
]
