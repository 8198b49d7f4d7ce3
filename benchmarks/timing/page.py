# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The tables and the plot of docs/performance.md, from the runs that are stored beside it."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from timing.operations import KINDS, floor_seconds
from timing.others import accuracy_lines, beside_lines
from timing.plot import plot, times_by_size
from timing.ratios import Ratio, median_ratio
from timing.results import Results

from monai_gu2net.files import whole_file, write_text_whole

__all__ = ["filled", "tables", "write"]

FOLDER, PLOT, OTHERS = "performance", "speed.png", ("backends", "shared_machine", "many_images", "volumes")
DEVICES = {"cpu": "processor", "cuda": "CUDA"}
NAMES = {
    "peer": "the peer",
    "peer, memory kept": "the peer, freed memory kept",
    "before": "before, float32",
    "before, bfloat16": "before, bfloat16",
}
# Times as fast as the authors' code, two quiet cores, 416x512, before this page was: (part, variant) to figure.
EARLIER = {
    ("inference", "as trained"): 1.8,
    ("inference", "PyTorch"): 2.0,
    ("inference", "PyTorch, bfloat16"): 3.3,
    ("inference", "ONNX Runtime"): 2.0,
    ("inference", "OpenVINO"): 2.2,
    ("inference", "OpenVINO, bfloat16"): 4.1,
    ("inference", "limit"): 6.0,
    ("training", "float32"): 1.1,
    ("training", "bfloat16"): 2.3,
    ("training", "limit"): 5.0,
}
UNTESTED = "CUDA is untested: nothing of this was run on it."


def write(results: Results, docs: Path) -> None:
    """Fill performance.md, and draw the plot."""
    page = docs / "performance.md"
    write_text_whole(page, filled(page.read_text(encoding="utf-8"), tables(results, docs / FOLDER)))
    with whole_file(docs / FOLDER / PLOT) as path:
        plot(results, path)


