# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a step of training computes twice, so that it need not be kept in between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def is_trained(training: bool) -> bool:
    """Whether what runs is a step of training in eager PyTorch, which may go other ways than a recorded network.

    Args:
        training: of the module that asks. A network that is scripted, traced, exported or compiled takes the plain
            way, for its recorder sees through that one only.
    """
    if not torch.jit.is_scripting():  # TorchScript compiles this only if the condition stands alone
        recorded = torch.jit.is_tracing() or torch.compiler.is_compiling() or torch.compiler.is_exporting()
        return training and torch.is_grad_enabled() and not recorded
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
