# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An image that is larger than what a network sees at once, in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor

__all__ = ["check_memory", "free_memory", "logits_in_windows"]

_GIB = 2**30


def logits_in_windows(image: Tensor, network: Callable[[Tensor], Tensor], window: Sequence[int]) -> Tensor:
    """Logits of windows that overlap by half, averaged where they do; each counts most in its middle.

    Beside the result, which is float32, the memory holds one window at a time and one number for each pixel.

    Args:
        image: (B, C, *spatial), larger than the window along an axis at least.
        network: takes (1, C, *window), and gives (1, N, *window).
        window: number of pixels along each axis.

    Returns:
        (B, N, *spatial).
    """
    found = sliding_window_inference(
        image,
        tuple(window),
        1,
        # MONAI 1.6 weighs in place what the network gives, and may weigh its input with it
        lambda part: network(part.clone()),
        overlap=0.5,
        roi_weight_map=_weights(image, window),
    )
    assert isinstance(found, Tensor)  # as the network's answer is
    return found


def _weights(image: Tensor, window: Sequence[int]) -> Tensor:
    """(*window) a Gaussian with an eighth of each axis as its deviation.

    MONAI's own is cut off at 0.001, and at the border of a volume, where all is below that, windows then count as much
    at their ends as in their middle.
    """
    weights = torch.ones((), dtype=image.dtype, device=image.device)
    for length in window:
        places = torch.arange(length, dtype=image.dtype, device=image.device) - (length - 1) / 2
        weights = weights.unsqueeze(-1) * torch.exp(-0.5 * (places * 8 / length).square())
    return weights


def check_memory(image: Tensor, landmarks: int, *, copies: int = 1) -> None:
    """Refuse an image whose heatmaps do not fit into the memory that is free, before the system ends the process.

    Args:
        image: (B, C, *spatial).
        landmarks: heatmaps of each image.
        copies: of the heatmaps at a time.

    Raises:
        ValueError: they do not fit. Nothing is refused where the system does not say how much is free.
    """
    free = free_memory(image.device)
    size = image.shape[2:]
    # beside them the places at which copies are sampled, three numbers in float64 for each voxel, twice at a time
    needed = 4 * image.shape[0] * prod(size) * (landmarks * copies + (2 if copies == 1 else 14))
    if free is not None and needed > free:
        raise ValueError(
            f"The heatmaps of {landmarks} landmarks on {' x '.join(map(str, size))} voxels must fit into memory, "
            f"{needed / _GIB:.1f} GiB; got {free / _GIB:.1f} GiB that are free. Crop the volume to the part with the "
            "landmarks, or use a machine with more memory" + (" or no test-time augmentation." if copies > 1 else ".")
        )


def free_memory(device: torch.device) -> int | None:
    """Bytes; None: not known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux
        return None
