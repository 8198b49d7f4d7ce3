# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Cases that the processes of a distributed run share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ignite import distributed

from monai_gu2net.metrics.gathering import gather
from monai_gu2net.prediction.predictor import Predictor

__all__ = ["run_shared"]


def run_shared(
    predictor: Predictor, cases: Sequence[Mapping[str, Any]], **options: Any
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """:meth:`~monai_gu2net.prediction.Predictor.run`, of whose cases each process takes its share.

    Every process must call it, with the same cases.

    Args:
        predictor: the model.
        cases: no two of a domain with the same name.
        options: of ``Predictor.run``.

    Returns:
        Rows and failures of all cases in their order, the same on each process, and as one process alone gives them.
    """
    rank, processes = distributed.get_rank(), distributed.get_world_size()
    predictor.backend.expect(len(cases) * predictor.options.tta)  # on the engine that one process takes
    parts = gather(predictor.run(cases[rank::processes], **options))
    order = {(case["domain"], case["case"]): place for place, case in enumerate(cases)}
    rows = [row for part, _ in parts for row in part]
    failures = [failure for _, part in parts for failure in part]
    rows.sort(key=lambda row: order[row["domain"], row["case"]])
    failures.sort(key=lambda failure: order[failure["domain"], failure["case"]])
    return rows, failures
