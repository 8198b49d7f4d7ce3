# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Running a network on one batch of one domain."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

from monai_gu2net.transforms.domain_choice import DOMAIN_META

__all__ = ["LandmarkInferer"]


class LandmarkInferer(Inferer):
    """Calls ``network(image, domain)`` on a plain tensor, in a chosen precision.

    A MetaTensor's bookkeeping at every operation slows a network down, so the tensor inside is passed.
    MONAI's engines autocast on CUDA only and to float16, which needs a scaled loss; this inferer can autocast itself,
    on every device and to bfloat16, which needs none. That is for training: bfloat16 heatmaps move the maximum by up to
    a pixel in some percent of the landmarks.

    Where no domain is passed, an image that :class:`~monai_gu2net.transforms.MarkDomaind` marked goes to its own.

    Args:
        precision: "float32" (as the tensors are) or "bfloat16"; :func:`~monai_gu2net.engines.decide_precision` says
            which is faster.

    Raises:
        ValueError: precision is neither.

    Raises (when called):
        ValueError: no domain is passed, and the images are marked with different ones.
    """

    def __init__(self, *, precision: str = "float32") -> None:
        super().__init__()
        if precision not in ("bfloat16", "float32"):
            raise ValueError(
                f"precision must be 'bfloat16' or 'float32'; got {precision!r}. Choose one, or let "
                "engines.decide_precision do it."
            )
        self.precision = precision

    def __call__(self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any) -> torch.Tensor:
        """Logits (B, N, *spatial) of image (B, C, *spatial); further arguments go to the network."""
        args = with_domain(inputs, args)
        image = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        if image.ndim == 4:
            image = _channels_last(image)
        with self._autocast(image.device):
            return network(image, *args)

    def _autocast(self, device: torch.device) -> contextlib.AbstractContextManager[Any]:
        bfloat16 = self.precision == "bfloat16"
        return torch.autocast(device.type, torch.bfloat16) if bfloat16 else contextlib.nullcontext()


def _channels_last(image: torch.Tensor) -> torch.Tensor:
    """The image, channels last, and in strides that say so.

    Of one channel PyTorch calls both layouts the same and gives the strides of channels first; the first convolution
    then answers channels first, and the next ones rearrange all their features.
    """
    batch, channels, *size = image.shape
    strides = (channels * size[0] * size[1], 1, channels * size[1], channels)
    return image.contiguous(memory_format=torch.channels_last).as_strided((batch, channels, *size), strides)


def with_domain(inputs: torch.Tensor, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """A network's further arguments: as they are or, where there are none, the domain that the images are marked with.

    Raises:
        ValueError: the images of a batch are marked with different domains.
    """
    if args or not isinstance(inputs, MetaTensor) or DOMAIN_META not in inputs.meta:
        return args
    mark = inputs.meta[DOMAIN_META]
    names = {mark} if isinstance(mark, str) else set(mark)  # MONAI collates marks into a list
    if len(names) != 1:
        raise ValueError(f"A batch must be of one domain; its images are marked {sorted(names)}. Pass them one by one.")
    return (names.pop(),)
