# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A built-in dataset: radiographs of random articulated 3-D anatomies with exactly known landmarks."""

from __future__ import annotations

from monai_gu2net.phantom.dataset import DEFAULT_CASES, make_phantom
from monai_gu2net.phantom.phantom_case import phantom_case

__all__ = ["DEFAULT_CASES", "make_phantom", "phantom_case"]
