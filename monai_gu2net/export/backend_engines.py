# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Networks handed over to engines that run them: each function takes a network and gives what to call instead."""

from __future__ import annotations

import importlib
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from monai_gu2net.export.conversion import exported_program, import_openvino, onnx_model, openvino_model, traced

__all__ = ["Run", "onnxruntime_run", "openvino_run", "piece", "tensorrt_run", "torch_run"]

Run = Callable[[Tensor], Tensor]
"""(B, C, *spatial) to logits (B, N, *spatial)."""


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
    """OpenVINO on the processor, on as many threads as PyTorch uses."""
    model, decoder = openvino_model(traced(network, piece(image)))
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,  # another process may have the processor that it would be bound to
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
    }
    return _CompiledModel(import_openvino().Core().compile_model(model, "CPU", options), weights=decoder)


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
    recorded = piece(image)
    program = exported_program(network, recorded, least_size=min(32, *recorded.shape[2:]))
    model = onnx_model(program, inputs=["image"], outputs=["logits"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that wait sleep: beside other processes a run took 0.8 of the time
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"image": image.detach().float().contiguous().numpy()})[0])

    return run


def tensorrt_run(network: nn.Module, image: Tensor, precision: str) -> Run:
    """TensorRT on CUDA, by MONAI's ``trt_compile``, for images of this size and batches up to 8.

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
