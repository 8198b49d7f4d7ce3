# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the voxels of a series lie in the patient's space: mm to the left, to the back, upwards (LPS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.frames import frame_count, frame_header
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.slice_grid import slice_grid

__all__ = ["frame_of_reference", "patient_affine"]

_LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def frame_of_reference(slices: Sequence[Dataset], *, name: str) -> str:
    """The Frame of Reference UID of a series, which says what space its positions are in.

    Args:
        slices: their headers.
        name: that an error begins with.

    Raises:
        DicomError: they have none, or are of several.

    Source: DICOM PS3.3, C.7.4.1.
    """
    spaces = {str(header.get("FrameOfReferenceUID") or "") for header in slices}
    if len(spaces) != 1 or spaces == {""}:
        raise DicomError(
            f"{name}: the slices must have one FrameOfReferenceUID, in which points in space are given; they have "
            f"{len(spaces - {''}) or 'none'}. Export the series again."
        )
    return spaces.pop()


def patient_affine(slices: Sequence[Dataset], *, name: str) -> np.ndarray:
    """Affine from the voxels of a series, as :func:`~monai_gu2net.dicom.read_series` has them, to the patient's space.

    Args:
        slices: the headers of its objects.
        name: that an error begins with.

    Returns:
        (4, 4) from (column, row, slice), whole numbers at the voxels' centres, to mm in LPS.

    Raises:
        DicomError: they are no even stack of slices, see :func:`~monai_gu2net.dicom.slice_grid.slice_grid`.
    """
    frames = [frame_header(header, index) for header in slices for index in range(frame_count(header))]
    names = [f"slice {number}" for number in range(1, len(frames) + 1)]
    return _LPS_OF_RAS @ slice_grid(frames, names=names, series=name).affine
