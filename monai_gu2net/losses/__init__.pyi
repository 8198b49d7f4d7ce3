# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .heatmap_loss import HeatmapLoss as HeatmapLoss
from .heatmap_loss import heatmap_bce_with_logits as heatmap_bce_with_logits
from .heatmap_loss import prior_of as prior_of
