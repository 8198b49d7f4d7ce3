# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The cases that each process of a distributed run validates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["cases_of_replica"]


def cases_of_replica(cases: Sequence[Mapping[str, Any]], *, num_replicas: int, rank: int) -> list[Mapping[str, Any]]:
    """One process's share of the cases: every one is measured by one process.

    All processes have to validate, for their results are gathered. So one that is left without a case gets the first
    one without its landmarks, of which nothing is measured.

    Args:
        cases: of a datalist, the same for every process.
        num_replicas: processes.
        rank: this one's number.

    Returns:
        At least one case, unless there is none at all.

    Example:
        >>> case = {"case": "a", "landmarks": [[1.0, 2.0]]}
        >>> cases_of_replica([case], num_replicas=2, rank=1)
        [{'case': 'a', 'landmarks': [None]}]
    """
    own = list(cases[rank::num_replicas])
    if own or not cases:
        return own
    return [{**cases[0], "landmarks": [None] * len(cases[0]["landmarks"])}]
