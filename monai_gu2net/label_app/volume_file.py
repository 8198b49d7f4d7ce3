# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A volume as a file that the annotation page can read."""

from __future__ import annotations

import nibabel
import numpy as np
from numpy.typing import ArrayLike

__all__ = ["nifti_of"]


def nifti_of(voxels: np.ndarray, affine: ArrayLike) -> bytes:
    """A NIfTI file with these voxels and nothing else: no name, no history.

    Args:
        voxels: (W, H, D) float32; whole numbers that fit are sent in 16 bits, which halves the way.
        affine: (4, 4), voxels to RAS mm.
    """
    limits = np.iinfo(np.int16)
    fits = limits.min <= voxels.min() and voxels.max() <= limits.max and (voxels == np.rint(voxels)).all()
    image = nibabel.Nifti1Image(voxels.astype(np.int16 if fits else np.float32), np.asarray(affine, dtype=float))
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())
