# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from monai_gu2net.engines import decide_precision, processor_prefers_bfloat16
from monai_gu2net.engines import precision as precision_module


def prefer(monkeypatch: pytest.MonkeyPatch, bfloat16: bool) -> None:
    monkeypatch.setattr(precision_module, "processor_prefers_bfloat16", lambda: bfloat16)


@pytest.mark.parametrize(
    ("precision", "device", "prefers_bfloat16", "expected"),
    [
        ("auto", "cpu", True, "bfloat16"),
        ("auto", "cpu", False, "float32"),
        ("auto", "cuda", True, "float32"),
        ("float32", "cpu", True, "float32"),
        ("bfloat16", "cpu", False, "bfloat16"),
    ],
)
def test_auto_is_bfloat16_on_a_processor_that_is_faster_in_it(
    monkeypatch: pytest.MonkeyPatch, precision: str, device: str, prefers_bfloat16: bool, expected: str
) -> None:
    prefer(monkeypatch, prefers_bfloat16)
    assert decide_precision(precision, device=device) == expected


@pytest.mark.parametrize(("has_it", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bfloat16_on_a_cuda_device_that_has_it(
    monkeypatch: pytest.MonkeyPatch, has_it: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_it)
    assert decide_precision("auto", device="cuda:0") == expected


@pytest.mark.parametrize("recorded", ["float32", "bfloat16"])
def test_a_resumed_run_keeps_the_decision_whatever_a_new_trial_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: str
) -> None:
    prefer(monkeypatch, recorded == "float32")
    torch.save({"card": {"provenance": {"precision": recorded}}}, tmp_path / "last.pt")
    assert decide_precision("auto", device="cpu", resumed=tmp_path / "last.pt") == recorded
    assert decide_precision("auto", device="cpu", resumed=tmp_path / "none.pt") != recorded


def test_the_log_says_the_decision(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    prefer(monkeypatch, True)
    with caplog.at_level(logging.INFO):
        decide_precision("auto", device="cpu")
    assert "Training in bfloat16, which 'auto' came to" in caplog.text


def test_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="precision must be 'auto', 'bfloat16' or 'float32'; got 'half'"):
        decide_precision("half", device="cpu")


@pytest.mark.parametrize(("bfloat16", "expected"), [(0.5, True), (0.9, False), (2.0, False)])
def test_bfloat16_must_win_clearly(monkeypatch: pytest.MonkeyPatch, bfloat16: float, expected: bool) -> None:
    seconds = {torch.bfloat16: bfloat16, torch.float32: 1.0}
    monkeypatch.setattr(precision_module, "_seconds", seconds.__getitem__)
    assert processor_prefers_bfloat16.__wrapped__() is expected


def test_the_processor_is_tried_once() -> None:
    processor_prefers_bfloat16.cache_clear()
    first = processor_prefers_bfloat16()
    assert processor_prefers_bfloat16() is first
    assert processor_prefers_bfloat16.cache_info().misses == 1


DECIDE_AS_ONE_OF_TWO_PROCESSES = """
import sys
import torch
from monai_gu2net.engines import precision

folder, rank = sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
precision.processor_prefers_bfloat16 = lambda: rank == 0
print(precision.decide_precision("auto", device="cpu"))
torch.distributed.destroy_process_group()
"""


def test_processes_that_would_decide_differently_take_the_firsts_decision(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DECIDE_AS_ONE_OF_TWO_PROCESSES, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, text=True) for rank in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in processes] == ["bfloat16", "bfloat16"]


def test_a_damaged_state_of_a_resumed_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ValueError, match=r"last\.pt must be a checkpoint; got \w+\. It is damaged"):
        decide_precision("auto", device="cpu", resumed=tmp_path / "last.pt")
