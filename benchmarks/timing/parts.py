# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of the benchmark: which variants run, on what, how often."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from timing.results import Results
from timing.rounds import Program, Variant, Worker, measure

from monai_gu2net.phantom import make_phantom

__all__ = ["PARTS", "run"]

ROOT = Path(__file__).parents[2]
BACKENDS: dict[str, dict[str, str]] = {
    "PyTorch": {"backend": "torch", "precision": "float32"},
    "PyTorch, bfloat16": {"backend": "torch", "precision": "bfloat16"},
    "ONNX Runtime": {"backend": "onnxruntime", "precision": "float32"},
    "OpenVINO": {"backend": "openvino", "precision": "float32"},
    "OpenVINO, bfloat16": {"backend": "openvino", "precision": "bfloat16"},
    "TensorRT": {"backend": "tensorrt", "precision": "float32"},
    "TensorRT, bfloat16": {"backend": "tensorrt", "precision": "bfloat16"},
}
TRAININGS: dict[str, dict[str, Any]] = {
    "float32": {"precision": "float32"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16, checkpointed": {"precision": "bfloat16", "checkpointed": True},
}
IMAGE = (620, 768)
SIZES = ([208, 256], [416, 512], [624, 768], [832, 1024])
COMMANDS = (
    "prepare",
    "evaluate",
    "predict",
    "dicomweb",
    "listen",
    "calibrate",
    "add-domain",
    "label",
    "info",
    "report",
)


def _ceilings(results: Results, options: argparse.Namespace) -> None:
    worker = Worker({"task": "ceilings", "device": options.device})
    measure(results, "ceilings", {"ceilings": worker}, rounds=2, device=options.device)


def _operations(results: Results, options: argparse.Namespace) -> None:
    if options.device == "cuda":
        return  # its operations are done after their calls have returned
    case = {"size": options.size, "batch": 1}
    common = {"operations": True, "device": options.device}
    for name in ("PyTorch", "PyTorch, bfloat16"):
        variant = Worker({"task": "inference", **BACKENDS[name], **common})
        measure(results, "operations", {f"inference, {name}": variant}, rounds=1, cases=[case], device=options.device)
    case = {"size": options.size, "batch": options.batch}
    for name in ("float32", "bfloat16"):
        variant = Worker({"task": "training", **TRAININGS[name], **common})
        measure(results, "operations", {f"training, {name}": variant}, rounds=1, cases=[case], device=options.device)


def _inference(results: Results, options: argparse.Namespace) -> None:
    spec = {"task": "inference", "device": options.device, "warm": 1, "calls": 2}
    variants: dict[str, Variant] = _peers(spec, options)
    variants["as trained"] = Worker({**spec, "unfolded": True})
    variants |= {name: Worker({**spec, **backend}) for name, backend in _backends(options).items()}
    case = {"size": options.size, "batch": 1}
    measure(results, "inference", variants, rounds=options.rounds or 10, cases=[case], device=options.device)


def _training(results: Results, options: argparse.Namespace) -> None:
    # a step needs gigabytes: each gives them back, and so has to warm up again
    spec = {"task": "training", "device": options.device, "warm": 1, "calls": 1, "trim": True}
    variants: dict[str, Variant] = _peers(spec, options)
    if options.before:
        variants["before"] = Worker({**spec, **TRAININGS["float32"]}, [options.before])
        variants["before, bfloat16"] = Worker({**spec, **TRAININGS["bfloat16"]}, [options.before])
    variants |= {name: Worker({**spec, **training}) for name, training in TRAININGS.items()}
    case = {"size": options.size, "batch": options.batch}
    measure(results, "training", variants, rounds=options.rounds or 3, cases=[case], device=options.device)


def _sizes(results: Results, options: argparse.Namespace) -> None:
    spec = {"task": "inference", "device": options.device, "warm": 0, "calls": 1}
    wanted = ("PyTorch", "OpenVINO") if options.device == "cpu" else ("PyTorch", "PyTorch, bfloat16")
    variants = {name: Worker({**spec, **BACKENDS[name]}) for name in wanted}
    cases = [{"size": size, "batch": batch} for size in SIZES for batch in (1, 4)]
    measure(results, "sizes", variants, rounds=options.rounds or 2, cases=cases, device=options.device)


def _end_to_end(results: Results, options: argparse.Namespace) -> None:
    folder, model = (options.images or _heads(options.phantom)).resolve(), str(options.model.resolve())
    command = ["-m", "monai_gu2net", "predict", str(folder), "-m", model, "--domain", options.domain, "-o", "found"]
    command += ["--device", options.device]
    stage = [str(Path(__file__).with_name("stage.py"))]
    told = {"images": sum(path.is_file() for path in folder.iterdir()), "device": options.device}
    if options.before:
        measure(results, "end-to-end", {"before": Program(command, [options.before])}, rounds=1, **told)
    variants: dict[str, Variant] = {
        "whole": Program(command),
        "whole, PyTorch": Program([*command, "--backend", "torch"]),
        "whole, bfloat16": Program([*command, "--precision", "bfloat16"]),
    }
    for name in ("load", "read", "points"):
        variants[name] = Program([*stage, name, model, options.domain, str(folder), options.device])
    measure(results, "end-to-end", variants, rounds=options.rounds or 2, **told)


def _start(results: Results, options: argparse.Namespace) -> None:
    module = ("-m", "monai_gu2net")
    variants = {
        "python": Program(("-c", "pass")),
        "import monai_gu2net": Program(("-c", "import monai_gu2net")),
        "--version": Program((*module, "--version")),
        "--help": Program((*module, "--help")),
        **{f"{command} --help": Program((*module, command, "--help")) for command in COMMANDS},
        "import what evaluate runs": Program(("-c", "import monai_gu2net.engines.evaluation")),
    }
    measure(results, "start", variants, rounds=options.rounds or 3)


PARTS = {
    "ceilings": _ceilings,
    "operations": _operations,
    "inference": _inference,
    "training": _training,
    "sizes": _sizes,
    "end-to-end": _end_to_end,
    "start": _start,
}
"""By name, what does the runs of it that are missing."""


def run(results: Results, options: argparse.Namespace) -> None:
    """Do the parts that are asked for."""
    for part in options.parts:
        PARTS[part](results, options)


def _heads(folder: Path, *, count: int = 100) -> Path:
    """Heads of the phantom, as large as radiographs are shown; drawn once, and found again later."""
    large = folder / f"{IMAGE[0]}x{IMAGE[1]}"
    for path in sorted(make_phantom(folder, cases={"test": count}, domains=("head",)).parent.glob("head/*.png")):
        if not (large / path.name).is_file():
            large.mkdir(exist_ok=True)
            Image.open(path).resize(IMAGE).save(large / path.name)
    return large


def _backends(options: argparse.Namespace) -> Mapping[str, Mapping[str, str]]:
    """Those of the device."""
    elsewhere = ("openvino",) if options.device == "cuda" else ("tensorrt",)
    return {name: backend for name, backend in BACKENDS.items() if backend["backend"] not in elsewhere}


def _peers(spec: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Variant]:
    """The peer as it comes, and keeping freed memory as this package's processes do."""
    if not options.peer:
        return {}
    peer = {**spec, "peer": options.peer}
    return {"peer": Worker(peer), "peer, memory kept": Worker({**peer, "keeps_memory": True})}
