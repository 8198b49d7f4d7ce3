# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is seen beyond an image's border when it has been moved."""

from __future__ import annotations

from typing import Literal, get_args

import torch

__all__ = ["PADDINGS", "Padding", "beyond_border", "check_padding"]

Padding = Literal["lowest", "border", "zeros"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)
"""An image's lowest value, which is air in most modalities; what lies at its border; or 0, which is the mean of a
normalised image."""


def check_padding(padding: str) -> None:
    """Refuse what is none of `PADDINGS`."""
    if padding not in PADDINGS:
        raise ValueError(f"padding must be 'lowest', 'border' or 'zeros'; got {padding!r}. Choose one.")


def beyond_border(image: torch.Tensor, padding: Padding) -> tuple[float, str]:
    """What to subtract from an image before it is sampled, and to add afterwards, and PyTorch's padding mode."""
    return (float(image.min()) if padding == "lowest" else 0.0), ("border" if padding == "border" else "zeros")
