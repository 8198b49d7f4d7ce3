# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radial error by domain: a cumulative metric as MONAI's are, and one that MONAI's and Ignite's engines take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from monai_gu2net.metrics.gathering import gather
from monai_gu2net.metrics.radial_error import radial_error, summarize_errors

__all__ = ["RadialErrorMetric", "evaluated_samples"]

_ALL = "all"  # the domain of samples that have none


class RadialErrorMetric(CumulativeIterationMetric):
    """Mean radial error and detection rates of each domain, over the samples of all processes.

    Every annotated landmark of a domain weighs the same, and every domain, however many cases it has and whatever its
    unit. (MONAI's own reductions average each sample first and call "nothing measured" 0, a perfect score.)

    Called in a loop as ``metric(y_pred, y)`` it accumulates, ``aggregate()`` gives the mean, ``compute()`` all values,
    and ``reset()`` forgets. As a metric of an evaluator (``key_val_metric={"val_mre": metric}``, or ``attach``) it does
    so by itself, and the values go to ``engine.state.metrics``. They are, for a domain "head":

    - ``head_mre``: mean over its annotated landmarks; inf if one was not found
    - ``head_mre_found``, ``head_std_found``: of the found landmarks
    - ``head_median``, ``head_count``, ``head_not_found``
    - ``head_sdr_2.5``: fraction within (<=) 2.5, for each threshold

    and ``mre``, the plain mean of the domains' ``_mre``, which serves to compare epochs; it stands under the name that
    the metric is attached by as well. Domains without an annotated landmark are left out of it; NaN if none has one.
    Without domains all samples are of one, "all".

    Args:
        thresholds: distances for the detection rate in the landmarks' unit; a mapping gives them by domain.
        predicted_key: of an evaluator's samples: points (N, D) found, as in :func:`radial_error`.
        reference_key: points (N, D) in the same frame.
        domain_key: the domain's name; None: the samples have none.
        prefix: before each name above, to keep two metrics of an engine apart.

    Raises:
        ValueError: (when called) the lists have not one length; (when computing) ``thresholds`` lacks a domain.

    Example:
        >>> metric = RadialErrorMetric(thresholds=[2.0])
        >>> metric(y_pred=torch.tensor([[[3.0, 4.0], [0.0, 1.0]]]), y=torch.zeros(1, 2, 2)).tolist()
        [5.0, 1.0]
        >>> metric.aggregate().item(), metric.compute()["all_sdr_2"]
        (3.0, 0.5)
    """

    def __init__(
        self,
        *,
        thresholds: Sequence[float] | Mapping[str, Sequence[float]] = (2.0, 2.5, 3.0, 4.0),
        predicted_key: str = "pred_landmarks",
        reference_key: str = "landmarks",
        domain_key: str | None = "domain",
        prefix: str = "",
    ) -> None:
        super().__init__()
        self.thresholds = thresholds
        self.predicted_key, self.reference_key, self.domain_key = predicted_key, reference_key, domain_key
        self.prefix = prefix

    def __call__(  # type: ignore[override]
        self,
        y_pred: Tensor | Sequence[Tensor],
        y: Tensor | Sequence[Tensor] | None = None,
        *,
        domain: str | Sequence[str] = _ALL,
        spacing: Sequence[float] | Tensor | None = None,
    ) -> Tensor:
        """Add the samples of a batch.

        Args:
            y_pred: (B, N, D), or a list of B samples (N, D), whose N may differ.
            y: the references, likewise.
            domain: of the batch, or of each sample.
            spacing: of points in pixels, (D,) or (B, D), see :func:`radial_error`.

        Returns:
            The errors, float64, one landmark after the other.
        """
        if y is None:
            raise ValueError("y must hold the reference landmarks; got None. Call the metric as metric(y_pred, y).")
        domains = [domain] * len(y_pred) if isinstance(domain, str) else list(domain)
        if not len(y_pred) == len(y) == len(domains):
            raise ValueError(
                "y_pred, y and domain must have one entry for each sample; got "
                f"{len(y_pred)}, {len(y)} and {len(domains)}. Give one of each per sample."
            )
        each = spacing if isinstance(spacing, Tensor) and spacing.ndim == 2 else [spacing] * len(domains)
        errors = [torch.empty(0, dtype=torch.float64)]
        for points, truth, name, own in zip(y_pred, y, domains, each, strict=True):
            errors.append(self._compute_tensor(points, truth, spacing=own))
            self.extend(errors[-1])
            self._domains += [name] * len(errors[-1])
        return torch.cat(errors)

    def _compute_tensor(self, y_pred: Tensor, y: Tensor, **options: Any) -> Tensor:  # type: ignore[override]
        return radial_error(y_pred, y, **options).double().cpu()

    def reset(self) -> None:
        """Forget all samples."""
        super().reset()
        self._domains: list[str] = []  # of each error in the buffer

    def _sync(self) -> None:
        # MONAI 1.6.1 gathers only where there are errors that are new, so that a process without any would keep its
        # peers waiting.
        own = torch.stack(self._buffers[0]) if self._buffers else torch.empty(0, dtype=torch.float64)
        parts = gather((own, self._domains))
        self._synced_tensors = [torch.cat([errors for errors, _ in parts])]
        self._synced_domains = np.array([name for _, names in parts for name in names], dtype=str)

    def aggregate(self) -> Tensor:
        """``mre`` alone, a float64 scalar."""
        return torch.tensor(self.compute()["mre"], dtype=torch.float64)

    def compute(self) -> dict[str, float]:
        """Values over the samples of all processes, the same on each of them; every process must call it."""
        errors = self.get_buffer()
        values: dict[str, float] = {}
        means = []
        for domain in np.unique(self._synced_domains).tolist():
            own = errors[torch.from_numpy(self._synced_domains == domain)]
            summary = summarize_errors(own, self._thresholds_of(domain))
            values |= {
                f"{domain}_mre": summary["mean"],
                f"{domain}_mre_found": summary["mean_found"],
                f"{domain}_std_found": summary["std_found"],
                f"{domain}_median": summary["median"],
                f"{domain}_count": summary["count"],
                f"{domain}_not_found": summary["not_found"],
            }
            values |= {f"{domain}_sdr_{threshold:g}": rate for threshold, rate in summary["sdr"].items()}
            means += [summary["mean"]] if summary["count"] else []
        return {"mre": float(np.mean(means)) if means else float("nan"), **values}

    def attach(self, engine: Engine, name: str) -> None:
        """Measure every epoch of an engine whose samples are dictionaries, as those of MONAI's evaluators are.

        Args:
            engine: the evaluator; a workflow of MONAI attaches the metrics that it is given.
            name: of the mean in ``engine.state.metrics``.
        """
        for event, handler in ((Events.EPOCH_STARTED, self.reset), (Events.ITERATION_COMPLETED, self._add_samples)):
            if not engine.has_event_handler(handler, event):  # under a second name the samples count once
                engine.add_event_handler(event, handler)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._put_values, name)

    def _add_samples(self, engine: Engine) -> None:
        samples = evaluated_samples(engine)
        predicted, reference = ([sample[key] for sample in samples] for key in (self.predicted_key, self.reference_key))
        self(predicted, reference, domain=[sample[self.domain_key] if self.domain_key else _ALL for sample in samples])

    def _put_values(self, engine: Engine, name: str) -> None:
        values = self.compute()
        engine.state.metrics.update({f"{self.prefix}{key}": value for key, value in values.items()})
        engine.state.metrics[name] = values["mre"]  # a scalar, which MONAI compares and saves

    def _thresholds_of(self, domain: str) -> Sequence[float]:
        if not isinstance(self.thresholds, Mapping):
            return self.thresholds
        if domain not in self.thresholds:
            raise ValueError(f"thresholds must name every domain; got {sorted(self.thresholds)}. Add {domain!r}.")
        return self.thresholds[domain]


def evaluated_samples(engine: Engine) -> list[dict[str, Any]]:
    """The samples of a MONAI evaluator's iteration, each with what its batch and its output hold.

    Ignite hands a metric the output alone, but the reference of a sample stays in MONAI's decollated batch.
    """
    batch: Any = engine.state.batch
    output: Any = engine.state.output
    return [{**given, **found} for given, found in zip(batch, output, strict=True)]
