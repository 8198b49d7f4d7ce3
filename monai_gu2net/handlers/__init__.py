# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Ignite handlers: checkpoints, tables and pictures of a run."""

from __future__ import annotations

from monai_gu2net.handlers.checkpoints import TrainingCheckpoints
from monai_gu2net.handlers.metrics_log import MetricsLog
from monai_gu2net.handlers.result_rows import ResultRows
from monai_gu2net.handlers.validation_pictures import ValidationPictures
from monai_gu2net.handlers.weight_average import WeightAverage

__all__ = ["MetricsLog", "ResultRows", "TrainingCheckpoints", "ValidationPictures", "WeightAverage"]
