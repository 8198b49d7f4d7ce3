# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The product of a full-size heatmap and one of coarse cells, for a step of training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def combine_logits(local_logits: Tensor, global_logits: Tensor) -> Tensor:
    """Logits of the product of two heatmaps: sigmoid(result) = sigmoid(local) * sigmoid(global).

    With a and b the two logits, z = -log(exp(-a) + exp(-b) + exp(-a - b)); it is computed in float32 as the logarithm
    of the sum of exp(-a) and exp(softplus(-a) - b), of which the greater is taken out: that neither overflows nor loses
    a gradient or a digit, and ONNX, which has no ``logaddexp``, knows all of it.

    Args:
        local_logits: any shape.
        global_logits: a shape that broadcasts with it.

    Returns:
        float32 logits (float64 if an input is).

    Example:
        >>> round(combine_logits(torch.tensor(50.0), torch.tensor(2.0)).item(), 4)
        2.0
    """
    a = local_logits if local_logits.dtype == torch.float64 else local_logits.float()
    b = global_logits if global_logits.dtype == torch.float64 else global_logits.float()
    first, second = -a, F.softplus(-a) - b
    return -torch.maximum(first, second) - F.softplus(-(first - second).abs())


def combine_with_cells(local_logits: Tensor, cell_logits: Tensor) -> Tensor:
    """:func:`combine_logits` of the local logits and the cells spread over them, whose backward pass is fast.

    Written out, some twenty maps of the full size go to memory and back, and ten are kept. Here one map after the other
    is computed while it lies in the processor's cache, and nothing is kept but the inputs.

    Args:
        local_logits: (B, N, X, Y[, Z]).
        cell_logits: (B, N, x, y[, z]), spread to the size of the local ones by the nearest neighbour.

    Returns:
        (B, N, X, Y[, Z]) logits in float32 (float64 if an input is).
    """
    combined: Tensor = _CellProduct.apply(local_logits, cell_logits)
    return combined


class _CellProduct(torch.autograd.Function):
    """With z the result, dz/da = sigmoid(softplus(b) - a) and dz/db = sigmoid(softplus(a) - b)."""

    @staticmethod
    def forward(ctx: Any, local: Tensor, cells: Tensor) -> Tensor:
        dtype = torch.promote_types(torch.promote_types(local.dtype, cells.dtype), torch.float32)
        combined = torch.empty(local.shape, dtype=dtype, device=local.device)
        for sample, coarse, out in zip(local, cells, combined, strict=True):
            for a, b, z in _in_cache(_maps(sample, dtype), _maps(coarse, dtype), out):
                z.copy_(combine_logits(a, _spread(b, a)))
        ctx.save_for_backward(local, cells)
        return combined

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        local, cells = ctx.saved_tensors
        for_local, for_cells = torch.empty_like(local), torch.empty_like(cells)
        for sample, coarse, grad, local_out, cells_out in zip(
            local, cells, gradient, for_local, for_cells, strict=True
        ):
            own, sums = (torch.empty(x.shape, dtype=grad.dtype, device=x.device) for x in (sample, coarse))
            maps = (_maps(sample, grad.dtype), _maps(coarse, grad.dtype), grad, own, sums)
            for a, b, g, for_a, for_b in _in_cache(*maps):
                torch.mul((_spread(F.softplus(b), a) - a).sigmoid_(), g, out=for_a)
                for_b.copy_(_gather((F.softplus(a) - _spread(b, a)).sigmoid_().mul_(g), b))
            local_out.copy_(own)
            cells_out.copy_(sums)
        return for_local, for_cells


def _maps(sample: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, X, Y[, Z]) with each landmark's map in one piece of memory."""
    return torch.empty(sample.shape, dtype=dtype, device=sample.device).copy_(sample)


def _in_cache(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Tensors (N, ...) in slices of one on a processor, in one piece elsewhere."""
    return zip(*(tensor.split(1 if tensor.is_cpu else len(tensor)) for tensor in tensors), strict=True)


def _spread(cells: Tensor, like: Tensor) -> Tensor:
    """(n, x, y[, z]) cells to the size of ``like``, by the nearest neighbour."""
    return F.interpolate(cells[None], size=like.shape[1:], mode="nearest")[0]


def _gather(values: Tensor, cells: Tensor) -> Tensor:
    """The sums over the cells: the adjoint of :func:`_spread`."""
    aten = torch.ops.aten
    adjoint = aten.upsample_nearest2d_backward if values.ndim == 3 else aten.upsample_nearest3d_backward
    sums: Tensor = adjoint(values[None], values.shape[1:], (1, *cells.shape))[0]
    return sums
