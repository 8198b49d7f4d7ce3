# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A network of the image alone as other engines take it, for any batch and size."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["exported_program", "import_openvino", "onnx_model", "openvino_model", "quiet", "traced"]

_TELEMETRY = "openvino_telemetry"


def exported_program(
    network: nn.Module, image: Tensor, *others: Tensor, least_size: int = 32
) -> torch.export.ExportedProgram:
    """The network as ``torch.export`` records it.

    Args:
        network: takes the image alone, as :meth:`~monai_gu2net.networks.GU2Net.specialize` gives it.
        image: (B, C, *spatial) such as it takes; batch and size of later ones may be others.
        others: further inputs, whose shape stays.
        least_size: pixels that they have along each axis at least.
    """
    size = {axis: torch.export.Dim(f"size_{axis}", min=least_size) for axis in range(2, image.ndim)}
    # a batch of 1 would be recorded as a constant
    example = image.expand(2, *image.shape[1:])
    shapes = ({0: torch.export.Dim.DYNAMIC, **size}, *(None for _ in others))
    with torch.no_grad(), quiet():
        return torch.export.export(network, (example, *others), dynamic_shapes=shapes)


def onnx_model(program: torch.export.ExportedProgram, *, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """The ``onnx.ModelProto`` of a recorded network.

    Args:
        program: see :func:`exported_program`.
        inputs: names of its inputs.
        outputs: and of its outputs.

    Raises:
        ImportError: onnx or onnxscript is absent.
    """
    operators: Any = importlib.import_module("onnxscript").opset18

    def log_sigmoid(x: Any) -> Any:
        # PyTorch 2.13 writes log(sigmoid(x)), of which nothing is left where the sigmoid is rounded
        return operators.Neg(operators.Softplus(operators.Neg(x)))

    with quiet():
        made = torch.onnx.export(
            program,
            input_names=inputs,
            output_names=outputs,
            dynamo=True,
            verbose=False,
            custom_translation_table={torch.ops.aten.log_sigmoid.default: log_sigmoid},
        )
    assert made is not None
    return made.model_proto


def traced(network: nn.Module, *inputs: Tensor) -> torch.jit.ScriptModule:
    """The network as ``torch.jit`` records it, in a tenth of the time that ``torch.export`` takes.

    Args:
        network: in evaluation mode; what it does must not depend on the values or the size of the image.
        inputs: an image, and whatever else it takes, such as they are.
    """
    with torch.no_grad(), quiet():
        module: torch.jit.ScriptModule = torch.jit.trace(network, inputs, check_trace=False)
    return module


def openvino_model(network: torch.jit.ScriptModule) -> tuple[Any, Any]:
    """The ``openvino.Model`` of a traced network, and what owns its weights and must live as long.

    Raises:
        ImportError: OpenVINO is absent.
    """
    openvino = import_openvino()
    decoders = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    # the front end is called itself, for openvino.convert_model reports its use over the network
    frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
    with quiet():
        decoder = decoders.TorchScriptPythonDecoder(network)
        return frontend.convert(frontend.load(decoder)), decoder


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
def quiet() -> Iterator[None]:
    """Without what PyTorch says of itself when it records a network, and when it opens what it recorded.

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
