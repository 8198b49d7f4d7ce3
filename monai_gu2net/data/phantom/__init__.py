# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A built-in dataset: radiographs of random articulated 3-D anatomies with exactly known landmarks."""

from __future__ import annotations

from .case import phantom_case
from .dataset import DEFAULT_CASES, make_phantom

__all__ = ["DEFAULT_CASES", "make_phantom", "phantom_case"]
