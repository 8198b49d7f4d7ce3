# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Which engine runs the networks here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from monai_gu2net.export.backend_engines import (
    Run,
    onnxruntime_run,
    openvino_run,
    piece,
    tensorrt_run,
    torch_run,
)
from monai_gu2net.export.backend_names import BACKENDS, PRECISIONS
from monai_gu2net.export.conversion import import_openvino

__all__ = ["Backend"]

_log = logging.getLogger(__name__)

# relative to the greatest logit: engines that add in another order differ by 1e-6 of it, bfloat16 by some percent
_TOLERANCE = {"float32": 1e-3, "bfloat16": 0.3}


@dataclass(frozen=True)
class _Engine:
    """An engine.

    Args:
        title: its name.
        packages: that it needs, the first of which has its version.
        install: what to run where one is absent.
        devices: types of device that it runs on; none: all.
        precisions: that it can compute in.
        pays_from: number of images from which on the time of its start is made up for.
        take: a network of the image alone, an image and a precision to what runs it.
        any_size: whether that runs images of another size too.
    """

    title: str
    packages: tuple[str, ...]
    install: str
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    pays_from: int
    take: Callable[[nn.Module, Tensor, str], Run]
    any_size: bool = True

    @property
    def absent(self) -> list[str]:
        return [name for name in self.packages if importlib.util.find_spec(name) is None]

    def words(self, precision: str) -> str:
        try:
            return f"{self.title} {importlib.metadata.version(self.packages[0])}, {precision}"
        except importlib.metadata.PackageNotFoundError:  # such as a build under another name
            return f"{self.title}, {precision}"


# measured on two cores at 256x320: OpenVINO starts in 1 s, ONNX Runtime in 8 s, and an image takes 0.15 s less
# where PyTorch gives its memory back, 0.02 to 0.05 s less where it is kept, as by the commands
_ENGINES = {
    "torch": _Engine("PyTorch", ("torch",), "", (), ("float32", "bfloat16", "float16"), 0, torch_run),
    "openvino": _Engine(
        "OpenVINO",
        ("openvino",),
        'pip install "monai_gu2net[fast]"',
        ("cpu",),
        ("float32", "bfloat16"),
        8,
        openvino_run,
    ),
    "onnxruntime": _Engine(
        "ONNX Runtime",
        ("onnxruntime", "onnx", "onnxscript"),
        'pip install "monai_gu2net[onnx]"',
        ("cpu",),
        ("float32",),
        48,
        onnxruntime_run,
    ),
    "tensorrt": _Engine(
        "TensorRT",
        ("tensorrt", "polygraphy", "onnx"),
        "pip install tensorrt polygraphy onnx",
        ("cuda",),
        ("float32", "bfloat16"),
        0,
        tensorrt_run,
        any_size=False,
    ),
}
_FASTEST = ("openvino", "onnxruntime", "torch")  # in float32 on a processor


