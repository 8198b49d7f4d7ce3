# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From a batch of the data loader to what a network and a loss take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import PrepareBatch

__all__ = ["PrepareDomainBatch"]


class PrepareDomainBatch(PrepareBatch):
    """Splits a single-domain batch into image, target points and the domain's name.

    A batch has ``image`` (B, C, *spatial), the B names ``domain``, and ``points`` (B, N, D), landmarks in network
    pixels, whose ``meta`` then names the domain; one without them has no target.

    Raises (when called):
        ValueError: the batch mixes domains.
    """

    def __call__(  # type: ignore[override]
        self,
        batchdata: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str], dict[str, Any]]:
        domains = set(batchdata["domain"])
        if len(domains) != 1:
            raise ValueError(
                f"A batch must be of one domain; got {sorted(domains)}. Use DomainBatchSampler, or a batch size of 1."
            )
        image = batchdata["image"].to(device, non_blocking=non_blocking)
        domain = domains.pop()
        points = batchdata.get("points")
        if points is not None:
            points = MetaTensor(points.to(device, non_blocking=non_blocking), meta={"domain": domain})
        return image, points, (domain,), {}
