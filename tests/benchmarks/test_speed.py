# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from timing import page, results
from timing.operations import floor_seconds, operations
from timing.ratios import median_ratio
from timing.results import Results
from timing.rounds import Program, Worker, measure
from torch import nn

MACHINE = {
    **dict.fromkeys(("accelerator", "monai", "onnxruntime", "openvino", "tensorrt")),
    "processor": "a processor",
    "cores": 2,
    "memory_gib": 8,
    "python": "3",
    "torch": "2",
    "date": "2026-01-01",
    "size": [416, 512],
    "batch": 4,
}
CEILING = {"float32": 0.1, "bfloat16": 0.2, "copy": 10.0}  # TFLOP/s, TFLOP/s, GB/s


class Counted:
    """A variant that notes its runs in a list of all, and fails if it is told to."""

    def __init__(self, name: str, runs: list[str], *, fails: bool = False) -> None:
        self.name, self.runs, self.fails, self.closed = name, runs, fails, False

    def run(self, case: Mapping[str, Any]) -> dict[str, Any]:
        self.runs.append(self.name)
        return {"failed": "no such engine"} if self.fails else {"seconds": 1.0, "cpu_seconds": 1.0}

    def close(self) -> None:
        self.closed = True


def stored(path: Path, rows: list[dict[str, Any]]) -> Results:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in (MACHINE, *rows)), encoding="utf-8")
    return Results(path)


def runs(part: str, variant: str, seconds: list[float], **told: Any) -> list[dict[str, Any]]:
    common = {"part": part, "variant": variant, "device": "cpu", "peak_mib": 1024, **told}
    return [{**common, "round": number, "seconds": each} for number, each in enumerate(seconds)]


def test_variants_take_turns_and_one_that_fails_is_tried_again_by_the_next_command(tmp_path: Path) -> None:
    order: list[str] = []
    variants = {name: Counted(name, order, fails=name == "b") for name in "abc"}
    found = Results(tmp_path / "r.jsonl")
    found.begin(size=[8, 8], batch=1)
    measure(found, "inference", variants, rounds=3)
    assert "".join(order) == "abcacac"
    assert all(variant.closed for variant in variants.values())
    order.clear()
    measure(Results(tmp_path / "r.jsonl"), "inference", {name: Counted(name, order) for name in "abc"}, rounds=3)
    assert "".join(order) == "bbb"
    assert not any("failed" in row for row in Results(tmp_path / "r.jsonl").rows)


def test_a_measurement_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    order: list[str] = []
    path = tmp_path / "r.jsonl"
    for rounds in (1, 1, 2):
        found = Results(path)
        found.begin(size=[8, 8], batch=1)
        measure(found, "inference", {name: Counted(name, order) for name in "ab"}, rounds=rounds)
    assert "".join(order) == "abab"
    assert [(row["variant"], row["round"]) for row in Results(path).rows] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_a_part_is_measured_again_when_that_is_asked_for(tmp_path: Path) -> None:
    rows = [*runs("inference", "a", [1.0]), *runs("training", "a", [2.0])]
    stored(tmp_path / "r.jsonl", rows)
    assert Results(tmp_path / "r.jsonl", again=("training",)).rows == rows[:1]
    assert Results(tmp_path / "r.jsonl").rows == rows[:1]


def test_runs_of_two_machines_are_not_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Results(tmp_path / "r.jsonl").begin(size=[8, 8], batch=1)
    Results(tmp_path / "r.jsonl").begin(size=[8, 8], batch=1)
    monkeypatch.setattr(results, "cores", lambda: 1000)
    with pytest.raises(ValueError, match=r"its cores were \[\d+\] and are \[1000\]"):
        Results(tmp_path / "r.jsonl").begin(size=[8, 8], batch=1)


