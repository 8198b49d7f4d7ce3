# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Two processes of which one has less than the other, or nothing, end together and measure the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """
import json
import math
import sys
import torch
from monai_gu2net.metrics import RadialErrorMetric

folder, rank = sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
pooled, by_domain = RadialErrorMetric(), RadialErrorMetric(thresholds=[2.0])
found = []
for parts in json.loads(sys.argv[3]):
    for domain, errors in parts[rank]:
        predicted = torch.tensor([[[0.0, error] for error in errors]], dtype=getattr(torch, sys.argv[4 + rank]))
        pooled(y_pred=predicted, y=torch.zeros_like(predicted))
        by_domain(list(predicted), list(torch.zeros_like(predicted)), domain=[domain])
    values = by_domain.compute()
    count = pooled.compute().get("all_count", 0)
    measured = [pooled.aggregate().item(), count, len(pooled), values["mre"], sorted(values)]
    found.append([None if value != value else value for value in measured])
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(found, file)
torch.distributed.destroy_process_group()
"""

Parts = list[list[list[tuple[str, list[float]]]]]


def measure(folder: Path, parts: Parts, *dtypes: str) -> list[list[object]]:
    """What both processes measure after each round of samples; the same, or the test fails."""
    command = [sys.executable, "-c", MEASURE, str(folder)]
    processes = [
        subprocess.Popen([*command, str(rank), json.dumps(parts), *(dtypes or ("float32", "float32"))])
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=100) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    first, second = (json.loads((folder / f"{rank}.json").read_text()) for rank in range(2))
    assert first == second
    return [found[:4] for found in first]


@pytest.mark.parametrize("empty", [0, 1])
def test_a_process_without_a_sample_does_not_keep_the_other_waiting(tmp_path: Path, empty: int) -> None:
    parts: Parts = [[[("head", [1.0, 2.0, 6.0])], []]]
    found = measure(tmp_path, [parts[0][:: 1 if empty else -1]])
    assert found == [[3.0, 3, 3, 3.0]]


def test_processes_that_have_nothing_measure_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path, [[[], []]]) == [[None, 0, 0, None]]


def test_processes_see_different_domains_in_different_precision(tmp_path: Path) -> None:
    parts: Parts = [[[("head", [1.0, 3.0])], [("hand", [5.0, 7.0, 9.0]), ("hand", [7.0])]]]
    # pooled (1 + 3 + 5 + 7 + 9 + 7) / 6, over domains (2 + 7) / 2
    assert measure(tmp_path, parts, "float32", "float64") == [[pytest.approx(32 / 6), 6, 6, 4.5]]


def test_a_process_that_got_nothing_new_since_the_last_result_takes_part_in_the_next(tmp_path: Path) -> None:
    parts: Parts = [[[("head", [1.0])], [("head", [3.0])]], [[("head", [8.0])], []]]
    assert measure(tmp_path, parts) == [[2.0, 2, 2, 2.0], [4.0, 3, 3, 4.0]]
