# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Batch norms whose batch is that of all processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["synchronize_norms"]


def synchronize_norms(network: nn.Module, *, device: str | torch.device = "cpu") -> nn.Module:
    """Let a network's batch norms take mean and variance over the batches of all processes, in place.

    So a step of several processes is that of one with all of their samples. Every process must run the same norms in
    the same order, as :class:`~monai_gu2net.data.DomainBatchSampler` has it, whose steps are of one domain for all.

    Args:
        network: its norms keep their parameters, statistics and names, and in evaluation they do what they did.
        device: where the network will run: PyTorch's own synchronized norms, taken on CUDA, run on no processor.

    Returns:
        The network.
    """
    if torch.device(device).type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return converted
    for name, child in network.named_children():
        if type(child) in _SYNCHRONIZED:
            setattr(network, name, _synchronized(child))
        else:
            synchronize_norms(child)
    return network


class _Synchronized(_BatchNorm):
    def forward(self, input: Tensor) -> Tensor:
        together = self.training and distributed.is_available() and distributed.is_initialized()
        if not together or distributed.get_world_size() == 1:
            return super().forward(input)
        self._check_input_dim(input)
        normalized, mean, variance, count = _Normalized.apply(input, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(variance * count / (count - 1), share)
        return normalized


class _Synchronized2d(_Synchronized, nn.BatchNorm2d):
    pass


class _Synchronized3d(_Synchronized, nn.BatchNorm3d):
    pass


_SYNCHRONIZED: dict[type[nn.Module], type[_Synchronized]] = {
    nn.BatchNorm2d: _Synchronized2d,
    nn.BatchNorm3d: _Synchronized3d,
}


def _synchronized(norm: nn.Module) -> _Synchronized:
    """The norm as a synchronized one that has its parameters and statistics."""
    made = _SYNCHRONIZED[type(norm)](1)
    made.__dict__.update(norm.__dict__)
    return made


class _Normalized(torch.autograd.Function):
    """Batch norm over all processes; beside the output the mean, the variance and the count that it took."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        own_variance, own_mean = torch.var_mean(x.float(), dim=axes, correction=0)
        own_count = x.numel() // x.shape[1]
        sums = torch.cat([own_mean * own_count, own_mean.new_tensor([own_count])])
        distributed.all_reduce(sums)
        count, mean = sums[-1], sums[:-1] / sums[-1]
        variance = (own_variance + (own_mean - mean).square()) * (own_count / count)
        distributed.all_reduce(variance)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), count)
        ctx.mark_non_differentiable(mean, variance, count)
        return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance, count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse_std, count = ctx.saved_tensors
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = (-1, *(1,) * (x.ndim - 2))
        whitened = (x.float() - mean.view(shape)) * inverse_std.view(shape)
        own = torch.stack([gradient.float().sum(dim=axes), (gradient.float() * whitened).sum(dim=axes)])
        # weight and bias get this process's part, which is averaged with the others' like every gradient
        means = own.clone()
        distributed.all_reduce(means)
        means = means / count
        centred = gradient.float() - means[0].view(shape) - whitened * means[1].view(shape)
        return (centred * (weight * inverse_std).view(shape)).to(x.dtype), own[1], own[0], None
