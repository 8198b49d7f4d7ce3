# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .add_domain import add_domain as add_domain
from .appearances import fit_appearances as fit_appearances
from .batch_of_process import batch_of_process as batch_of_process
from .calibration import calibrate_by_folds as calibrate_by_folds
from .calibration import calibrate_model as calibrate_model
from .evaluation import evaluate_model as evaluate_model
from .memory import keep_freed_memory as keep_freed_memory
from .plain_errors import say_errors_plainly as say_errors_plainly
from .precision import decide_precision as decide_precision
from .precision import processor_prefers_bfloat16 as processor_prefers_bfloat16
from .prepare_batch import PrepareDomainBatch as PrepareDomainBatch
from .training_data import begin_training as begin_training
from .training_data import check_training_data as check_training_data
from .waiting import wait_passively as wait_passively