def test_arithmetic_and_bytes_of_each_kind_are_those_worked_out_by_hand() -> None:
    image = torch.randn(1, 8, 10, 12, requires_grad=True)
    point_wise, channel_wise = nn.Conv2d(8, 4, 1, bias=False), nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)

    def step() -> None:
        (point_wise(channel_wise(image)) ** 2).sum().backward()

    found = operations(step, runs=2)
    pixels = 10 * 12
    # forward, and as much for each of the two gradients; a multiplication and an addition are two
    assert found["point-wise convolutions"]["flop_float32"] == 3 * 2 * 8 * 4 * pixels
    assert found["channel-wise convolutions"]["flop_float32"] == 3 * 2 * 8 * 9 * pixels
    # forward image, weight, output; backward the output's gradient, image, weight and the gradients of both
    assert found["channel-wise convolutions"]["bytes"] == 4 * (2 * 8 * pixels + 72 + 3 * 8 * pixels + 2 * 72)
    assert found["all else"]["seconds"] > 0
    assert "bytes" not in found["all else"]


def test_the_limit_is_the_time_of_arithmetic_and_of_bytes_at_the_machines_best() -> None:
    found = {"flop_float32": 1e9, "flop_bfloat16": 4e9, "bytes": 5e8, "seconds": 1.0}
    assert floor_seconds(found, CEILING) == pytest.approx((0.01 + 0.02, 0.05))


def test_a_ratio_is_the_median_within_rounds_whatever_the_machine_did_between_them(rng: np.random.Generator) -> None:
    noise = rng.uniform(1, 10, 9)  # hits both of a round
    exact = median_ratio(3 * noise, noise)
    assert exact == pytest.approx((3, 3, 3))
    ratio = median_ratio([1, 2, 3, 4, 100], [1, 1, 1, 1, 1])
    assert ratio.median == 3
    assert 1 <= ratio.low < 3 < ratio.high <= 100


def test_a_peer_is_timed_in_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "slow_peer.py").write_text(
        f"""\
import time
def note(name):
    time.sleep(0.02)
    with open({str(tmp_path / "calls")!r}, "a") as file:
        file.write(name)
def build(size, n_landmarks, batch):
    assert (size, n_landmarks, batch) == ((64, 32), 19, 2)
    print("what a peer prints does no harm")
    return (lambda: note("s")), (lambda: note("i"))
def broken(**_):
    raise RuntimeError("no weights")
""",
        encoding="utf-8",
    )
    spec = {"device": "cpu", "warm": 0, "calls": 3}
    tasks = {"s": ("training", "build"), "i": ("inference", "build"), "b": ("training", "broken")}
    variants = {
        name: Worker({**spec, "task": task, "peer": f"slow_peer:{function}"}, [tmp_path])
        for name, (task, function) in tasks.items()
    }
    found = Results(tmp_path / "r.jsonl")
    measure(found, "training", variants, rounds=2, cases=[{"size": [64, 32], "batch": 2}])
    # one more at first, to warm up
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "ssss" + "iiii" + "sss" + "iii"
    assert [row["variant"] for row in found.rows] == ["s", "i", "b", "s", "i"]
    assert found.rows[2]["failed"] == "RuntimeError: no weights"
    assert found.rows[0]["seconds"] >= 0.02
    assert found.rows[0]["peak_mib"] > 50  # PyTorch alone takes more


def test_a_program_is_timed_from_outside_and_its_last_words_tell_why_it_failed() -> None:
    done = Program(["-c", "import time; time.sleep(0.3)"]).run({})
    assert done["seconds"] >= 0.3 > done["cpu_seconds"]
    assert Program(["-c", "raise SystemExit('no such file')"]).run({}) == {"failed": "no such file"}


