# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A detector in the files of other engines: written, and read and run again by these engines."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_gu2net.export.conversion import (
    exported_program,
    import_openvino,
    onnx_model,
    openvino_model,
    quiet,
    traced,
)
from monai_gu2net.export.detector import LandmarkDetector

__all__ = ["DESCRIPTION", "DETECTOR_FORMATS", "DetectorFormat", "RecordedDetector"]

DESCRIPTION = "monai_gu2net"
"""The key of the description, JSON, in files of ONNX and OpenVINO."""
_DESCRIPTION_FILE = "landmark_detector.json"  # within those of PyTorch
_OUTPUTS = ["points", "confidence"]

Array = NDArray[np.float32]
Run = Callable[..., tuple[Array, Array]]
"""The detector's inputs, arrays, to points and confidence."""


class RecordedDetector:
    """A detector, and what PyTorch records of it, once.

    Args:
        detector: in evaluation mode.
        image: (1, C, *spatial) such as it takes.
        others: its further inputs by name, such as they are.
    """

    def __init__(self, detector: LandmarkDetector, image: Tensor, others: Mapping[str, Tensor] | None = None) -> None:
        self.detector, self.image, self.others = detector, image, dict(others or {})

    @property
    def names(self) -> list[str]:
        """Of its inputs."""
        return ["image", *self.others]

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        return exported_program(self.detector, self.image, *self.others.values(), least_size=2)

    @cached_property
    def trace(self) -> torch.jit.ScriptModule:
        return traced(self.detector, self.image, *self.others.values())


@dataclass(frozen=True)
class DetectorFormat:
    """A kind of file.

    Args:
        suffixes: of its files, without the dot, that of the file to be opened first.
        packages: that it needs beside PyTorch.
        extra: of this package, which brings them; empty: none is needed.
        write: the detector and its description to a path.
        load: what runs the file, an image (B, C, *spatial) and the further inputs to points and confidence.
    """

    suffixes: tuple[str, ...]
    packages: tuple[str, ...]
    extra: str
    write: Callable[[RecordedDetector, str, Path], None]
    load: Callable[[Path], Run]

    def check_packages(self, name: str) -> None:
        """Refuse a format whose packages are not there.

        Raises:
            ImportError: the message says what to install.
        """
        absent = [package for package in self.packages if importlib.util.find_spec(package) is None]
        if absent:
            raise ImportError(
                f"The format {name} must have the packages {', '.join(self.packages)}; {', '.join(absent)} is absent. "
                f'Run: pip install "monai_gu2net[{self.extra}]"'
            )


def _write_pt2(recorded: RecordedDetector, description: str, path: Path) -> None:
    with quiet():
        torch.export.save(recorded.program, path, extra_files={_DESCRIPTION_FILE: description})


def _load_pt2(path: Path) -> Run:
    with quiet():
        return _by_torch(torch.export.load(path).module())


def _write_torchscript(recorded: RecordedDetector, description: str, path: Path) -> None:
    with quiet():
        torch.jit.save(recorded.trace, path, _extra_files={_DESCRIPTION_FILE: description.encode()})


def _load_torchscript(path: Path) -> Run:
    with quiet():
        return _by_torch(torch.jit.load(path))


def _by_torch(module: Callable[..., tuple[Tensor, Tensor]]) -> Run:
    def run(*inputs: Array) -> tuple[Array, Array]:
        with torch.no_grad(), quiet():
            points, confidence = module(*map(torch.from_numpy, inputs))
        return points.numpy(), confidence.numpy()

    return run


def _write_onnx(recorded: RecordedDetector, description: str, path: Path) -> None:
    onnx: Any = importlib.import_module("onnx")
    model = onnx_model(recorded.program, inputs=recorded.names, outputs=_OUTPUTS)
    lengths = [dimension.dim_param for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    names = {length: name for length, name in zip(lengths, ("B", "", "X", "Y", "Z"), strict=False) if length}
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]
    onnx.helper.set_model_props(model, {DESCRIPTION: description})
    onnx.save(model, str(path))


def _load_onnx(path: Path) -> Run:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    onnxruntime.disable_telemetry_events()  # which its builds for Windows have
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda *inputs: tuple(session.run(_OUTPUTS, dict(zip(names, inputs, strict=True))))


def _write_openvino(recorded: RecordedDetector, description: str, path: Path) -> None:
    model, weights = openvino_model(recorded.trace)  # the weights must live as long
    shape = recorded.image.shape
    shapes = [[-1, shape[1], *[-1] * (len(shape) - 2)], *(list(other.shape) for other in recorded.others.values())]
    model.reshape(dict(enumerate(shapes)))
    for port, name in zip((*model.inputs, *model.outputs), (*recorded.names, *_OUTPUTS), strict=True):
        port.get_tensor().set_names({name})
    model.set_rt_info(description, DESCRIPTION)
    import_openvino().save_model(model, str(path), compress_to_fp16=False)
    del weights


def _load_openvino(path: Path) -> Run:
    core = import_openvino().Core()
    compiled = core.compile_model(core.read_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(*inputs: Array) -> tuple[Array, Array]:
        found = compiled(list(inputs))
        return found["points"], found["confidence"]

    return run


DETECTOR_FORMATS = {
    "onnx": DetectorFormat(("onnx",), ("onnx", "onnxscript", "onnxruntime"), "onnx", _write_onnx, _load_onnx),
    "openvino": DetectorFormat(("xml", "bin"), ("openvino",), "fast", _write_openvino, _load_openvino),
    "pt2": DetectorFormat(("pt2",), (), "", _write_pt2, _load_pt2),
    "torchscript": DetectorFormat(("ts",), (), "", _write_torchscript, _load_torchscript),
}
"""By name."""
