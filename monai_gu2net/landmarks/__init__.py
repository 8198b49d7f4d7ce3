# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a set of landmarks is, where it lies, and how it is written to a file."""

from __future__ import annotations

from monai_gu2net.landmarks.coordinates import (
    apply_affine,
    image_plane_affine,
    index_to_mm,
    mm_to_index,
    spatial_affine,
    world_to_lps,
)
from monai_gu2net.landmarks.formats import read_landmarks, write_landmarks
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = [
    "LandmarkSet",
    "apply_affine",
    "image_plane_affine",
    "index_to_mm",
    "mm_to_index",
    "read_landmarks",
    "spatial_affine",
    "world_to_lps",
    "write_landmarks",
]
