# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The modality LUT: from stored values to those of the modality."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.values import finite_number, words

__all__ = ["modality_values"]


def modality_values(image: Dataset, *, signed: bool, turn: int | None, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function from stored values to modality values that a dataset declares, inverted or not.

    ModalityLUTSequence goes before RescaleSlope and RescaleIntercept; without any of them values stay. Of slope and
    intercept one may be missing (1, 0). A negative slope is a reversal that the file asks for, and is applied.

    An inversion is one of the stored range before slope and intercept. The entries of a LUT belong to the values as
    they are stored, so that there the LUT's output is inverted, between its smallest and largest entry.

    Args:
        image: the dataset.
        signed: whether stored values are; the first value of a LUT is of the same kind.
        turn: the smallest plus the largest value of the stored range, to invert; None: not inverted.
        name: the file's name, for errors.

    Returns:
        From int64 to float64 or integers, any shape.

    Raises:
        DicomError: the slope is 0 or no number, the intercept is none, or the LUT is broken.

    Source: DICOM PS3.3, C.11.1.
    """
    if image.get("ModalityLUTSequence"):
        table, first = _lut(image, signed, name)
        if turn is not None:
            table = table.min() + table.max() - table
        return lambda stored: table[np.clip(stored - first, 0, len(table) - 1)]
    slope = _finite(image, "RescaleSlope", 1.0, name)
    intercept = _finite(image, "RescaleIntercept", 0.0, name)
    if slope == 0:
        raise DicomError(f"{name}: RescaleSlope must not be 0; got 0. Export the image again.")
    if turn is not None:
        return lambda stored: (turn - stored) * slope + intercept
    if (slope, intercept) == (1.0, 0.0):
        return lambda stored: stored
    return lambda stored: stored * slope + intercept


def _finite(image: Dataset, keyword: str, default: float, name: str) -> float:
    number = finite_number(image.get(keyword, default))
    if number is None:
        raise DicomError(f"{name}: {keyword} must be one finite number; it is not. Export the image again.")
    return number


def _lut(image: Dataset, signed: bool, name: str) -> tuple[np.ndarray, int]:
    """The entries, and the stored value of the first one."""
    item = image.ModalityLUTSequence[0]
    try:
        count, first, bits = words(item.get("LUTDescriptor"), image).tolist()
        count, first = count or 65536, (first + 2**15) % 2**16 - 2**15 if signed else first
        table = words(item.get("LUTData"), image)
        if bits == 8 and len(table) == (count + 1) // 2:  # two entries a word
            table = np.stack([table % 256, table // 256], axis=1).ravel()[:count]
    except (TypeError, ValueError):
        count, first, table = 0, 0, np.empty(0)
    if not 0 < count == len(table):
        raise DicomError(f"{name}: a modality LUT must be whole; it is not. Export the image again.")
    return table, first
