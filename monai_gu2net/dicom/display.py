# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How an image is shown, stated again for a presentation state, which replaces what the image says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from monai_gu2net.dicom.values import finite_number, finite_numbers, words

__all__ = ["add_display", "is_inverted", "laterality"]

_SHUTTER = (
    "ShutterShape",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "CenterOfCircularShutter",
    "RadiusOfCircularShutter",
    "VerticesOfThePolygonalShutter",
)


def is_inverted(header: Dataset) -> bool:
    """Whether the smallest value of an image is shown white.

    Presentation LUT shape decides, where the image has one; else the photometric interpretation.

    Source: DICOM PS3.3, C.7.6.3.1.2 and C.8.11.3.1.2.
    """
    shape = header.get("PresentationLUTShape")
    return shape == "INVERSE" or (shape != "IDENTITY" and header.get("PhotometricInterpretation") == "MONOCHROME1")


def laterality(header: Dataset) -> str | None:
    """The side of the body that an image says it shows, "R" or "L"; None, which is written empty: not known."""
    stated = [header.get(keyword) for keyword in ("Laterality", "ImageLaterality")]
    return next((side for side in stated if side in ("R", "L")), None)


def add_display(state: Dataset, header: Dataset) -> None:
    """Add what decides how the image of a header is shown to a presentation state of it.

    Of all this, highdicom 0.28.2 would take from an image its windows and its rescaling, and refuse it where one value
    of a pair is missing or a LUT begins below 0; it says that LUTs of 12 bits have 16, and passes over a modality LUT,
    shutters, polarity, spacing and side.

    Args:
        state: the presentation state, as highdicom makes it; it is changed.
        header: of the image.

    Source: DICOM PS3.3, C.10.4 (displayed area), C.11.1 (modality LUT), C.11.8 (VOI LUT), C.11.6 (presentation LUT),
    C.7.6.11 (shutter), C.7.3.1 (laterality).
    """
    state.Laterality = laterality(header)
    [area] = state.DisplayedAreaSelectionSequence
    del area.PixelOriginInterpretation, area.PresentationPixelAspectRatio
    ratio = _positive_pair(header.get("PixelAspectRatio"))
    spacing = _positive_pair(header.get("PixelSpacing")) or _positive_pair(header.get("ImagerPixelSpacing"))
    if spacing:
        area.PresentationPixelSpacing = [f"{value:.10g}"[:16] for value in spacing]
    else:
        area.PresentationPixelAspectRatio = [int(value) for value in ratio] if ratio else [1, 1]
    _add_modality_lut(state, header)
    _add_voi_lut(state, header)
    if header.get("ShutterShape"):
        for keyword in _SHUTTER:
            if header.get(keyword) not in (None, ""):
                setattr(state, keyword, header.get(keyword))
        state.ShutterPresentationValue = header.get("ShutterPresentationValue") or 0
    state.PresentationLUTShape = "INVERSE" if is_inverted(header) else "IDENTITY"


def _add_modality_lut(state: Dataset, header: Dataset) -> None:
    if header.get("ModalityLUTSequence"):
        item = _lut(header.ModalityLUTSequence[0], header)
        if item is not None:
            item.ModalityLUTType = header.ModalityLUTSequence[0].get("ModalityLUTType") or "US"
            state.ModalityLUTSequence = [item]
        return
    slope, intercept = header.get("RescaleSlope", 1), header.get("RescaleIntercept", 0)
    if not finite_number(slope) or finite_number(intercept) is None:
        return
    if "RescaleSlope" in header or "RescaleIntercept" in header:
        state.RescaleSlope, state.RescaleIntercept = slope, intercept
        state.RescaleType = header.get("RescaleType") or "US"


def _add_voi_lut(state: Dataset, header: Dataset) -> None:
    """The first VOI LUT or window, which is the one that is shown first."""
    item = Dataset()
    if header.get("VOILUTSequence"):
        lut = _lut(header.VOILUTSequence[0], header)
        if lut is None:
            return
        item.VOILUTSequence = [lut]
    else:
        center, width = (_first(header.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
        if finite_number(center) is None or (finite_number(width) or 0.0) <= 0:
            return
        item.WindowCenter, item.WindowWidth = center, width
        if header.get("VOILUTFunction"):
            item.VOILUTFunction = header.VOILUTFunction
    state.SoftcopyVOILUTSequence = [item]


def _lut(source: Dataset, header: Dataset) -> Dataset | None:
    """The item of a LUT, its words in little endian; None where it is broken."""
    descriptor, data = (words(source.get(keyword), header) for keyword in ("LUTDescriptor", "LUTData"))
    if len(descriptor) != 3 or not len(data):
        return None
    item = Dataset()
    item.add(DataElement("LUTDescriptor", "US", descriptor.tolist()))
    item.add(DataElement("LUTData", "OW", data.astype("<u2").tobytes()))
    if source.get("LUTExplanation"):
        item.LUTExplanation = source.LUTExplanation
    return item


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value


def _positive_pair(value: Any) -> list[float] | None:
    numbers = finite_numbers(value)
    return numbers if len(numbers) == 2 and min(numbers) > 0 else None
