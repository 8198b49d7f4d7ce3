# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What one untrusted file may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["DicomError", "Limits"]


class DicomError(ValueError):
    """A DICOM file that cannot be read; the message begins with the file's name and quotes no text of the file."""


@dataclass(frozen=True)
class Limits:
    """What one untrusted file may cost before it is given up.

    Args:
        file_bytes: size of the file.
        pixels: rows x columns x frames that its header declares.
        memory_bytes: memory that decoding takes, above that of a process that has done nothing yet.
        seconds: time that reading and decoding take.

    Raises:
        ValueError: a limit is not positive.

    Example:
        >>> Limits(pixels=4096 * 4096).seconds
        60.0
    """

    file_bytes: int = 256 * 2**20
    pixels: int = 100_000_000
    memory_bytes: int = 2 * 2**30
    seconds: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name} must be positive; got {value}. Give more of it.")
