# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An evaluator where a case that the network or what follows fails at does not stop the others."""

from __future__ import annotations

import logging
from typing import Any

import torch
from monai.engines import SupervisedEvaluator

from monai_gu2net.data.tolerant import reason_of
from monai_gu2net.files import full_disk

__all__ = ["TolerantEvaluator"]

_log = logging.getLogger(__name__)


class TolerantEvaluator(SupervisedEvaluator):
    """MONAI's evaluator over batches of one case; a case that fails has no output and is listed.

    A disk that is full or read-only stops the run all the same, for it is no case's fault.

    Attributes:
        failures: one per failed case, with ``case``, ``domain`` and ``reason``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.failures: list[dict[str, str]] = []

    def _iteration(self, engine: Any, batchdata: Any) -> Any:
        try:
            return super()._iteration(engine, batchdata)
        except Exception as error:
            full = full_disk(error)
            if full is not None:
                raise full from error
            case, domain = str(batchdata["case"][0]), str(batchdata["domain"][0])
            reason = reason_of(error)
            _log.warning("Case %s of domain %s failed: %s", case, domain, reason)
            self.failures.append({"case": case, "domain": domain, "reason": reason})
        # outside of the except clause, whose error holds the frames and with them the memory
        if engine.state.device is not None and engine.state.device.type == "cuda":
            torch.cuda.empty_cache()
        engine.state.batch, engine.state.output = [], []
        return engine.state.output
