# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from monai_gu2net.data import cases_of_replica


def cases(count: int) -> list[dict[str, Any]]:
    return [{"case": str(n), "landmarks": [[1.0, 2.0], None]} for n in range(count)]


@pytest.mark.parametrize(("count", "replicas"), [(7, 2), (4, 4), (5, 3), (3, 1)])
def test_every_case_is_measured_by_one_process(count: int, replicas: int) -> None:
    parts = [cases_of_replica(cases(count), num_replicas=replicas, rank=rank) for rank in range(replicas)]
    assert sorted((case for part in parts for case in part), key=lambda case: case["case"]) == cases(count)


def test_a_process_without_a_case_takes_part_and_measures_nothing() -> None:
    first, second, third = (cases_of_replica(cases(1), num_replicas=3, rank=rank) for rank in range(3))
    assert first == cases(1)
    assert second == third == [{"case": "0", "landmarks": [None, None]}]


def test_no_cases_stay_none() -> None:
    assert cases_of_replica([], num_replicas=2, rank=1) == []
