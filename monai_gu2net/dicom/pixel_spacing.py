# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How large a pixel is, and where that is known from."""

from __future__ import annotations

import math
from typing import NamedTuple

from pydicom.dataset import Dataset

from monai_gu2net.dicom.values import finite_number, finite_numbers

__all__ = ["Spacing", "spacing_of", "spacing_pair"]

_CALIBRATIONS = ("FIDUCIAL", "GEOMETRY")
_PLAUSIBLE_MM = (1e-4, 100.0)
_PLAUSIBLE_FACTOR = (1.0, 20.0)


class Spacing(NamedTuple):
    """Size of a pixel.

    Args:
        mm: (sx, sy) mm per pixel, or None.
        source: "detector", "calibrated:FIDUCIAL", "calibrated:GEOMETRY", "calibrated:UNSPECIFIED",
            "detector/ERMF", "scanned-film", "unknown" or "none".
        problem: which tag was not used, and why; empty where all was well.
    """

    mm: tuple[float, float] | None
    source: str
    problem: str = ""


def spacing_of(header: Dataset) -> Spacing:
    r"""Size of a pixel by the spacing tags of a projection image.

    The first row that fits holds. Values are row and column spacing, that is ``sy\sx``. A PixelSpacing that
    is there but is not two positive numbers gives no spacing at all, for what it was meant to correct is unknown.

    =====================================================================  ==================  ================
    tags                                                                   spacing             source
    =====================================================================  ==================  ================
    PixelSpacing with PixelSpacingCalibrationType                          PixelSpacing        calibrated:TYPE
    PixelSpacing equal to ImagerPixelSpacing                               PixelSpacing        detector
    PixelSpacing different from ImagerPixelSpacing                         PixelSpacing        calibrated:UNSPECIFIED
    PixelSpacing alone                                                     PixelSpacing        unknown
    ImagerPixelSpacing, EstimatedRadiographicMagnificationFactor >= 1      Imager / factor     detector/ERMF
    ImagerPixelSpacing                                                     Imager              detector
    NominalScannedPixelSpacing                                             it                  scanned-film
    none of them, or the first of them invalid                             none                none
    =====================================================================  ==================  ================

    "detector" is measured in the plane of the detector, where the patient's shadow is magnified.

    Args:
        header: as :func:`monai_gu2net.dicom.read_header` gives it.

    Example:
        >>> header = Dataset()
        >>> header.ImagerPixelSpacing = [0.143, 0.143]
        >>> spacing_of(header)
        Spacing(mm=(0.143, 0.143), source='detector', problem='')

    Source: DICOM PS3.3, 10.7.1.3 (pixel spacing calibration), C.8.11.4 (DX detector), C.8.7.10.1 (magnification).
    """
    pixel, imager = spacing_pair(header, "PixelSpacing"), spacing_pair(header, "ImagerPixelSpacing")
    bad = [
        name for name in ("PixelSpacing", "ImagerPixelSpacing") if name in header and spacing_pair(header, name) is None
    ]
    problem = f"{bad[0]} must be two positive numbers" if bad else ""
    if pixel is not None:
        return Spacing(pixel, _source_of_pixel_spacing(header, pixel, imager), problem)
    if "PixelSpacing" in header:
        return Spacing(None, "none", problem)
    if imager is not None:
        if "EstimatedRadiographicMagnificationFactor" not in header:
            return Spacing(imager, "detector")
        factor = finite_number(header.EstimatedRadiographicMagnificationFactor)
        if factor is None or not _PLAUSIBLE_FACTOR[0] <= factor <= _PLAUSIBLE_FACTOR[1]:
            low, high = _PLAUSIBLE_FACTOR
            return Spacing(imager, "detector", f"EstimatedRadiographicMagnificationFactor must be {low:g} to {high:g}")
        return Spacing((imager[0] / factor, imager[1] / factor), "detector/ERMF")
    if "ImagerPixelSpacing" in header:
        return Spacing(None, "none", problem)
    scanned = spacing_pair(header, "NominalScannedPixelSpacing")
    if scanned is not None:
        return Spacing(scanned, "scanned-film")
    if "NominalScannedPixelSpacing" in header:
        return Spacing(None, "none", "NominalScannedPixelSpacing must be two positive numbers")
    return Spacing(None, "none")


def _source_of_pixel_spacing(header: Dataset, pixel: tuple[float, float], imager: tuple[float, float] | None) -> str:
    kind = str(header.get("PixelSpacingCalibrationType") or "").strip()
    if kind:  # a type of no value is none
        return f"calibrated:{kind if kind in _CALIBRATIONS else 'UNSPECIFIED'}"
    if imager is None:
        return "unknown"
    # 1e-4: writers round the two differently (0.143 and 0.1430)
    same = all(math.isclose(a, b, rel_tol=1e-4) for a, b in zip(pixel, imager, strict=True))
    return "detector" if same else "calibrated:UNSPECIFIED"


def spacing_pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    """(sx, sy) of a tag that holds sy and sx; None where it does not."""
    numbers = finite_numbers(header.get(keyword))
    low, high = _PLAUSIBLE_MM
    if len(numbers) != 2 or not all(low <= number <= high for number in numbers):
        return None
    return numbers[1], numbers[0]
