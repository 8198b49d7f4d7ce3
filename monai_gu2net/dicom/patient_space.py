# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the voxels of a series lie in the patient's space: mm to the left, to the back, upwards (LPS)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.values import finite_numbers

__all__ = ["frame_of_reference", "patient_affine"]


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
    """Affine from voxels of a series to the patient's space.

    Args:
        slices: the headers of at least two parallel slices at equal distances, in their order.
        name: that an error begins with.

    Returns:
        (4, 4) from (column, row, slice), whole numbers at the voxels' centres, to mm in LPS.

    Raises:
        DicomError: a slice does not say where it lies.

    Source: DICOM PS3.3, C.7.6.2.1.1, equation C.7.6.2.1-1.
    """
    first = slices[0]
    orientation = finite_numbers(first.get("ImageOrientationPatient"))
    spacing = finite_numbers(first.get("PixelSpacing"))
    start, end = (finite_numbers(header.get("ImagePositionPatient")) for header in (first, slices[-1]))
    if [len(slices) > 1, len(orientation), len(spacing), len(start), len(end)] != [True, 6, 2, 3, 3]:
        raise DicomError(
            f"{name}: the slices must be two at least and say orientation, spacing and position; got {len(slices)} "
            "slices, and not all of these. Export the series again."
        )
    affine = np.eye(4)
    affine[:3, 0] = np.array(orientation[:3]) * spacing[1]  # along a row; the first spacing is that between rows
    affine[:3, 1] = np.array(orientation[3:]) * spacing[0]
    affine[:3, 2] = (np.array(end) - start) / (len(slices) - 1)
    affine[:3, 3] = start
    return affine
