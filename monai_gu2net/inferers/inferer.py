# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Running a network on one batch of one domain."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

from monai_gu2net.transforms.domain_choice import DOMAIN_META

__all__ = ["LandmarkInferer", "processor_prefers_bfloat16"]


class LandmarkInferer(Inferer):
    """Calls ``network(image, domain)`` on a plain tensor, in a chosen precision.

    A MetaTensor's bookkeeping at every operation slows a network down, so the tensor inside is passed.
    MONAI's engines autocast on CUDA only; on a processor this inferer can autocast itself. That is for
    training: bfloat16 heatmaps move the maximum by up to a pixel in some percent of the landmarks.

    Where no domain is passed, an image that :class:`~monai_gu2net.transforms.MarkDomaind` marked goes to its own.

    Args:
        precision: "float32" (as the tensors are), "bfloat16", or "auto" (bfloat16 on a processor that is
            faster in it). On other devices "float32" is all that is needed: the engine's ``amp`` rules there.

    Raises:
        ValueError: precision is none of these.
    """

    def __init__(self, *, precision: str = "float32") -> None:
        super().__init__()
        if precision not in ("auto", "bfloat16", "float32"):
            raise ValueError(f"precision must be 'auto', 'bfloat16' or 'float32'; got {precision!r}. Choose one.")
        self.precision = precision

    def __call__(  # type: ignore[override]
        self, inputs: torch.Tensor, network: torch.nn.Module, *args: Any
    ) -> torch.Tensor:
        """Logits (B, N, *spatial) of image (B, C, *spatial); further arguments go to the network."""
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        if not args and isinstance(inputs, MetaTensor) and DOMAIN_META in inputs.meta:
            args = (inputs.meta[DOMAIN_META],)
        if image.ndim == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        with self._autocast(image.device):
            return network(image, *args)

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        wanted = self.precision == "bfloat16" or (
            self.precision == "auto" and device.type == "cpu" and processor_prefers_bfloat16()
        )
        return torch.autocast(device.type, torch.bfloat16) if wanted else contextlib.nullcontext()


@functools.cache
def processor_prefers_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 on this processor, by trying a convolution in both.

    The instruction set does not tell: with ``avx512_bf16`` alone, oneDNN's convolutions were measured at twice the
    speed of float32 on one kind of processor and at half of it on another. It takes some milliseconds, once in a
    process; bfloat16 must win clearly, so that noise does not decide.
    """
    return 1.3 * _seconds(torch.bfloat16) < _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """The shortest of five runs of a point-wise convolution."""
    image = torch.ones(1, 128, 96, 96, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(128, 128, 1, 1, dtype=dtype)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.nn.functional.conv2d(image, weight)
        times.append(time.perf_counter() - start)
    return min(times)
