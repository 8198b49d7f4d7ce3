# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A network of the image alone in the formats of other engines, for any batch and size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["exported_program"]


def exported_program(network: nn.Module, image: Tensor, *, least_size: int = 32) -> torch.export.ExportedProgram:
    """The network as ``torch.export`` records it.

    Args:
        network: takes the image alone, as :meth:`~monai_gu2net.networks.GU2Net.specialize` gives it.
        image: (B, C, *spatial) such as it takes; batch and size of later ones may be others.
        least_size: pixels that they have along each axis at least.
    """
    size = {axis: torch.export.Dim(f"size_{axis}", min=least_size) for axis in range(2, image.ndim)}
    # a batch of 1 would be recorded as a constant
    example = image.expand(2, *image.shape[1:])
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC, **size},))
