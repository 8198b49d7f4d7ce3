# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Numbers in the values of elements, which files may hold nonsense in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset

__all__ = ["finite_number", "finite_numbers", "texts", "words"]


def finite_numbers(value: object) -> list[float]:
    """The finite numbers of a value, one or several; none where one of them is none."""
    parts = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    try:
        numbers = [float(part) for part in parts]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def finite_number(value: object) -> float | None:
    """The one finite number of a value."""
    numbers = finite_numbers(value)
    return numbers[0] if len(numbers) == 1 else None


def texts(value: object) -> tuple[str, ...]:
    """The texts of a value, none, one or several."""
    parts = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    return tuple(str(part).strip() for part in parts if part is not None)


def words(value: object, image: Dataset) -> np.ndarray:
    """(N,) the 16-bit words of a value, from 0, which pydicom gives as numbers or, where their type is open, as bytes.

    Args:
        value: of an element of the image.
        image: whose file has the bytes in its own order.

    Raises:
        TypeError: the value is no number.
        ValueError: likewise.
    """
    if isinstance(value, bytes):
        syntax = getattr(image, "file_meta", Dataset()).get("TransferSyntaxUID")
        order = "<u2" if getattr(syntax, "is_little_endian", True) else ">u2"
        return np.frombuffer(value[: len(value) // 2 * 2], dtype=order).astype(np.int64)
    return np.asarray([] if value is None else value, dtype=np.int64).reshape(-1) % 2**16
