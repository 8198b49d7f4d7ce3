# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radial error of landmarks, and what is reported of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["radial_error", "successful_detection_rate", "summarize_errors"]


def radial_error(predicted: Tensor, reference: Tensor, *, spacing: Sequence[float] | Tensor | None = None) -> Tensor:
    """Distance from each predicted landmark to its reference.

    Args:
        predicted: (..., N, D) points; a row that is not finite means "not found".
        reference: (..., N, D) points, same frame and unit; a row that is not finite means "not annotated".
        spacing: mm per pixel of points in pixels, (D,), or (..., D) where the images of a batch differ; None: the
            points are in mm already, or pixels are wanted.

    Returns:
        (..., N) distances in the unit of the points, with spacing in mm, at least float32. NaN: not annotated. inf:
        annotated, not found.

    Raises:
        ValueError: the shapes differ, or the spacing does not fit them or is not positive.

    Example:
        >>> zero = torch.zeros(1, 1, 2)
        >>> radial_error(torch.tensor([[[3.0, 4.0]]]), zero).tolist()
        [[5.0]]
        >>> radial_error(torch.tensor([[[30.0, 80.0]]]), zero, spacing=(0.1, 0.05)).tolist()
        [[5.0]]

    Source: Wang et al., Medical Image Analysis 31 (2016), mean radial error.
    """
    if predicted.shape != reference.shape:
        raise ValueError(
            f"predicted and reference must have one shape; got {tuple(predicted.shape)} and "
            f"{tuple(reference.shape)}. Check that both hold the landmarks of the same domain."
        )
    predicted = predicted.detach().as_subclass(Tensor)
    reference = reference.detach().as_subclass(Tensor).to(predicted.device)
    # A difference of half-precision pixels is off by a whole pixel beyond 2048.
    dtype = torch.promote_types(torch.promote_types(predicted.dtype, reference.dtype), torch.float32)
    difference = predicted.to(dtype) - reference.to(dtype)
    if spacing is not None:
        difference = difference * _checked_spacing(spacing, difference)
    distance = torch.linalg.vector_norm(difference, dim=-1)
    distance = torch.where(predicted.isfinite().all(dim=-1), distance, torch.inf)
    return torch.where(reference.isfinite().all(dim=-1), distance, torch.nan)


def successful_detection_rate(errors: Tensor, thresholds: Sequence[float], *, strict: bool = False) -> Tensor:
    """Fraction of the annotated landmarks found within each threshold.

    Args:
        errors: radial errors of any shape, pooled; NaN (not annotated) is left out, inf (not found) is a
            miss.
        thresholds: T distances in the unit of the errors.
        strict: an error that equals the threshold is a miss (<) instead of a detection (<=).

    Returns:
        (T,) fractions from 0 to 1, float64; NaN if no landmark is annotated.

    Example:
        >>> successful_detection_rate(torch.tensor([1.0, 2.0, torch.inf, torch.nan]), [2.0]).tolist()
        [0.6666666666666666]

    Source: Wang et al., Medical Image Analysis 31 (2016), successful detection rate.
    """
    errors = errors.detach().as_subclass(Tensor).double().flatten()
    measured = errors[~errors.isnan()]
    limits = torch.tensor(thresholds, dtype=torch.float64, device=errors.device)
    limits = limits.unsqueeze(-1)
    return (measured < limits if strict else measured <= limits).double().mean(dim=-1)


def summarize_errors(errors: Tensor, thresholds: Sequence[float], *, strict: bool = False) -> dict[str, Any]:
    """The numbers reported of radial errors, pooled over all that is given.

    Args:
        errors: radial errors of any shape; NaN: not annotated, inf: annotated, not found.
        thresholds: distances for the successful detection rate, in the unit of the errors.
        strict: see :func:`successful_detection_rate`.

    Returns:
        - ``count``: annotated landmarks; ``not_found``: how many of them were not found
        - ``mean``, ``median``: of the annotated landmarks; a landmark that was not found counts as inf
        - ``mean_found``, ``std_found``: of the found landmarks; the standard deviation is the population's
        - ``sdr``: threshold -> fraction of the annotated landmarks within it

        NaN wherever there is nothing to measure.

    Example:
        >>> summary = summarize_errors(torch.tensor([[1.0, 3.0], [2.0, torch.nan]]), [2.0])
        >>> summary["mean"], summary["count"], round(summary["sdr"][2.0], 3)
        (2.0, 3, 0.667)
    """
    values = errors.detach().as_subclass(Tensor).double().numpy(force=True).ravel()
    measured = values[~np.isnan(values)]
    found = measured[np.isfinite(measured)]
    rates = successful_detection_rate(errors, thresholds, strict=strict).tolist()
    return {
        "count": measured.size,
        "not_found": measured.size - found.size,
        "mean": float(measured.mean()) if measured.size else float("nan"),
        "median": float(np.median(measured)) if measured.size else float("nan"),
        "mean_found": float(found.mean()) if found.size else float("nan"),
        "std_found": float(found.std()) if found.size else float("nan"),
        "sdr": dict(zip([float(threshold) for threshold in thresholds], rates, strict=True)),
    }


def _checked_spacing(spacing: Sequence[float] | Tensor, points: Tensor) -> Tensor:
    """Spacing as it multiplies (..., N, D) points."""
    values = torch.as_tensor(spacing, dtype=points.dtype, device=points.device)
    if values.shape not in (points.shape[-1:], points.shape[:-2] + points.shape[-1:]) or not (values > 0).all():
        raise ValueError(
            f"spacing must be {points.shape[-1]} positive numbers, in mm per pixel, or as many for each image; got "
            f"{values.tolist()}. Leave it out if it is not known, and report pixels."
        )
    return values if values.ndim == 1 else values.unsqueeze(-2)
