# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What other commands of this folder found, for the summary."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["accuracy_lines", "beside_lines"]

BEFORE = {"inference": "3.4x as long", "training": "2.4x as long", "openvino": "hardly longer"}


def beside_lines(text: str) -> list[list[str]]:
    """Lines of the summary from the tables of ``shared_machine.py``: what a busy process costs now, and would cost.

    Args:
        text: Markdown, a table for each task, with columns for 0, 1 and more busy processes.
    """
    found = []
    for table in text.split("\n\n"):
        rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if "|" in line]
        task = rows[0][0].split(",")[0] if rows else ""
        times = {name: [float(cell) for cell in cells] for name, *cells in rows[2:]}
        if task in BEFORE and "as OpenMP comes" in times:
            quiet, spinning = times["as OpenMP comes"][:2]
            now = times["OMP_WAIT_POLICY=PASSIVE"][1] / quiet
            rest = f"the core that is taken; {spinning / quiet:.1f}x if threads spin"
            found.append([f"{task} beside one busy process", BEFORE[task], f"{now:.1f}x as long", rest])
    return found


def accuracy_lines(path: Path) -> list[list[str]]:
    """A line of the summary from the table of ``accuracy/backends.py``: what OpenVINO in bfloat16 changes."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["domain"] == "head"]
    error = {(row["engine"].split()[0], row["engine"].split()[-1]): float(row["mre"]) for row in rows}
    pair = error.get(("PyTorch", "float32")), error.get(("OpenVINO", "bfloat16"))
    if None in pair:
        return []
    now = " and ".join(f"{value:.4f}" for value in pair) + f" {rows[0]['unit']} ({rows[0]['images']} heads)"
    return [
        ["mean radial error, PyTorch in float32 and OpenVINO in bfloat16", "1.4716 and 1.4708 mm (100 heads)", now, ""]
    ]
