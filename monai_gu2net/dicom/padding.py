# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pixels that fill the frame and are not of the patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.limits import DicomError

__all__ = ["padding_of"]

Mask = Callable[[np.ndarray, np.ndarray], np.ndarray]


def padding_of(image: Dataset, *, bits_allocated: int, bits_stored: int, signed: bool, name: str) -> Mask | None:
    """The function that tells padding, by PixelPaddingValue and PixelPaddingRangeLimit; None: there is none.

    Both are values as they are stored, before polarity and modality LUT, and belong to the range, wherever the limit
    lies. Files write them signed or unsigned as it comes, so that they are read as the pixels are. A value that
    BitsStored cannot hold, such as -32768 of 12 bits, is compared with all the bits allocated.

    Args:
        image: the dataset.
        bits_allocated: of a pixel.
        bits_stored: likewise.
        signed: whether pixels are.
        name: the file's name, for errors.

    Returns:
        From a pixel's bits as they are allocated (int64, signed as the pixels are) and its stored value (int64), of one
        shape, to True where it is padding.

    Raises:
        DicomError: one of the two is no whole number.

    Source: DICOM PS3.3, C.7.5.1.1.2.
    """
    if "PixelPaddingValue" not in image:  # a limit alone limits nothing
        return None
    keywords = [keyword for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit") if keyword in image]
    is_little = getattr(image.file_meta.TransferSyntaxUID, "is_little_endian", True)
    numbers = [_whole(image[keyword].value, "little" if is_little else "big", keyword, name) for keyword in keywords]
    ends = [_as_pixel(number, bits_allocated, signed) for number in numbers]
    pixels = [end for end in ends if end is not None]
    if len(pixels) < len(ends):  # no pixel has such a value
        return None
    low, high = min(pixels), max(pixels)
    smallest = -(2 ** (bits_stored - 1)) if signed else 0
    fits = smallest <= low and high < smallest + 2**bits_stored

    def is_padding(allocated: np.ndarray, stored: np.ndarray) -> np.ndarray:
        mask = (low <= stored) & (stored <= high)
        return mask if fits else mask | ((low <= allocated) & (allocated <= high))

    return is_padding


def _as_pixel(value: int, bits_allocated: int, signed: bool) -> int | None:
    """A number of 8, 16 or 32 bits, written signed or not, as the pixels are; None: it is of too many bits."""
    bits = 16 if bits_allocated == 32 and -(2**15) <= value < 2**16 else bits_allocated
    if not -(2 ** (bits - 1)) <= value < 2**bits:
        return None
    value %= 2**bits
    return value - 2**bits if signed and value >= 2 ** (bits - 1) else value


def _whole(value: Any, order: Literal["little", "big"], keyword: str, name: str) -> int:
    """One whole number, also as text or, where its type is left open, as the bytes of one word."""
    try:
        number = float(int.from_bytes(value, order) if isinstance(value, bytes) and len(value) in (2, 4) else value)
        if number == int(number):
            return int(number)
    except (TypeError, ValueError, OverflowError):  # several values, text, nothing
        pass
    raise DicomError(f"{name}: {keyword} must be one whole number; it is not. Export the image again.")
