# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A detector in the files of other engines: written, and read and run again by these engines."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monai_gu2net.export.conversion import exported_program
from monai_gu2net.export.detector import LandmarkDetector

__all__ = ["DESCRIPTION", "DETECTOR_FORMATS", "DetectorFormat", "RecordedDetector", "import_openvino"]

DESCRIPTION = "monai_gu2net"
"""The key of the description, JSON, in files of ONNX and OpenVINO."""
_DESCRIPTION_FILE = "landmark_detector.json"  # within those of PyTorch
_OUTPUTS = ["points", "confidence"]
_TELEMETRY = "openvino_telemetry"

Array = NDArray[np.float32]
Run = Callable[[Array], tuple[Array, Array]]


class RecordedDetector:
    """A detector, and what PyTorch records of it, once.

    Args:
        detector: in evaluation mode.
        image: (1, C, *spatial) such as it takes.
    """

    def __init__(self, detector: LandmarkDetector, image: Tensor) -> None:
        self.detector, self.image = detector, image

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        with _quiet():
            return exported_program(self.detector, self.image, least_size=2)

    @cached_property
    def trace(self) -> torch.jit.ScriptModule:
        with torch.no_grad(), _quiet():
            traced: torch.jit.ScriptModule = torch.jit.trace(self.detector, (self.image,), check_trace=False)
        return traced


@dataclass(frozen=True)
class DetectorFormat:
    """A kind of file.

    Args:
        suffixes: of its files, without the dot, that of the file to be opened first.
        packages: that it needs beside PyTorch.
        extra: of this package, which brings them; empty: none is needed.
        write: the detector and its description to a path.
        load: what runs the file, an image (B, C, *spatial) to points and confidence.
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
    with _quiet():
        torch.export.save(recorded.program, path, extra_files={_DESCRIPTION_FILE: description})


def _load_pt2(path: Path) -> Run:
    with _quiet():
        return _by_torch(torch.export.load(path).module())


def _write_torchscript(recorded: RecordedDetector, description: str, path: Path) -> None:
    with _quiet():
        torch.jit.save(recorded.trace, path, _extra_files={_DESCRIPTION_FILE: description.encode()})


def _load_torchscript(path: Path) -> Run:
    with _quiet():
        return _by_torch(torch.jit.load(path))


def _by_torch(module: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Run:
    def run(image: Array) -> tuple[Array, Array]:
        with torch.no_grad(), _quiet():
            points, confidence = module(torch.from_numpy(image))
        return points.numpy(), confidence.numpy()

    return run


def _write_onnx(recorded: RecordedDetector, description: str, path: Path) -> None:
    onnx: Any = importlib.import_module("onnx")
    operators: Any = importlib.import_module("onnxscript").opset18

    def log_sigmoid(x: Any) -> Any:
        # PyTorch 2.13 writes log(sigmoid(x)), of which nothing is left where the sigmoid is rounded
        return operators.Neg(operators.Softplus(operators.Neg(x)))

    with _quiet():
        program = torch.onnx.export(
            recorded.program,
            input_names=["image"],
            output_names=_OUTPUTS,
            dynamo=True,
            verbose=False,
            custom_translation_table={torch.ops.aten.log_sigmoid.default: log_sigmoid},
        )
    assert program is not None
    model = program.model_proto
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
    return lambda image: tuple(session.run(_OUTPUTS, {"image": image}))


def _write_openvino(recorded: RecordedDetector, description: str, path: Path) -> None:
    openvino = import_openvino()
    decoders = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    # the front end is called itself, for openvino.convert_model reports its use over the network
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    with _quiet():
        decoder = decoders.TorchScriptPythonDecoder(recorded.trace)  # kept, for the front end does not keep it
        loaded = frontend.load(decoder)
        model = frontend.convert(loaded)
    shape = recorded.image.shape
    model.reshape([-1, shape[1], *[-1] * (len(shape) - 2)])
    for port, name in zip((*model.inputs, *model.outputs), ("image", *_OUTPUTS), strict=True):
        port.get_tensor().set_names({name})
    model.set_rt_info(description, DESCRIPTION)
    openvino.save_model(model, str(path), compress_to_fp16=False)


def _load_openvino(path: Path) -> Run:
    core = import_openvino().Core()
    compiled = core.compile_model(core.read_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: Array) -> tuple[Array, Array]:
        found = compiled({"image": image})
        return found["points"], found["confidence"]

    return run


DETECTOR_FORMATS = {
    "onnx": DetectorFormat(("onnx",), ("onnx", "onnxscript", "onnxruntime"), "onnx", _write_onnx, _load_onnx),
    "openvino": DetectorFormat(("xml", "bin"), ("openvino",), "fast", _write_openvino, _load_openvino),
    "pt2": DetectorFormat(("pt2",), (), "", _write_pt2, _load_pt2),
    "torchscript": DetectorFormat(("ts",), (), "", _write_torchscript, _load_torchscript),
}
"""By name."""


def import_openvino() -> ModuleType:
    """OpenVINO, which reports its use over the network when it is imported and converts a network, without that.

    What reports is a package of its own; while it is hidden OpenVINO takes a stub for it, for the whole process. Where
    OpenVINO was imported before, that import has been reported.

    Raises:
        ImportError: it is absent.
    """
    if "openvino" not in sys.modules:
        hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == _TELEMETRY}
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        try:
            importlib.import_module("openvino")
        finally:
            del sys.modules[_TELEMETRY]
            sys.modules.update(hidden)
    return importlib.import_module("openvino")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch says here of itself.

    That is: torch.jit is deprecated; its tracer takes the size of the network's input for a constant, which it is in a
    detector; torch.onnx uses a deprecated class of torch's, and lacks torchvision, which is not needed.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (torch.jit.TracerWarning, DeprecationWarning, FutureWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        logger.setLevel(level)