def test_the_summary_says_what_the_stored_runs_say(tmp_path: Path) -> None:
    kinds = {kind: {"seconds": 0.0} for kind in page.KINDS}
    # 0.1 TFLOP/s: 10 GFLOP take 100 ms at least; they took 120, and all else 80
    kinds["point-wise convolutions"] = {"seconds": 0.12, "flop_float32": 1e10, "bytes": 1e6}
    kinds["all else"] = {"seconds": 0.08}
    counted = {"part": "operations", "variant": "inference, PyTorch", "device": "cpu", "operations": kinds, "round": 0}
    ceiling = {"part": "ceilings", "variant": "ceilings", "device": "cpu", **CEILING, "round": 0}
    found = stored(
        tmp_path / "r.jsonl",
        [
            *runs("inference", "peer", [0.4, 0.8, 0.4]),
            *runs("inference", "PyTorch", [0.2, 0.4, 0.2]),
            {"part": "inference", "variant": "TensorRT", "device": "cpu", "round": 0, "failed": "absent"},
            *runs("training", "peer", [3.0]),
            *runs("training", "float32", [1.5]),
            ceiling,
            counted,
            {**counted, "variant": "inference, PyTorch, bfloat16"},
        ],
    )
    tables = page.tables(found)
    assert (
        "| inference, batch 1: PyTorch | 2x | 2.0x (2.0 to 2.0) | "
        "50% over the limit: all else 40%, point-wise convolutions 10% |"
    ) in tables["summary"]
    # a step of four is twelve times that: 1.2 s
    assert "| training step, batch 4: float32 | 1.1x | 2.0x (2.0 to 2.0) | 20% over the limit |" in tables["summary"]
    assert "| training step, batch 4: limit of the machine in bfloat16 | 5x | 2.5x |" in tables["summary"]
    assert "| training step, batch 4: memory | 5 GiB | 1.0 GiB in float32 |" in tables["summary"]
    assert "| PyTorch | 200 | 200 | 2.0x (2.0 to 2.0) | 1.0 | 50% |" in tables["inference"]
    assert "| TensorRT | - | - | - | - | did not run: absent |" in tables["inference"]
    assert tables["inference"].endswith(page.UNTESTED)
    assert "| point-wise convolutions | 10.0 | 0.00 | 100 | 0 | 120 |" in tables["operations"]


def test_what_other_commands_found_stands_in_the_summary(tmp_path: Path) -> None:
    (tmp_path / "shared_machine.md").write_text(
        "2 processors, load of the last minute 0.10: quiet\n\n"
        "| inference, 256x320, ms | beside 0 busy | beside 1 busy |\n|---|---|---|\n"
        "| as OpenMP comes | 90 | 270 |\n| OMP_WAIT_POLICY=PASSIVE | 95 | 153 |\n",
        encoding="utf-8",
    )
    (tmp_path / "backends.csv").write_text(
        "domain,unit,images,mre,engine\n"
        'head,mm,150,1.1612,"PyTorch 2.13.0, float32"\nhead,mm,150,1.1634,"OpenVINO 2026.4, bfloat16"\n',
        encoding="utf-8",
    )
    summary = page.tables(stored(tmp_path / "r.jsonl", []), tmp_path)["summary"]
    assert "| inference beside one busy process | 3.4x as long | 1.7x as long | " in summary
    assert "; 3.0x if threads spin |" in summary
    assert "| 1.4716 and 1.4708 mm (100 heads) | 1.1612 and 1.1634 mm (150 heads) |" in summary


def test_times_of_sizes_are_those_of_an_image(tmp_path: Path) -> None:
    rows = [
        *runs("sizes", "OpenVINO", [0.1, 0.3, 0.2], size=[416, 512], batch=1),
        *runs("sizes", "OpenVINO", [0.4, 0.4, 0.4], size=[416, 512], batch=4),
    ]
    found = stored(tmp_path / "r.jsonl", rows)
    assert "| processor | 416x512 | 1 | OpenVINO 200 |" in page.tables(found)["sizes"]
    assert "| processor | 416x512 | 4 | OpenVINO 100 |" in page.tables(found)["sizes"]
    page.plot(found, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_tables_are_filled_in_between_their_markers_and_nowhere_else() -> None:
    text = "a\n<!-- begin t -->\nold\n<!-- end -->\nb\n"
    once = page.filled(text, {"t": "new"})
    assert once == "a\n<!-- begin t -->\n\nnew\n\n<!-- end -->\nb\n"
    assert page.filled(once, {"t": "new"}) == once
    with pytest.raises(ValueError, match=r"must be one of \['other'\]; got 't'"):
        page.filled(text, {"other": ""})


def test_nothing_in_a_results_file_names_the_machine(tmp_path: Path) -> None:
    import platform

    Results(tmp_path / "r.jsonl").begin(size=[8, 8], batch=1)
    text = (tmp_path / "r.jsonl").read_text(encoding="utf-8")
    assert platform.node() not in text
    assert sys.prefix not in text
