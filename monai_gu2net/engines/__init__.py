# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What MONAI's engines need to train and evaluate on domains."""

from __future__ import annotations

from monai_gu2net.engines.evaluator import run_cases
from monai_gu2net.engines.memory import keep_freed_memory
from monai_gu2net.engines.prepare_batch import PrepareDomainBatch

__all__ = ["PrepareDomainBatch", "keep_freed_memory", "run_cases"]
