# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Networks handed over to engines that run them: each function takes a network and gives what to call instead."""

from __future__ import annotations

import importlib
import logging
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from monai_gu2net.export.conversion import exported_program

__all__ = ["Run", "import_openvino", "onnxruntime_run", "openvino_run", "piece", "tensorrt_run", "torch_run"]

Run = Callable[[Tensor], Tensor]
"""(B, C, *spatial) to logits (B, N, *spatial)."""

_TELEMETRY = "openvino_telemetry"


def piece(image: Tensor, *, more: int = 0) -> Tensor:
    """The first pixels of an image, with which a network is recorded fast: 64 along each axis, 32 in 3-D, and more."""
    length = (64 if image.ndim == 4 else 32) + more
    return image[(slice(1), slice(None), *[slice(length)] * (image.ndim - 2))].float().contiguous()


def torch_run(network: nn.Module, image: Tensor, precision: str) -> Run:
    """PyTorch itself; in "bfloat16" and "float16" by autocast, which in float32 is off, whoever switched it on."""
    kind = image.device.type
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]

    def run(image: Tensor) -> Tensor:
        with torch.autocast(kind, None if precision == "float32" else dtype, enabled=precision != "float32"):
            logits: Tensor = network(image)
        return logits.float()

    return run


def openvino_run(network: nn.Module, image: Tensor, precision: str) -> Run:
    """OpenVINO on the processor, on as many threads as PyTorch uses.

    The network is traced, which takes a tenth of the time that ``torch.export`` takes.
    """
    openvino = import_openvino()
    decoders = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    with torch.no_grad():
        # the front end is called itself, for openvino.convert_model reports its use over the network
        traced = torch.jit.trace(network, (piece(image),), check_trace=False)
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    decoder = decoders.TorchScriptPythonDecoder(traced)
    model = frontend.convert(frontend.load(decoder))
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,  # another process may have the processor that it would be bound to
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
    }
    return _CompiledModel(openvino.Core().compile_model(model, "CPU", options), weights=decoder)


class _CompiledModel:
    """Runs one of OpenVINO's compiled models, of which the weights' owner must live as long."""

    def __init__(self, compiled: Any, weights: Any) -> None:
        self.compiled, self._weights = compiled, weights
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def __call__(self, image: Tensor) -> Tensor:
        pixels = image.detach().float().contiguous().numpy()
        with self._lock:  # a request belongs to one thread at a time, and so does what it gives
            return torch.from_numpy(self._request.infer([pixels], share_inputs=True)[0].copy())


def onnxruntime_run(network: nn.Module, image: Tensor, precision: str) -> Run:
    """ONNX Runtime on the processor, on as many threads as PyTorch uses."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    onnxruntime.disable_telemetry_events()  # which its builds for Windows have
    program = exported_program(network, piece(image))
    with warnings.catch_warnings(), _silent("torch.onnx"):
        warnings.simplefilter("ignore")  # PyTorch's own
        model = torch.onnx.export(program, dynamo=True, verbose=False)
    assert model is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: image.detach().float().contiguous().numpy()})[0])

    return run


def tensorrt_run(network: nn.Module, image: Tensor, precision: str) -> Run:
    """TensorRT on CUDA, by MONAI's :func:`monai.networks.trt_compile`, for images of this size and batches up to 8.

    The engine is built at the first image, which takes minutes, and goes with what is returned.
    """
    from monai.networks import trt_compile

    folder = tempfile.TemporaryDirectory(prefix="gu2net_tensorrt_")
    compiled = trt_compile(
        network,
        str(Path(folder.name) / "network"),
        args={
            "precision": {"float32": "fp32", "bfloat16": "bf16"}[precision],
            "dynamic_batchsize": [1, 1, 8],
            "fallback": False,
        },
    )

    def run(image: Tensor, _kept: Any = folder) -> Tensor:
        logits: Tensor = compiled(image.float().contiguous())
        return logits.float()

    return run


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
def _silent(name: str) -> Iterator[None]:
    """Without the warnings of a logger, such as that a package is absent which is not needed."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
