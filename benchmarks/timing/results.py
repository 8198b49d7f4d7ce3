# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What was measured: a file of JSON lines, the machine first, then one line for each run."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from monai_gu2net.files import write_text_whole

__all__ = ["PACKAGES", "Results", "cores", "machine"]

PACKAGES = ("torch", "monai", "openvino", "onnxruntime", "tensorrt")


class Results:
    """The runs of a file; a new one is appended at once, so that an interrupted measurement goes on.

    Args:
        path: the file; it is made at the first run.
        again: the parts whose runs in it are dropped.

    Attributes:
        machine: that of the runs, see :func:`machine`, with their settings.
        rows: the runs in their order.

    Raises:
        ValueError: a line is no JSON object.
    """

    def __init__(self, path: Path, *, again: tuple[str, ...] = ()) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        try:
            content = [json.loads(line) for line in lines]
        except ValueError as error:
            raise ValueError(f"{path} must be JSON lines; got {error}. Remove the line, or the file.") from None
        self.machine: dict[str, Any] = content[0] if content else {}
        self.rows: list[dict[str, Any]] = content[1:]
        self._keep([row for row in self.rows if row["part"] not in again])

    def begin(self, **settings: Any) -> None:
        """Note this machine and the settings, or see that they are those of the earlier runs.

        Raises:
            ValueError: they are not, or the versions of the packages.
        """
        here = {**machine(), **settings}
        if not self.machine:
            self.machine = here
            self._write(here)
        changed = [key for key in here if key != "date" and here[key] != self.machine.get(key)]
        if changed:
            raise ValueError(
                f"{self.path} must hold runs of one machine and size; its {', '.join(changed)} were "
                f"{[self.machine.get(key) for key in changed]} and are {[here[key] for key in changed]}. Name another "
                "file (--results)."
            )

    def add(self, key: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
        """Append a run."""
        row = {**key, **measured}
        self.rows.append(row)
        self._write(row)

    def forget_failures(self, part: str, variants: Collection[str]) -> None:
        """Drop what tells that variants of a part did not run, for they are tried again."""
        tried = [row for row in self.rows if row["part"] == part and row["variant"] in variants and "failed" in row]
        self._keep([row for row in self.rows if row not in tried])

    def has(self, key: Mapping[str, Any]) -> bool:
        """Whether there is a run of this part, variant, round and so on."""
        return any(all(row.get(name) == value for name, value in key.items()) for row in self.rows)

    def of(self, part: str, **values: Any) -> list[dict[str, Any]]:
        """The runs of a part that have these values."""
        return [r for r in self.rows if r["part"] == part and all(r.get(k) == v for k, v in values.items())]

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        if len(rows) < len(self.rows):
            self.rows = rows
            write_text_whole(self.path, "".join(f"{json.dumps(row)}\n" for row in (self.machine, *rows)))

    def _write(self, row: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(row)}\n")


def machine() -> dict[str, Any]:
    """Processor, memory, accelerator, versions and the day; nothing that names the machine."""
    import torch

    there = {d.metadata["Name"].lower() for d in importlib.metadata.distributions() if d.metadata["Name"]}
    return {
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) if name in there else None for name in PACKAGES},
        "date": datetime.date.today().isoformat(),
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> str:
    """Its name, and of the instructions that decide the speed of networks those that it has."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.is_file() else ""
    fields = dict(map(str.strip, line.split(":", 1)) for line in text.splitlines() if ":" in line)
    flags = fields.get("flags", "").split()
    known = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    return ", ".join([fields.get("model name") or platform.machine(), *known])
