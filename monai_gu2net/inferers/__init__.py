# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Running networks on images."""

from __future__ import annotations

from monai_gu2net.inferers.inferer import LandmarkInferer
from monai_gu2net.inferers.tta import TTAInferer

__all__ = ["LandmarkInferer", "TTAInferer"]
