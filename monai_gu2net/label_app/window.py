# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How a radiograph is shown in 8 bits of grey."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset

from monai_gu2net.dicom import read_header
from monai_gu2net.dicom.display import is_inverted
from monai_gu2net.dicom.values import finite_numbers
from monai_gu2net.label_app.label_frame import header_file

__all__ = ["default_window", "grey_png", "shown_range"]

_PERCENTILES = (0.5, 99.5)  # leaves out collimation marks and burnt-in letters


def default_window(path: Path, pixels: np.ndarray) -> tuple[float, float]:
    """(black, white), the values between which an image is shown at first.

    Of DICOM its first linear window, of a series that of one of its slices, if the image has values inside it; else
    percentiles of the image.

    Args:
        path: the file, or the folder with a series.
        pixels: (W, H[, D]) values as :class:`~monai_gu2net.data.RadiographReader` gives them, where larger is brighter.

    Returns:
        Values of the image; white is larger than black.

    Source: DICOM PS3.3, C.11.2.1.2 (window). The reader inverts stored values, so the window of an inverted image is
    inverted with them.
    """
    told = header_file(path)
    window = None if told is None else _dicom_window(read_header(told))
    if window is not None and window[0] < pixels.max() and window[1] > pixels.min():
        return window
    black, white = np.percentile(pixels, _PERCENTILES).tolist()
    if black < white:
        return black, white
    black, white = float(pixels.min()), float(pixels.max())
    return (black, white) if black < white else (black, black + 1.0)


def shown_range(window: tuple[float, float], pixels: np.ndarray) -> tuple[float, float]:
    """(lowest, highest) value that 8 bits of grey tell apart: twice as wide as the window, within the image's values.

    The window so has at least half of the 256 levels, and can be moved and widened without asking for the image anew.
    """
    half = (window[1] - window[0]) / 2
    lowest, highest = max(window[0] - half, float(pixels.min())), min(window[1] + half, float(pixels.max()))
    return (lowest, highest) if lowest < highest else window


def grey_png(pixels: np.ndarray, shown: tuple[float, float]) -> bytes:
    """A PNG file in full resolution with 8 bits of grey.

    Args:
        pixels: (W, H).
        shown: the values that become 0 and 255; what lies outside is clipped.
    """
    scaled = (pixels.T - shown[0]) * (255.0 / (shown[1] - shown[0]))
    grey = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    coded = io.BytesIO()
    Image.fromarray(grey).save(coded, "PNG", compress_level=1)  # the reader waits for it, and it travels once
    return coded.getvalue()


def _dicom_window(header: Dataset) -> tuple[float, float] | None:
    """The first linear window in values of the reader; None where there is none, or a modality LUT is in between."""

    def first(keyword: str, otherwise: float | None = None) -> float | None:
        return next(iter(finite_numbers(header.get(keyword, otherwise))), None)

    center, width = first("WindowCenter"), first("WindowWidth")
    function = header.get("VOILUTFunction") or "LINEAR"
    if center is None or width is None or width <= 1 or function == "SIGMOID" or header.get("ModalityLUTSequence"):
        return None
    offset, width = (0.5, width - 1) if function == "LINEAR" else (0.0, width)
    black, white = center - offset - width / 2, center - offset + width / 2
    if is_inverted(header):
        slope, intercept = first("RescaleSlope", 1), first("RescaleIntercept", 0)
        bits = header.get("BitsStored")
        if slope is None or intercept is None or not isinstance(bits, int):
            return None
        # value v of stored s is slope * s + intercept; the reader gives that of (smallest + largest - s)
        turn = -1 if header.get("PixelRepresentation") == 1 else 2**bits - 1
        whole = slope * turn + 2 * intercept
        black, white = whole - white, whole - black
    return black, white