class Backend:
    """An engine that runs networks of the image alone; to be called by a :class:`~monai_gu2net.inferers.TTAInferer`.

    "auto" takes, on a processor, OpenVINO where it is installed, else ONNX Runtime, else PyTorch. An engine's start
    costs as much as a number of images take longer on PyTorch; so "auto" runs on PyTorch until that many were run or
    are known to come. On other devices it takes PyTorch. An engine that fails to take a network is replaced by PyTorch,
    with a warning. None of this moves a point by more than a thousandth of a pixel.

    The precision "auto" is float32 on a processor, and mixed float16 on CUDA. bfloat16 is faster on some processors,
    and moves some percent of the points by more than 0.05 pixels of the network's input.

    Args:
        name: "auto", or one of the engines: "torch", "openvino", "onnxruntime", "tensorrt".
        device: where the networks and images are.
        precision: "auto", "float32" or "bfloat16".

    Attributes:
        name: of the engine that is taken.
        precision: that it computes in.

    Raises:
        ImportError: the engine asked for is not installed.
        ValueError: a name is not known, or the engine asked for does not run on the device or in the precision.

    Raises (when what it gives is called):
        ValueError: the engine asked for cannot run the network.
    """

    def __init__(self, name: str = "auto", *, device: str | torch.device = "cpu", precision: str = "auto") -> None:
        kind = torch.device(device).type
        for what, given, known in (("backend", name, BACKENDS), ("precision", precision, PRECISIONS)):
            if given not in known:
                raise ValueError(f"{what} must be one of {list(known)}; got {given!r}. Choose one of them.")
        automatic = "float16" if kind == "cuda" and name in ("auto", "torch") else "float32"
        self.precision = automatic if precision == "auto" else precision
        self.name = _fastest(kind, self.precision) if name == "auto" else name
        self._engine = _ENGINES[self.name]
        if name != "auto":
            _check(self.name, kind, self.precision)
        self._asked_for = name != "auto"
        # bfloat16 rounds otherwise in each engine: one of them for all images
        self._pays_from = 0 if self._asked_for or self.precision != "float32" else self._engine.pays_from
        self._expected: float = 0
        self._run = 0
        self._ran: dict[str, None] = {}

    def __str__(self) -> str:
        """The engines that have run, with version and precision; before any has, the one that is taken."""
        return "; ".join(self._ran) or self._engine.words(self.precision)

    def expect(self, images: float) -> None:
        """Say how many images are to come."""
        self._expected = max(self._expected, images)

    def __call__(self, network: nn.Module, image: Tensor) -> Run:
        """What runs a network from now on.

        Args:
            network: takes the image alone, in evaluation mode; its weights must not change.
            image: (B, C, *spatial) such as it takes; others may have another size and batch.
        """
        plain = self._noted("torch", torch_run(network, image, self.precision))
        if self.name == "torch":
            return plain
        started: list[Run] = []
        lock = threading.Lock()

        def run(image: Tensor) -> Tensor:
            if not started and max(self._expected, self._run) < self._pays_from:
                return plain(image)
            with lock:
                if not started:
                    started.append(self._start(network, image) or plain)
            return started[0](image)

        return run

    def _start(self, network: nn.Module, image: Tensor) -> Run | None:
        """The engine with the network; None where it cannot take it and need not."""
        engine = self._engine
        small = piece(image, more=7) if engine.any_size else image
        try:
            with torch.no_grad():
                ours = torch_run(network, small, "float32")(small)
            run = engine.take(network, image, self.precision)
            _check_answer(run(small), ours, _TOLERANCE[self.precision])
        except Exception as error:
            reason = f"{engine.title} must be able to run the network; got {type(error).__name__}: {error}"
            if self._asked_for:
                return _refusing(f"{reason}. Choose another backend, such as torch.")
            _log.warning("%s. It runs on PyTorch instead.", reason)
            return None
        return self._noted(self.name, run)

    def _noted(self, name: str, run: Run) -> Run:
        """The same, which notes that it has run."""
        words = _ENGINES[name].words(self.precision)

        def noting(image: Tensor) -> Tensor:
            logits = run(image)
            self._ran[words] = None
            self._run += 1
            return logits

        return noting


def _fastest(kind: str, precision: str) -> str:
    """The fastest engine that is there."""
    for name in _FASTEST if kind == "cpu" else ():
        engine = _ENGINES[name]
        if precision in engine.precisions and not engine.absent and _has(name, precision):
            return name
    return "torch"


def _has(name: str, precision: str) -> bool:
    """Whether the processor has the precision."""
    if (name, precision) != ("openvino", "bfloat16"):
        return True
    return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _check(name: str, kind: str, precision: str) -> None:
    """Refuse an engine that cannot run."""
    engine = _ENGINES[name]
    if engine.absent:
        raise ImportError(
            f"The backend {name} must have the packages {', '.join(engine.packages)}; "
            f"{', '.join(engine.absent)} is absent. Run: {engine.install}"
        )
    if engine.devices and kind not in engine.devices:
        raise ValueError(
            f"The backend {name} must run on {' or '.join(engine.devices)}; got the device {kind!r}. "
            f"Choose --device {engine.devices[0]}, or --backend torch."
        )
    if precision not in engine.precisions or not _has(name, precision):
        here = " on this processor" if precision in engine.precisions else ""
        raise ValueError(
            f"The backend {name} must compute in float32{here}; got {precision!r}. Choose --precision float32."
        )


def _check_answer(theirs: Tensor, ours: Tensor, tolerance: float) -> None:
    """Refuse an engine whose logits are not PyTorch's."""
    difference = (theirs - ours).abs().max().item() if theirs.shape == ours.shape else math.nan
    limit = tolerance * max(1.0, ours.abs().max().item())
    if not difference <= limit:
        raise ValueError(
            f"logits {tuple(theirs.shape)} that differ from PyTorch's {tuple(ours.shape)} by {difference:.3g}, "
            f"more than {limit:.3g}"
        )


def _refusing(reason: str) -> Run:
    def run(image: Tensor) -> Tensor:
        raise ValueError(reason)

    return run
