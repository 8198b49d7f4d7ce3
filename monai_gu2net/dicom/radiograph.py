# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A radiograph read from a DICOM file."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monai_gu2net.dicom.isolated import decode_isolated
from monai_gu2net.dicom.limits import Limits

__all__ = ["Radiograph", "radiograph_and_problem", "read_radiograph"]


@dataclass(frozen=True, eq=False)
class Radiograph:
    """Pixels, their size, and where that is known from.

    Attributes:
        pixels: (W, H) float32, as stored; larger is denser (as MONOCHROME2), modality LUT applied,
            padding black.
        spacing: (sx, sy) mm per pixel, or None.
        spacing_source: as in :func:`monai_gu2net.dicom.pixel_spacing.spacing_of`.
        metadata: technical facts without identity, see :func:`monai_gu2net.dicom.metadata.metadata_of`.
    """

    pixels: np.ndarray
    spacing: tuple[float, float] | None
    spacing_source: str
    metadata: dict[str, str | int | float]


def read_radiograph(
    path: str | os.PathLike[str],
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    frame: int | None = None,
    colour: bool = False,
) -> Radiograph:
    """Read a radiograph in a child process with bounded memory and time.

    Args:
        path: a DICOM file.
        limits: what the file may cost.
        frame: which frame of several, the first is 0; by default the image must have one.
        colour: take the luminance of RGB, YBR and palette images, which are refused by default.

    Raises:
        DicomError: the file cannot be read; the message names it and says why.
        FileNotFoundError: there is no such file.

    Warns:
        UserWarning: once, where a spacing tag is not as it must be.

    Source: DICOM PS3.3, C.8.1 (CR), C.8.11 (DX).
    """
    found, problem = radiograph_and_problem(Path(path), limits=limits, frame=frame, colour=colour)
    if problem:
        warnings.warn(problem, UserWarning, stacklevel=2)
    return found


def radiograph_and_problem(path: Path, *, limits: Limits, frame: int | None, colour: bool) -> tuple[Radiograph, str]:
    """As :func:`read_radiograph`, with what it would warn of beside it; empty: nothing."""
    facts, pixels = decode_isolated(path, limits=limits, frame=frame, colour=colour)
    spacing, source, problem = facts["spacing"], facts["spacing_source"], facts["problem"]
    if problem:
        problem = f"{path.name}: {problem}; {'it has no spacing' if spacing is None else f'its spacing is {source}'}."
    mm = None if spacing is None else (float(spacing[0]), float(spacing[1]))
    return Radiograph(pixels=pixels, spacing=mm, spacing_source=source, metadata=facts["metadata"]), problem
