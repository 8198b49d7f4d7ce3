# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .checkpoints import TrainingCheckpoints as TrainingCheckpoints
from .exponential_moving_average import ExponentialMovingAverage as ExponentialMovingAverage
from .finite_training import FiniteTraining as FiniteTraining
from .metrics_log import MetricsLog as MetricsLog
from .validation_pictures import ValidationPictures as ValidationPictures
