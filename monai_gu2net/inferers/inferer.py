# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Running a network on one batch of one domain."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer, sliding_window_inference

from monai_gu2net.data.domain import Domain
from monai_gu2net.transforms.domain_choice import DOMAIN_META

__all__ = ["LandmarkInferer"]


class LandmarkInferer(Inferer):
    """Calls ``network(image, domain)`` on a plain tensor, in a chosen precision.

    A MetaTensor's bookkeeping at every operation slows a network down, so the tensor inside is passed.
    MONAI's engines autocast on CUDA only and to float16, which needs a scaled loss; this inferer can autocast itself,
    on every device and to bfloat16, which needs none. That is for training: bfloat16 heatmaps move the maximum by up to
    a pixel in some percent of the landmarks.

    Where no domain is passed, an image that :class:`~monai_gu2net.transforms.MarkDomaind` marked goes to its own.

    An image that is larger than what its domain sees at once is seen in windows of that size, by MONAI's
    ``sliding_window_inference``: they overlap by half, and each counts most in its middle.

    Args:
        domains: by name, of which the first further argument names one; None: every image is seen as a whole.
        precision: "float32" (as the tensors are) or "bfloat16"; :func:`~monai_gu2net.engines.decide_precision` says
            which is faster.

    Raises:
        ValueError: precision is neither.

    Raises (when called):
        ValueError: no domain is passed, and the images are marked with different ones.
    """

    def __init__(self, *, domains: Mapping[str, Domain] | None = None, precision: str = "float32") -> None:
        super().__init__()
        self.windows = {name: domain.size for name, domain in (domains or {}).items() if domain.target_spacing}
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
        return self.logits(image, lambda part: network(part, *args), self.window(args))

    def window(self, args: tuple[Any, ...]) -> tuple[int, ...] | None:
        """What the domain that a network's arguments name sees at once; None: any image as a whole."""
        return self.windows.get(args[0]) if args and isinstance(args[0], str) else None

    def logits(
        self, image: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor], window: tuple[int, ...] | None
    ) -> torch.Tensor:
        """Logits (B, N, *spatial) of image (B, C, *spatial) by a network of the image alone."""

        def run(part: torch.Tensor) -> torch.Tensor:
            return network(_channels_last(part) if part.ndim == 4 else part)

        with self._autocast(image.device):
            if window is None or all(length <= most for length, most in zip(image.shape[2:], window, strict=True)):
                return run(image)
            found = sliding_window_inference(image, window, 1, run, overlap=0.5, mode="gaussian")
            assert isinstance(found, torch.Tensor)  # as the network's answer is
            return found

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
