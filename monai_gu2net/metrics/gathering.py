# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the processes of a distributed run measured, brought together."""

from __future__ import annotations

from typing import TypeVar

import torch

__all__ = ["gather"]

T = TypeVar("T")


def gather(own: T) -> list[T]:
    """What every process has, in the order of their ranks; the same on each.

    Every process must call it, also one that has nothing to give. What they have need not be of one shape.

    Args:
        own: what this process has, on the processor.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [own]
    shares = [own] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(shares, own)
    return shares
