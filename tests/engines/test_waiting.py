# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Each in a process of its own, for OpenMP reads its environment once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# An idle process that uses its threads now and then: those that spin use up the time between.
IDLE = """
import os, sys, time
{before}
import torch
torch.randn(1 << 16).exp()
{after}
numbers = torch.randn(1 << 16)
numbers.exp()
began = time.process_time()
for _ in range(50):
    numbers.exp()
    time.sleep(0.005)
print(1000 * (time.process_time() - began) / 50)
"""
CALL = "from monai_gu2net.engines import wait_passively; said = wait_passively(); print(said)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP is PyTorch's on Linux alone")


def run(code: str, **environment: str) -> list[str]:
    """What a process prints that has two threads and no setting but these."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split()


def test_by_itself_openmp_spins() -> None:
    [milliseconds] = run(IDLE.format(before="", after=""))
    assert float(milliseconds) > 2


@pytest.mark.parametrize(("before", "after"), [(CALL, ""), ("", CALL)], ids=["before PyTorch", "after PyTorch"])
def test_threads_that_wait_use_no_time(before: str, after: str) -> None:
    said, milliseconds = run(IDLE.format(before=before, after=after))
    assert said == "True"
    assert float(milliseconds) < 1


@pytest.mark.parametrize(("before", "after"), [(CALL, ""), ("", CALL)], ids=["before PyTorch", "after PyTorch"])
def test_the_users_own_setting_stands(before: str, after: str) -> None:
    said, milliseconds = run(IDLE.format(before=before, after=after), GOMP_SPINCOUNT="300000")
    assert said == "False"
    assert float(milliseconds) > 2
    assert run(f"import os; {CALL}; print(os.environ['OMP_WAIT_POLICY'])", OMP_WAIT_POLICY="active") == [
        "False",
        "active",
    ]


def test_it_is_done_once_and_not_for_a_single_thread() -> None:
    count = "threading.active_count()"
    twice = f"import threading, torch; {CALL}; first = {count}; {CALL}; print({count} - first)"
    assert run(twice) == ["True", "False", "0"]
    assert run(f"import torch; {CALL}", OMP_NUM_THREADS="1") == ["False"]


def test_a_program_that_uses_the_package_waits_as_it_did() -> None:
    code = "import os\nfrom monai_gu2net.engines import evaluate_model\n"
    code += "print([name for name in os.environ if name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')])"
    assert run(code) == ["[]"]


def test_a_command_and_what_it_starts_wait_passively() -> None:
    tell = "print(os.environ.get('OMP_WAIT_POLICY'))"
    code = f"import os\nfrom monai_gu2net.__main__ import main\n{tell}\nmain(['info', 'nowhere.pt'])\n{tell}"
    assert run(code) == ["None", "PASSIVE"]
