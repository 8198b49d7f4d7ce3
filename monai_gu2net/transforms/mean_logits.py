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
    wide = [single if single.dtype == torch.float64 else single.float() for single in logits]
    if len(wide) == 1:
        return wide[0]
    try:  # the shapes are not compared here: a network that is recorded has no numbers for them
        stack = torch.stack(wide)
    except RuntimeError:
        shapes = [tuple(single.shape) for single in logits]
        raise ValueError(
            f"logits must be at least one tensor, all of one shape; got {shapes}. Pass those of one image."
        ) from None
    log_mean, log_rest = (torch.logsumexp(functional.logsigmoid(sign * stack), dim=0) for sign in (1, -1))
    return log_mean - log_rest
