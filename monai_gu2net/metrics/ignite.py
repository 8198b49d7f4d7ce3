# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radial error by domain as a metric of an Ignite engine, and so of every MONAI workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from ignite.metrics import Metric
from torch import Tensor

from monai_gu2net.metrics.gathering import gather
from monai_gu2net.metrics.radial_error import radial_error, summarize_errors


class DomainRadialError(Metric):
    """Mean radial error and detection rates of each domain.

    The values go to ``engine.state.metrics``, for a domain "head":

    - ``head_mre``: mean over its annotated landmarks; inf if one was not found
    - ``head_mre_found``, ``head_std_found``: of the found landmarks
    - ``head_median``, ``head_count``, ``head_not_found``
    - ``head_sdr_2.5``: fraction within (<=) 2.5, for each threshold

    and ``mre``, the plain mean of the domains' ``_mre``: every domain weighs the same however many cases it
    has, whatever its unit. It serves to compare epochs, and stands under the name the metric is attached by
    as well. Domains without an annotated landmark are left out of it; NaN if none has one.

    Args:
        thresholds: distances for the detection rate in the landmarks' unit; a mapping gives them by domain.
        predicted_key: of the evaluator's samples: points (N, D) found, as in :func:`radial_error`.
        reference_key: points (N, D) in the same frame.
        domain_key: the domain's name.
        prefix: before each name above, to keep two metrics of an engine apart.

    Raises:
        ValueError: the three lists have not one length, or ``thresholds`` lacks a domain.

    Example:
        >>> metric = DomainRadialError(thresholds=[2.0])
        >>> metric.update(([torch.tensor([[3.0, 4.0]])], [torch.zeros(1, 2)], ["head"]))
        >>> values = metric.compute()
        >>> values["head_mre"], values["head_sdr_2"], values["mre"]
        (5.0, 0.0, 5.0)
    """

    def __init__(
        self,
        *,
        thresholds: Sequence[float] | Mapping[str, Sequence[float]] = (2.0, 2.5, 3.0, 4.0),
        predicted_key: str = "pred_landmarks",
        reference_key: str = "landmarks",
        domain_key: str = "domain",
        prefix: str = "",
    ) -> None:
        self.thresholds = thresholds
        self._keys = (predicted_key, reference_key, domain_key)
        self.prefix = prefix
        self._errors: dict[str, list[Tensor]] = {}
        super().__init__()

    def iteration_completed(self, engine: Engine) -> None:
        """Add the samples of the iteration."""
        samples = evaluated_samples(engine)
        predicted, reference, domains = ([sample[key] for sample in samples] for key in self._keys)
        self.update((predicted, reference, domains))

    def reset(self) -> None:
        """Forget all samples."""
        self._errors = {}

    def update(self, output: tuple[Sequence[Tensor], Sequence[Tensor], Sequence[str]]) -> None:
        """Add the samples of a batch."""
        predicted, reference, domains = output
        if not len(predicted) == len(reference) == len(domains):
            raise ValueError(
                "predicted, reference and domains must have one entry for each sample; got "
                f"{len(predicted)}, {len(reference)} and {len(domains)}. Give one of each per sample."
            )
        for points, truth, domain in zip(predicted, reference, domains, strict=True):
            self._errors.setdefault(domain, []).append(radial_error(points, truth).double().cpu())

    def compute(self) -> dict[str, float]:
        """Values over the samples of all processes, the same on each of them."""
        shares = gather({domain: torch.cat(parts) for domain, parts in self._errors.items()})
        domains = sorted({domain for share in shares for domain in share})
        errors = {domain: torch.cat([share[domain] for share in shares if domain in share]) for domain in domains}
        values: dict[str, float] = {}
        for domain in domains:
            summary = summarize_errors(errors[domain], self._thresholds_of(domain))
            values |= {
                f"{domain}_mre": summary["mean"],
                f"{domain}_mre_found": summary["mean_found"],
                f"{domain}_std_found": summary["std_found"],
                f"{domain}_median": summary["median"],
                f"{domain}_count": summary["count"],
                f"{domain}_not_found": summary["not_found"],
            }
            values |= {f"{domain}_sdr_{threshold:g}": rate for threshold, rate in summary["sdr"].items()}
        means = [values[f"{domain}_mre"] for domain in errors if values[f"{domain}_count"]]
        return {"mre": float(np.mean(means)) if means else float("nan"), **values}

    def completed(self, engine: Engine, name: str) -> None:
        """Put the values into ``engine.state.metrics``."""
        # Ignite would store the mapping itself under the name, but MONAI compares and saves a scalar by it.
        values = self.compute()
        engine.state.metrics.update({f"{self.prefix}{key}": value for key, value in values.items()})
        engine.state.metrics[name] = values["mre"]

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
