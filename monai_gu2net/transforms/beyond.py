# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is seen beyond an image's border when it has been moved."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from monai.data import MetaTensor

__all__ = ["PADDINGS", "Padding", "beyond_border", "check_padding"]

Padding = Literal["lowest", "border", "zeros"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)
"""Each channel's lowest value, which is air in most modalities; what lies at its border; or 0, which is the mean of a
normalised image."""


def check_padding(padding: str) -> None:
    """Refuse what is none of `PADDINGS`."""
    if padding not in PADDINGS:
        raise ValueError(f"padding must be 'lowest', 'border' or 'zeros'; got {padding!r}. Choose one.")


def beyond_border(image: torch.Tensor, padding: Padding) -> tuple[torch.Tensor, str]:
    """What to subtract from an image before it is sampled, and to add afterwards, and PyTorch's padding mode.

    Args:
        image: (C, *spatial).
        padding: one of `PADDINGS`.

    Returns:
        (C, 1, ...) a value for each channel, and "border" or "zeros".
    """
    plain = image.as_tensor() if isinstance(image, MetaTensor) else image
    lowest = plain.flatten(1).amin(dim=1).view(-1, *[1] * (plain.ndim - 1))
    return lowest if padding == "lowest" else torch.zeros_like(lowest), "border" if padding == "border" else "zeros"
