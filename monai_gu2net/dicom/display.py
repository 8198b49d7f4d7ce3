# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How an image is shown, stated again for a presentation state, which replaces what the image says of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

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
    known = [header.get(keyword) for keyword in ("Laterality", "ImageLaterality")]
    return next((side for side in known if side in ("R", "L")), None)


def add_display(state: Dataset, header: Dataset) -> None:
    """Add what decides how the image of a header is shown to a presentation state of it.

    Args:
        state: the presentation state; it is changed.
        header: of the image.

    Source: DICOM PS3.3, C.10.4 (displayed area), C.11.1 (modality LUT), C.11.8 (VOI LUT), C.11.6 (presentation LUT),
    C.7.6.11 (shutter), C.7.3.1 (laterality).
    """
    state.Laterality = laterality(header)
    [area] = state.DisplayedAreaSelectionSequence
    del area.PixelOriginInterpretation, area.PresentationPixelAspectRatio
    ratio = _positive(header.get("PixelAspectRatio"), 2)
    spacing = _positive(header.get("PixelSpacing"), 2) or _positive(header.get("ImagerPixelSpacing"), 2)
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
    slope, intercept = _number(header.get("RescaleSlope", 1)), _number(header.get("RescaleIntercept", 0))
    if slope and intercept is not None and ("RescaleSlope" in header or "RescaleIntercept" in header):
        state.RescaleIntercept, state.RescaleSlope = (
            header.get("RescaleIntercept", 0),
            header.get("RescaleSlope", 1),
        )
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
        if _number(center) is None or (_number(width) or 0.0) <= 0:
            return
        item.WindowCenter, item.WindowWidth = center, width
        if header.get("VOILUTFunction"):
            item.VOILUTFunction = header.VOILUTFunction
    state.SoftcopyVOILUTSequence = [item]


def _lut(source: Dataset, header: Dataset) -> Dataset | None:
    """The item of a LUT, its words in little endian; None where it is broken."""
    is_big = str(header.file_meta.TransferSyntaxUID) == ExplicitVRBigEndian if hasattr(header, "file_meta") else False
    descriptor, data = (_words(source.get(keyword), is_big) for keyword in ("LUTDescriptor", "LUTData"))
    if len(descriptor) != 3 or not len(data):
        return None
    item = Dataset()
    item.add(DataElement("LUTDescriptor", "US", [int(value) for value in descriptor]))
    item.add(DataElement("LUTData", "OW", data.astype("<u2").tobytes()))
    if source.get("LUTExplanation"):
        item.LUTExplanation = source.LUTExplanation
    return item


def _words(value: Any, is_big: bool) -> np.ndarray:
    """16-bit words, which are numbers or, where their type is left open, bytes in the file's order."""
    if isinstance(value, bytes):
        return np.frombuffer(value[: len(value) // 2 * 2], dtype=">u2" if is_big else "<u2")
    return np.asarray([] if value is None else value, dtype=np.int64).reshape(-1) % 2**16


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: Any, count: int) -> list[float] | None:
    numbers = [_number(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else []
    return [n for n in numbers if n and n > 0] if len(numbers) == count and all(n and n > 0 for n in numbers) else None
