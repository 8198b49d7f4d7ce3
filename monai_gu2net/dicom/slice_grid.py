# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The grid that the slices of a volume make, where they make one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.pixel_spacing import spacing_pair
from monai_gu2net.dicom.values import finite_number, finite_numbers, texts

__all__ = ["SliceGrid", "slice_grid"]

_DIRECTION = 1e-3  # of cosines: files round them to three digits and more
_SAME = 1e-4  # two slices' cosines and, of its size, their pixels; half a metre away this is 0.05 mm
_GAP = 0.01  # of the gap that a slice may be off its place in the row
_ROUNDING_MM = 0.01  # or this, for positions are written with two digits and more
_SHEAR = 1e-3  # of the row's length that the last slice may lie beside the first one's normal
_TILT_DEGREES = 0.05


class SliceGrid(NamedTuple):
    """How slices are stacked.

    Args:
        order: for each place along the normal the index of its slice.
        affine: (4, 4) from the index (column, row, place) to RAS mm.
    """

    order: tuple[int, ...]
    affine: np.ndarray


def slice_grid(slices: Sequence[Dataset], *, names: Sequence[str], series: str) -> SliceGrid:
    """Sort slices along their normal, and check that they are an even stack.

    The normal is that of rows x columns, so that the grid is right-handed. Slices must have one frame of reference, one
    orientation (cosines within 1e-4) and one size of pixel (within 1e-4 of it); no two may be at one place; each must
    lie within 1 % of the gap, or 0.01 mm where that is more, of where an even row from the first to the last slice has
    it; and that row must follow the normal within 0.1 % of its length. Of a gantry's tilt nothing is corrected:
    GantryDetectorTilt is refused, but of DERIVED images, which are made of tilted ones.

    Args:
        slices: their headers, of plain images or of the frames of one.
        names: of each, for errors.
        series: the name that errors begin with.

    Raises:
        DicomError: the slices are no such stack.

    Source: DICOM PS3.3, C.7.6.2.1.1 (the affine of image plane and position).
    """
    if len(slices) < 2:
        raise DicomError(
            f"{series}: a volume must have at least 2 slices; got 1. Put all slices of the series into one folder."
        )
    frames = {str(header.get("FrameOfReferenceUID") or "") for header in slices}
    if len(frames) > 1:
        raise _mixed(series, "frame of reference", f"{len(frames)} of them")
    directions = _vectors(slices, "ImageOrientationPatient", 6, names, series).reshape(-1, 2, 3)
    spacings = _spacings(slices, names, series)
    _check_same(directions, np.ones(1), "orientation", names, series)
    _check_same(spacings, spacings[0], "pixel spacing", names, series)
    rows, columns = directions[0] / np.linalg.norm(directions[0], axis=1, keepdims=True)
    if np.abs([np.linalg.norm(directions[0], axis=1) - 1, [rows @ columns] * 2]).max() > _DIRECTION:
        raise DicomError(
            f"{series}: ImageOrientationPatient must be two unit vectors at right angles; it is not. Export it again."
        )
    _check_tilt_tag(slices, names, series)
    positions = _vectors(slices, "ImagePositionPatient", 3, names, series)
    normal = np.cross(rows, columns)
    order = np.argsort(positions @ normal, kind="stable")
    step = _step(positions[order], normal, [names[index] for index in order], series)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([rows * spacings[0, 0], columns * spacings[0, 1], step], axis=1)
    affine[:3, 3] = positions[order[0]]
    affine[:2] *= -1  # LPS to RAS
    return SliceGrid(tuple(int(index) for index in order), affine)


def _vectors(slices: Sequence[Dataset], keyword: str, count: int, names: Sequence[str], series: str) -> np.ndarray:
    """(slices, count) float64 of an element that every slice must have."""
    found = [finite_numbers(header.get(keyword)) for header in slices]
    for name, numbers in zip(names, found, strict=True):
        if len(numbers) != count:
            raise DicomError(
                f"{series}: a slice must say where it lies by {count} numbers in {keyword}; that of {name} does not. "
                "Export the series again, or take out what is no slice of it."
            )
    return np.array(found)


def _spacings(slices: Sequence[Dataset], names: Sequence[str], series: str) -> np.ndarray:
    """(slices, 2) mm from column to column, and from row to row."""
    found = [spacing_pair(header, "PixelSpacing") for header in slices]
    for name, pair in zip(names, found, strict=True):
        if pair is None:
            raise DicomError(
                f"{series}: PixelSpacing of a slice must be two positive numbers; that of {name} is not. "
                "Export the series again."
            )
    return np.array(found)


def _check_same(values: np.ndarray, size: np.ndarray, what: str, names: Sequence[str], series: str) -> None:
    """Refuse slices whose values differ from the first one's by more than rounding."""
    off = (np.abs(values - values[0]) / size).reshape(len(values), -1).max(axis=1)
    if off.max() > _SAME:
        at = int(np.argmax(off > _SAME))
        raise _mixed(series, what, f"another one in {names[at]} than in {names[0]}")


def _mixed(series: str, what: str, got: str) -> DicomError:
    return DicomError(
        f"{series}: the slices of a volume must have one {what}; got {got}. "
        "Put the slices of each volume into a folder of their own."
    )


def _check_tilt_tag(slices: Sequence[Dataset], names: Sequence[str], series: str) -> None:
    for header, name in zip(slices, names, strict=True):
        tilt = finite_number(header.get("GantryDetectorTilt", 0.0)) or 0.0
        if abs(tilt) > _TILT_DEGREES and "DERIVED" not in texts(header.get("ImageType")):
            raise _tilted(series, f"GantryDetectorTilt {tilt:g} degrees in {name}")


def _tilted(series: str, got: str) -> DicomError:
    return DicomError(
        f"{series}: the slices of a volume must be stacked along their normal; got a gantry's tilt: {got}. "
        "Have it resampled without the tilt, by the scanner or with dcm2niix, whose NIfTI can be read."
    )


def _step(positions: np.ndarray, normal: np.ndarray, names: Sequence[str], series: str) -> np.ndarray:
    """(3,) from one slice to the next in LPS mm; positions (slices, 3) are sorted along the normal."""
    along = positions @ normal
    gaps = np.diff(along)
    if gaps.min() <= _ROUNDING_MM / 10:
        at = int(np.argmin(gaps))
        raise DicomError(
            f"{series}: no two slices of a volume may be at one place; {names[at]} and {names[at + 1]} are. "
            "Put the slices of each echo, phase or time into a folder of their own, and take out copies."
        )
    step = (positions[-1] - positions[0]) / len(gaps)
    shear = step - (step @ normal) * normal
    length = along[-1] - along[0]
    aside = float(np.linalg.norm(shear)) * len(gaps)
    if aside > max(_SHEAR * length, _ROUNDING_MM):
        raise _tilted(series, f"the last slice lies {aside:.3g} mm beside the first one's normal")
    off = np.linalg.norm(positions - positions[0] - np.arange(len(positions))[:, None] * step, axis=1)
    gap = length / len(gaps)
    if off.max() > max(_GAP * gap, _ROUNDING_MM):
        at = int(np.argmax(gaps))
        raise DicomError(
            f"{series}: the slices of a volume must lie in an even row; got gaps from {gaps.min():.4g} to "
            f"{gaps.max():.4g} mm, the largest between {names[at]} and {names[at + 1]}, and a slice {off.max():.2g} mm "
            "off its place. Add the slices that are missing, or have it resampled."
        )
    return np.asarray(step)
