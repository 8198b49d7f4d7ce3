# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From a batch of the data loader to what a network and a loss take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from monai.engines import PrepareBatch

__all__ = ["PrepareDomainBatch"]


class PrepareDomainBatch(PrepareBatch):
    """Splits a single-domain batch into image, target points and the domain's name.

    Args:
        image_key: (B, C, *spatial) images.
        points_key: (B, N, D) landmarks in network pixels; a batch without them has no target.
        domain_key: the B names of the domain.

    Raises (when called):
        ValueError: the batch mixes domains.
    """

    def __init__(self, *, image_key: str = "image", points_key: str = "points", domain_key: str = "domain") -> None:
        self.image_key, self.points_key, self.domain_key = image_key, points_key, domain_key

    def __call__(  # type: ignore[override]
        self,
        batchdata: Mapping[str, Any],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None, tuple[str], dict[str, Any]]:
        domains = set(batchdata[self.domain_key])
        if len(domains) != 1:
            raise ValueError(
                f"A batch must be of one domain; got {sorted(domains)}. Use DomainBatchSampler, or a batch size of 1."
            )
        image = batchdata[self.image_key].to(device, non_blocking=non_blocking)
        points = batchdata.get(self.points_key)
        if points is not None:
            points = points.to(device, non_blocking=non_blocking)
        return image, points, (domains.pop(),), {}
