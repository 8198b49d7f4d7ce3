# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the voxels of a series lie in the patient's space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.frames import frame_count, frame_header
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.slice_grid import slice_grid

__all__ = ["frame_of_reference", "series_affine"]


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


def series_affine(slices: Sequence[Dataset], *, name: str) -> np.ndarray:
    """Affine of a series by its headers, the same as :func:`~monai_gu2net.dicom.read_series` gives with its voxels.

    Args:
        slices: the headers of its objects.
        name: that an error begins with.

    Returns:
        (4, 4) from (column, row, slice), whole numbers at the voxels' centres, to RAS mm.

    Raises:
        DicomError: they are no even stack of slices, see :func:`~monai_gu2net.dicom.slice_grid.slice_grid`.
    """
    frames = [frame_header(header, index) for header in slices for index in range(frame_count(header))]
    names = [f"slice {number}" for number in range(1, len(frames) + 1)]
    return slice_grid(frames, names=names, series=name).affine