def filled(text: str, found: Mapping[str, str]) -> str:
    """A page whose parts between ``<!-- begin NAME -->`` and ``<!-- end -->`` are the tables of these names.

    Raises:
        ValueError: there is no such table.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name not in found:
            raise ValueError(f"A table of the page must be one of {sorted(found)}; got {name!r}. Correct the marker.")
        return f"<!-- begin {name} -->\n\n{found[name]}\n\n<!-- end -->"

    return re.sub(r"<!-- begin (\S+) -->.*?<!-- end -->", fill, text, flags=re.DOTALL)


def tables(results: Results, others: Path | None = None) -> dict[str, str]:
    """Markdown by name.

    Args:
        results: the runs.
        others: the folder of what other commands printed, ``NAME.md``.
    """
    found = {"machine": _machine(results), "summary": _summary(results, others), "ceilings": _ceilings(results)}
    found |= {"inference": _compared(results, "inference"), "training": _compared(results, "training")}
    found |= {"operations": _operations(results), "sizes": _sizes(results)}
    found |= {"end_to_end": _end_to_end(results), "start": _start(results)}
    for name in OTHERS if others is not None else ():
        path = others / f"{name}.md"
        found[name] = path.read_text(encoding="utf-8").strip() if path.is_file() else "Not measured."
    return found


def _machine(results: Results) -> str:
    here = results.machine
    packages = ", ".join(
        f"{k} {v}" for k, v in here.items() if k in ("python", "torch", "openvino", "onnxruntime") and v
    )
    card = here["accelerator"] or "no accelerator"
    noise = [row["others"] for row in results.rows if "others" in row]
    share = f"; other processes took {statistics.mean(noise):.2f} cores meanwhile" if noise else ""
    size = f"{here['cores']} cores, {here['memory_gib']} GiB"
    return f"{here['processor']}; {size}, {card}; {packages}; {here['date']}{share}."


def _summary(results: Results, others: Path | None) -> str:
    lines = []
    titles = {"inference": "inference, batch 1", "training": f"training step, batch {results.machine['batch']}"}
    for part, title in titles.items():
        pairs = _ratios(results, part)
        for variant in (v for p, v in EARLIER if p == part):
            earlier = f"{EARLIER[part, variant]:g}x"
            if variant == "limit":
                floor = _floor(results, part, "bfloat16")
                peer = _median(results, part, "peer")
                now = "-" if math.isnan(peer / floor) else f"{peer / floor:.1f}x"
                lines.append([f"{title}: limit of the machine in bfloat16", earlier, now, ""])
                continue
            now = _times(pairs[variant]) if variant in pairs else "-"
            lines.append([f"{title}: {variant}", earlier, now, _lost(results, part, variant)])
    peaks = {name: [r["peak_mib"] for r in _done(results, "training", name)] for name in ("float32", "bfloat16")}
    told = ", ".join(f"{max(mib) / 1024:.1f} GiB in {name}" for name, mib in peaks.items() if mib)
    lines.append([f"{titles['training']}: memory", "5 GiB", told or "-", ""])
    whole, before = (_median(results, "end-to-end", name) for name in ("whole", "before"))
    told = "-" if math.isnan(whole) else f"{whole:.1f} s"
    told += "" if math.isnan(before) else f" (the version before, here: {before:.1f} s)"
    lines.append(["`predict`, 100 images", "44 s", told, _stages_lost(results)])
    if others is not None:
        beside = others / "shared_machine.md"
        lines += beside_lines(beside.read_text(encoding="utf-8")) if beside.is_file() else []
        lines += accuracy_lines(others / "backends.csv")
    return _table(["", "before", "now", "what the rest is lost to"], lines)


def _compared(results: Results, part: str) -> str:
    text = []
    for device, where in DEVICES.items():
        pairs = _ratios(results, part, device)
        first = next(iter(pairs), None)
        lines = []
        for name in _variants(results, part, device):
            done = _done(results, part, name, device)
            if not done:
                reason = results.of(part, variant=name, device=device)[0]["failed"]
                lines.append([NAMES.get(name, name), "-", "-", "-", "-", f"did not run: {reason}"])
                continue
            seconds = [row["seconds"] for row in done]
            precision = "bfloat16" if "bfloat16" in name else "float32"
            floor = _floor(results, part, precision, device) if not name.startswith("peer") else math.nan
            share = "" if math.isnan(floor) else f"{floor / statistics.median(seconds):.0%}"
            cells = [f"{1000 * statistics.median(seconds):.0f}", f"{1000 * min(seconds):.0f}"]
            cells += [_times(pairs[name]), f"{max(row['peak_mib'] for row in done) / 1024:.1f}", share]
            lines.append([NAMES.get(name, name), *cells])
        if lines:
            versus = f"times as fast as {NAMES.get(first or '', first)}"
            header = [f"on {where}", "median ms", "least ms", versus, "peak GiB", "limit / median"]
            text.append(_table(header, lines))
        elif device == "cuda":
            text.append(UNTESTED)
    return "\n\n".join(text)


def _ceilings(results: Results) -> str:
    lines = []
    for device, where in DEVICES.items():
        found = _ceiling(results, device)
        if found:
            cells = [f"{1000 * found['float32']:.0f}", f"{1000 * found['bfloat16']:.0f}", f"{found['copy']:.1f}"]
            lines.append([where, *cells])
    return _table(["", "float32 GFLOP/s", "bfloat16 GFLOP/s", "copy GB/s"], lines)


def _operations(results: Results) -> str:
    ceiling = _ceiling(results, "cpu")
    text = []
    for row in results.of("operations"):
        if "failed" in row or not ceiling:
            continue
        lines = []
        for kind in KINDS:
            found = row["operations"][kind]
            arithmetic, moving = floor_seconds(found, ceiling)
            flop = sum(value for name, value in found.items() if name.startswith("flop_"))
            cells = [f"{flop / 1e9:.1f}", f"{found.get('bytes', 0) / 1e9:.2f}", f"{1000 * arithmetic:.0f}"]
            lines.append([kind, *cells, f"{1000 * moving:.0f}", f"{1000 * found['seconds']:.0f}"])
        header = [row["variant"], "GFLOP", "GB", "arithmetic, ms", "moving, ms", "measured, ms"]
        text.append(_table(header, lines))
    return "\n\n".join(text) or "Not measured."


def _sizes(results: Results) -> str:
    lines = []
    for device, where in DEVICES.items():
        found = times_by_size(results, device)
        for size, batch in dict.fromkeys(case for times in found.values() for case in times):
            cells = [
                f"{name} {1000 * times[size, batch]:.0f}" for name, times in found.items() if (size, batch) in times
            ]
            lines.append([where, f"{size[0]}x{size[1]}", str(batch), ", ".join(cells)])
    return _table(["", "image", "batch", "ms per image"], lines)


def _end_to_end(results: Results) -> str:
    lines = []
    for device, where in DEVICES.items():
        for name in _variants(results, "end-to-end", device):
            for row in _done(results, "end-to-end", name, device)[:1]:
                seconds = _median(results, "end-to-end", name, device)
                processor = _median(results, "end-to-end", name, device, of="cpu_seconds")
                rate = row["images"] / seconds
                lines.append([name, where, str(row["images"]), f"{seconds:.1f}", f"{processor:.1f}", f"{rate:.1f}"])
    return _table(["", "on", "images", "seconds", "of the cores", "images/s"], lines)


def _start(results: Results) -> str:
    seconds = {n: _median(results, "start", n, None, of="cpu_seconds") for n in _variants(results, "start", None)}
    return _table(["what", "seconds of the processor"], [[f"`{n}`", f"{s:.2f}"] for n, s in seconds.items()])


def _variants(results: Results, part: str, device: str | None) -> list[str]:
    told = {} if device is None else {"device": device}
    return list(dict.fromkeys(row["variant"] for row in results.of(part, **told)))


def _done(results: Results, part: str, variant: str, device: str | None = "cpu") -> list[dict[str, Any]]:
    told = {} if device is None else {"device": device}
    return [row for row in results.of(part, variant=variant, **told) if "failed" not in row]


def _median(results: Results, part: str, variant: str, device: str | None = "cpu", *, of: str = "seconds") -> float:
    """NaN: nothing was measured."""
    found = [row[of] for row in _done(results, part, variant, device)]
    return statistics.median(found) if found else math.nan


def _ratios(results: Results, part: str, device: str = "cpu") -> dict[str, Ratio]:
    """How many times as fast as the first variant each is, by rounds that both have."""
    by_name = {
        name: {row["round"]: row["seconds"] for row in done}
        for name in _variants(results, part, device)
        if (done := _done(results, part, name, device))
    }
    first = next(iter(by_name.values()), {})
    found = {}
    for name, seconds in by_name.items():
        rounds = sorted(first.keys() & seconds.keys())
        if rounds:
            found[name] = median_ratio([first[r] for r in rounds], [seconds[r] for r in rounds])
    return found


def _ceiling(results: Results, device: str) -> dict[str, float]:
    rows = _done(results, "ceilings", "ceilings", device)
    return {name: max(row[name] for row in rows) for name in ("float32", "bfloat16", "copy")} if rows else {}


def _floor(results: Results, part: str, precision: str, device: str = "cpu") -> float:
    """The greater of the least times for the arithmetic and for the bytes of a run, as PyTorch counts an inference.

    A step of training is three of them for each image: the forward pass and two gradients.
    """
    ceiling = _ceiling(results, device)
    name = {"float32": "inference, PyTorch", "bfloat16": "inference, PyTorch, bfloat16"}[precision]
    rows = _done(results, "operations", name)
    if not rows or not ceiling:
        return math.nan
    times = 3 * results.machine["batch"] if part == "training" else 1
    kinds = [floor_seconds(found, ceiling) for found in rows[0]["operations"].values()]
    return float(times * max(sum(arithmetic for arithmetic, _ in kinds), sum(moving for _, moving in kinds)))


def _lost(results: Results, part: str, variant: str) -> str:
    """How much of a variant's time is not the limit, and by kinds of operation where they were counted."""
    median = _median(results, part, variant)
    floor = _floor(results, part, "bfloat16" if "bfloat16" in variant else "float32")
    if math.isnan(median / floor):
        return ""
    rest = f"{1 - floor / median:.0%} over the limit" if median > floor else "at the limit"
    ceiling = _ceiling(results, "cpu")
    for row in results.of("operations", variant=f"{part}, {variant}"):
        if "failed" not in row:
            over = {k: f["seconds"] - max(floor_seconds(f, ceiling)) for k, f in row["operations"].items()}
            total = sum(f["seconds"] for f in row["operations"].values())
            kinds = sorted((k for k in over if over[k] > 0.02 * total), key=lambda k: -over[k])
            rest += ": " + ", ".join(f"{k} {over[k] / total:.0%}" for k in kinds) if kinds else ""
    return rest


def _stages_lost(results: Results) -> str:
    """Seconds of the cores by what they were spent on."""
    names = ("load", "read", "points", "whole")
    load, read, points, whole = (_median(results, "end-to-end", name, of="cpu_seconds") for name in names)
    parts = {
        "start and model": load,
        "reading": read - load,
        "network and tables": points - read,
        "overlays": whole - points,
    }
    told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items())
    return f"seconds of the cores: {told}" if math.isfinite(sum(parts.values())) else ""


def _times(ratio: Ratio) -> str:
    return f"{ratio.median:.1f}x ({ratio.low:.1f} to {ratio.high:.1f})"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return "Not measured."
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *lines))
