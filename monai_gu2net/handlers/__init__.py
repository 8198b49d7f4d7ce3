# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Ignite handlers: checkpoints, tables and pictures of a run, and its end where it is not finite."""

from __future__ import annotations

from monai_gu2net.handlers.checkpoints import TrainingCheckpoints
from monai_gu2net.handlers.exponential_moving_average import ExponentialMovingAverage
from monai_gu2net.handlers.finite_training import FiniteTraining
from monai_gu2net.handlers.metrics_log import MetricsLog
from monai_gu2net.handlers.validation_pictures import ValidationPictures

__all__ = [
    "ExponentialMovingAverage",
    "FiniteTraining",
    "MetricsLog",
    "TrainingCheckpoints",
    "ValidationPictures",
]
