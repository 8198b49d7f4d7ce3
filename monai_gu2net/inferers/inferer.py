# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Running a network on one batch of one domain."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

__all__ = ["LandmarkInferer", "processor_has_bfloat16"]


class LandmarkInferer(Inferer):
    """Calls ``network(image, domain)`` on a plain tensor, in the precision that suits the processor.

    A MetaTensor's bookkeeping at every operation slows a network down, so the tensor inside is passed.
    MONAI's engines autocast on CUDA only; on a processor with bfloat16 instructions this inferer autocasts
    itself.

    Args:
        precision: "auto" (bfloat16 on a processor that computes in it, else as the tensors are), "bfloat16"
            or "float32". On other devices only "auto" and "float32" are needed: the engine's ``amp`` rules
            there.

    Raises:
        ValueError: precision is none of these.
    """

    def __init__(self, *, precision: str = "auto") -> None:
        super().__init__()
        if precision not in ("auto", "bfloat16", "float32"):
            raise ValueError(f"precision must be 'auto', 'bfloat16' or 'float32'; got {precision!r}. Choose one.")
        self.precision = precision

    def __call__(  # type: ignore[override]
        self, inputs: torch.Tensor, network: torch.nn.Module, *args: Any
    ) -> torch.Tensor:
        """Logits (B, N, *spatial) of image (B, C, *spatial); further arguments go to the network."""
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        if image.ndim == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        with self._autocast(image.device):
            return network(image, *args)

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        wanted = self.precision == "bfloat16" or (
            self.precision == "auto" and device.type == "cpu" and processor_has_bfloat16()
        )
        return torch.autocast(device.type, torch.bfloat16) if wanted else contextlib.nullcontext()


def processor_has_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 on this processor, which takes matrix instructions (AMX).

    With AVX-512 alone (``avx512_bf16``) oneDNN's convolutions were measured at half the speed of float32
    where they are bound by arithmetic, and no faster over a whole training step.
    """
    ask = getattr(torch.cpu, "get_capabilities", None)  # older versions of torch cannot tell
    return bool(ask and ask().get("amx_bf16"))
