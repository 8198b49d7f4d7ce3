# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .checkpoints import TrainingCheckpoints as TrainingCheckpoints
from .finite_training import FiniteTraining as FiniteTraining
from .metrics_log import MetricsLog as MetricsLog
from .result_rows import ResultRows as ResultRows
from .validation_pictures import ValidationPictures as ValidationPictures
from .weight_average import WeightAverage as WeightAverage
