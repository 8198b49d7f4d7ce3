# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a step of training computes twice, so that it need not be kept in between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def runs_eagerly() -> bool:
    """Whether what runs is not being scripted, traced, exported or compiled: it may go other ways then.

    A network that is takes the plain way, for its recorder sees through that one only.
    """
    if not torch.jit.is_scripting():  # TorchScript compiles this only if the condition stands alone
        return not (torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.compiler.is_exporting())
    return False


def is_trained(training: bool) -> bool:
    """Whether what runs is a step of training in eager PyTorch, see :func:`runs_eagerly`.

    Args:
        training: of the module that asks.
    """
    if not torch.jit.is_scripting():  # TorchScript compiles this only if the condition stands alone
        return training and torch.is_grad_enabled() and runs_eagerly()
    return False


def recomputed(function: Callable[..., Tensor], *inputs: Tensor, norms: nn.Module | None = None) -> Tensor:
    """``function(*inputs)``, of which nothing but the inputs is kept for the backward pass.

    The backward pass runs the function again as far as its last kept tensor: of a convolution that ends it only the
    input is needed, so the convolution itself does not run twice.

    Args:
        function: draws no random numbers.
        inputs: tensors.
        norms: a module whose batch norms run inside. Their running statistics see the batch once.

    Source: Chen et al., "Training deep nets with sublinear memory cost", 2016.
    """
    output: Tensor = checkpoint(
        function,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (contextlib.nullcontext(), _same_buffers(norms)),
    )
    return output


@contextlib.contextmanager
def _same_buffers(module: nn.Module | None) -> Iterator[None]:
    """Give a module's buffers back the values that they had."""
    buffers = [] if module is None else [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
