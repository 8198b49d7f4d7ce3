# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The mean of several heatmaps of one image, as logits like each of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["mean_logits"]


def mean_logits(logits: Sequence[Tensor]) -> Tensor:
    """Logits of the mean of heatmaps, each given by its logits.

    With m the mean of the probabilities, log(m) and log(1 - m) are each a log-sum-exp, and their difference is the
    result, exact where m itself would round to 0 or 1.

    Args:
        logits: tensors of one shape.

    Returns:
        float32 logits (float64 if an input is) of that shape; of a single tensor its own values.

    Raises:
        ValueError: there is none, or the shapes differ.

    Example:
        >>> pair = [torch.tensor([0.2, 0.5]).logit(), torch.tensor([0.6, 0.5]).logit()]
        >>> [round(value, 4) for value in mean_logits(pair).sigmoid().tolist()]
        [0.4, 0.5]
    """
    shapes = [tuple(single.shape) for single in logits]
    if not shapes or any(shape != shapes[0] for shape in shapes):  # lengths that torch.export keeps open have no hash
        raise ValueError(
            f"logits must be at least one tensor, all of one shape; got {shapes}. Pass those of one image."
        )
    if len(logits) == 1:
        return logits[0] if logits[0].dtype == torch.float64 else logits[0].float()
    stack = torch.stack([single if single.dtype == torch.float64 else single.float() for single in logits])
    log_mean, log_rest = (torch.logsumexp(functional.logsigmoid(sign * stack), dim=0) for sign in (1, -1))
    return log_mean - log_rest
