# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What MONAI's engines need to train on domains, and whole runs of a trained model."""

from __future__ import annotations

from monai_gu2net.engines.add_domain import add_domain
from monai_gu2net.engines.calibration import calibrate_model
from monai_gu2net.engines.evaluation import evaluate_model
from monai_gu2net.engines.memory import keep_freed_memory
from monai_gu2net.engines.plain_errors import say_errors_plainly
from monai_gu2net.engines.precision import decide_precision, processor_prefers_bfloat16
from monai_gu2net.engines.prepare_batch import PrepareDomainBatch
from monai_gu2net.engines.training_data import begin_training, check_training_data

__all__ = [
    "PrepareDomainBatch",
    "add_domain",
    "begin_training",
    "calibrate_model",
    "check_training_data",
    "decide_precision",
    "evaluate_model",
    "keep_freed_memory",
    "processor_prefers_bfloat16",
    "say_errors_plainly",
]
