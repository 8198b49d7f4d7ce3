# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where 3D Slicer shows the pixels of an image, which its point lists must agree with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.dicom.values import finite_numbers

__all__ = ["slicer_affine", "slicer_note", "slicer_spacing"]

_PROJECTIONS = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing,
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.DigitalMammographyXRayImageStorageForProcessing,
    uid.DigitalIntraOralXRayImageStorageForPresentation,
    uid.DigitalIntraOralXRayImageStorageForProcessing,
    uid.XRayAngiographicImageStorage,
    uid.XRayRadiofluoroscopicImageStorage,
)


def slicer_spacing(header: Dataset) -> tuple[float, float] | None:
    """Size of a pixel as 3D Slicer's default reader takes it, whatever the image's calibration says.

    It reads ImagerPixelSpacing alone of projection images (CR, DX, MG, IO, XA, RF), and of others PixelSpacing, of
    secondary captures else NominalScannedPixelSpacing. One number is for both axes, and 0 counts as 1.

    Args:
        header: as :func:`monai_gu2net.dicom.read_header` gives it.

    Returns:
        (sx, sy) mm per pixel; None where it reads none and shows 1 mm per pixel.

    Example:
        >>> header = Dataset()
        >>> header.SOPClassUID = uid.ComputedRadiographyImageStorage
        >>> header.PixelSpacing, header.ImagerPixelSpacing = [0.25, 0.25], [0.3, 0.4]
        >>> slicer_spacing(header)
        (0.4, 0.3)

    Source: measured with slicer-core 5.13 (GDCM), see tests/integration/test_slicer.py.
    """
    sop_class = header.get("SOPClassUID")
    if sop_class in _PROJECTIONS:
        keywords = ["ImagerPixelSpacing"]
    elif sop_class == uid.SecondaryCaptureImageStorage:
        keywords = ["PixelSpacing", "NominalScannedPixelSpacing"]
    else:
        keywords = ["PixelSpacing"]
    with silent_pydicom():
        found = (finite_numbers(header.get(keyword)) for keyword in keywords)
        values = next((each for each in found if len(each) in (1, 2)), None)
    if values is None or not any(values):
        return None
    row, column = values[0] or 1.0, values[-1] or 1.0
    return column, row


def slicer_affine(header: Dataset) -> np.ndarray:
    """(4, 4) from pixel indices to the LPS mm in which 3D Slicer shows them."""
    return np.diag([*(slicer_spacing(header) or (1.0, 1.0)), 1.0, 1.0])


def slicer_note(header: Dataset, own: Sequence[float] | None, source: str) -> str:
    """What a point list for 3D Slicer says of its millimetres.

    Args:
        header: of the image.
        own: (sx, sy) mm per pixel that the results are in; None: unknown.
        source: where that is known from.
    """
    placed = slicer_spacing(header)
    there = "one unit a pixel, for it reads no spacing" if placed is None else f"{_words(placed)} mm per pixel"
    here = "unknown" if own is None else f"{_words(own)} mm ({source})"
    return f"Placed as 3D Slicer shows this image, at {there}. Spacing of the image: {here}."


def _words(spacing: Sequence[float]) -> str:
    return " x ".join(f"{value:.6g}" for value in spacing)
