# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Training losses."""

from __future__ import annotations

from monai_gu2net.losses.heatmap_loss import HeatmapLoss, heatmap_bce_with_logits

__all__ = ["HeatmapLoss", "heatmap_bce_with_logits"]
