# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radial error of landmarks, and what is reported of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from monai_gu2net.metrics.gathering import gather


def radial_error(predicted: Tensor, reference: Tensor) -> Tensor:
    """Distance from each predicted landmark to its reference.

    Args:
        predicted: (..., N, D) points; a row that is not finite means "not found".
        reference: (..., N, D) points, same frame and unit; a row that is not finite means "not annotated".

    Returns:
        (..., N) distances in the unit of the points, at least float32. NaN: not annotated. inf: annotated,
        not found.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> zero = torch.zeros(1, 1, 2)
        >>> radial_error(torch.tensor([[[3.0, 4.0]]]), zero).tolist()
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
    distance = torch.linalg.vector_norm(predicted.to(dtype) - reference.to(dtype), dim=-1)
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


def summarize_landmarks(
    errors: Tensor, thresholds: Sequence[float], *, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """:func:`summarize_errors` of each landmark.

    Args:
        errors: (cases, N) radial errors.
        thresholds: distances for the successful detection rate, in the unit of the errors.
        names: the N landmarks' names.

    Returns:
        Landmark's name -> its summary.

    Raises:
        ValueError: ``errors`` has not one column for each name.

    Example:
        >>> errors = torch.tensor([[1.0, 4.0], [3.0, 4.0]])
        >>> by_name = summarize_landmarks(errors, [2.0], names=["sella", "nasion"])
        >>> by_name["sella"]["mean"], by_name["nasion"]["sdr"]
        (2.0, {2.0: 0.0})
    """
    if errors.ndim != 2 or errors.shape[1] != len(names):
        raise ValueError(
            f"errors must be (cases, {len(names)}), one column for each name; got {tuple(errors.shape)}. "
            "Pass the errors of one domain and the names of its landmarks."
        )
    return {name: summarize_errors(errors[:, column], thresholds) for column, name in enumerate(names)}


class RadialErrorMetric(CumulativeIterationMetric):
    """Mean radial error in MONAI's form, pooled over landmarks and cases.

    MONAI's own reductions average each sample first and call "nothing measured" 0, a perfect score; here
    every annotated landmark weighs the same, and nothing measured is NaN. The errors are kept in one flat
    buffer, so batches with different numbers of landmarks can follow each other. For one result per domain
    use :class:`~monai_gu2net.metrics.DomainRadialError` or an instance for each domain.

    Call it with ``y_pred`` and ``y``, both (B, N, D) tensors or lists of (N, D), in one unit. The call
    returns the batch's errors, as :func:`radial_error`, one after the other.

    Example:
        >>> metric = RadialErrorMetric()
        >>> _ = metric(y_pred=torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]), y=torch.zeros(1, 2, 2))
        >>> metric.aggregate().item()
        3.0
        >>> metric.summary([2.0])["sdr"]
        {2.0: 0.5}
    """

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        if y is None:
            raise ValueError("y must hold the reference landmarks; got None. Call the metric as metric(y_pred, y).")
        return radial_error(y_pred, y).flatten()

    def aggregate(self) -> Tensor:
        """Mean over the annotated landmarks, a float64 scalar: inf if one was not found, NaN if none is."""
        return torch.tensor(self.summary([])["mean"], dtype=torch.float64)

    def _sync(self) -> None:
        # MONAI 1.6.1 gathers only where there are errors that are new, so that a process without any would keep its
        # peers waiting.
        own = torch.stack(self._buffers[0]).cpu() if self._buffers else torch.empty(0)
        self._synced_tensors = [torch.cat(gather(own))]

    def summary(self, thresholds: Sequence[float]) -> dict[str, Any]:
        """:func:`summarize_errors` of everything accumulated, gathered from all processes."""
        return summarize_errors(self.get_buffer(), thresholds)
