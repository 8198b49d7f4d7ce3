# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A volume read from the slices of one DICOM series."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.frames import frame_count, frame_header, has_frame_geometry
from monai_gu2net.dicom.header import dicom_files, read_header
from monai_gu2net.dicom.isolated import decode_isolated
from monai_gu2net.dicom.limits import DicomError, Limits
from monai_gu2net.dicom.metadata import metadata_of
from monai_gu2net.dicom.slice_grid import slice_grid
from monai_gu2net.dicom.values import texts

__all__ = ["Series", "read_series", "series_headers", "series_shape"]

_UID = re.compile(r"[0-9.]{1,64}")
_OF_ONE_SLICE = ("sop_instance_uid", "patient_orientation")
_SHOWN = 4


@dataclass(frozen=True, eq=False)
class Series:
    """A volume and where it lies.

    Attributes:
        pixels: (W, H, D) float32: columns, rows and slices; modality LUT applied, padding the darkest value of the
            rest.
        affine: (4, 4) from index to RAS mm; the centre of the first pixel of the first slice is index 0.
        metadata: technical facts without a person's name or number, see
            :func:`monai_gu2net.dicom.metadata.metadata_of`; with ``series_instance_uid`` and
            ``frame_of_reference_uid``, without what belongs to a single slice.
    """

    pixels: np.ndarray
    affine: np.ndarray
    metadata: dict[str, str | int | float]


class _Slice(NamedTuple):
    path: Path
    frame: int
    frames: int  # of its file
    header: Dataset

    @property
    def name(self) -> str:
        return self.path.name if self.frames == 1 else f"frame {self.frame + 1}"


class _Stack(NamedTuple):
    name: str
    slices: list[_Slice]
    affine: np.ndarray


def read_series(
    place: str | Path | Sequence[str | Path],
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> Series:
    """Read one series of slices as a volume, in a child process with bounded memory and time.

    The slices are sorted along their normal by ImagePositionPatient and ImageOrientationPatient, whatever the names of
    the files; a grid that is not even, not at right angles or not of one series is refused, see
    :func:`~monai_gu2net.dicom.slice_grid.slice_grid` for the tolerances. Each slice has its own rescaling. An
    enhanced multi-frame object is a series of its frames.

    Args:
        place: a folder that holds the series, and beside it only what is no DICOM image; or its files; or one enhanced
            multi-frame file.
        limits: what each file may cost; ``memory_bytes`` bounds the volume as well.

    Raises:
        DicomError: this is no such series, or a file cannot be read; the message begins with the folder's name, or the
            file's.
        FileNotFoundError: it is not there.

    Source: DICOM PS3.3, C.7.6.2 (image plane), C.11.1 (modality LUT), C.7.6.16 (multi-frame functional groups).
    """
    stack = _stack(place, limits)
    first = stack.slices[0].header
    shape = int(first.Columns), int(first.Rows), len(stack.slices)
    if 4 * math.prod(shape) > limits.memory_bytes:
        raise DicomError(
            f"{stack.name}: a volume must take at most {limits.memory_bytes:,} bytes of memory; got "
            f"{' x '.join(map(str, shape))} values. Export it smaller, or raise the limits."
        )
    files: dict[Path, list[tuple[int, int]]] = {}
    for level, each in enumerate(stack.slices):
        files.setdefault(each.path, []).append((level, each.frame))
    pixels = np.empty(shape, dtype=np.float32)
    for path, levels in files.items():
        _, frames = decode_isolated(path, limits=limits, slices=True)
        for level, frame in levels:
            pixels[..., level] = frames[..., frame]
    padding = np.isnan(pixels)
    if padding.all():
        raise DicomError(f"{stack.name}: a volume must have pixels that are not padding; it has none. Export it again.")
    if padding.any():
        pixels[padding] = pixels.min(where=~padding, initial=np.inf)
    return Series(pixels, stack.affine, _metadata(first))


def series_headers(
    place: str | Path | Sequence[str | Path],
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> list[Dataset]:
    """The headers of a volume's objects in the order of the slices, checked as :func:`read_series` checks them.

    They hold the patient's identity: for writing objects of the same study, and for nothing that is logged, shown or
    kept.

    Args:
        place: as for :func:`read_series`.
        limits: only its ``file_bytes`` matters here.

    Returns:
        One header for each object, see :func:`~monai_gu2net.dicom.read_header`: of plain slices one each, of an
        enhanced multi-frame object its only one.

    Raises:
        DicomError, FileNotFoundError: as :func:`read_series`.
    """
    slices = _stack(place, limits).slices
    if slices[0].frames > 1:
        return [read_header(slices[0].path, limits=limits)]
    return [each.header for each in slices]


def series_shape(
    place: str | Path | Sequence[str | Path],
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
) -> tuple[int, int, int]:
    """(columns, rows, slices) of a series, by its headers; raises as :func:`series_headers`."""
    slices = _stack(place, limits).slices
    return int(slices[0].header.Columns), int(slices[0].header.Rows), len(slices)


def _stack(place: str | Path | Sequence[str | Path], limits: Limits) -> _Stack:
    """The slices of a series, sorted and checked."""
    if isinstance(place, str | Path):
        path = Path(place)
        name, paths = path.absolute().name, dicom_files(path) if path.is_dir() else [path]
    else:
        paths = [Path(each) for each in place]
        name = paths[0].absolute().parent.name if paths else "The series"
    slices = [each for path in paths for each in _slices_of(path, limits)]
    if not slices:
        raise DicomError(f"{name}: a series must hold DICOM images; got none. Check that this is its folder.")
    _check_one_series(name, slices)
    _check_pixels(name, slices)
    headers, names = [each.header for each in slices], [each.name for each in slices]
    grid = slice_grid(headers, names=names, series=name)
    return _Stack(name, [slices[index] for index in grid.order], grid.affine)


def _slices_of(path: Path, limits: Limits) -> list[_Slice]:
    """Of one file, none where it is no image."""
    header = read_header(path, limits=limits)
    if not isinstance(header.get("Columns"), int) or not isinstance(header.get("Rows"), int):
        return []
    frames = frame_count(header)
    if frames * header.Columns * header.Rows > limits.pixels:
        raise DicomError(
            f"{path.name}: rows x columns x frames must be at most {limits.pixels}; got {header.Rows} x "
            f"{header.Columns} x {frames}. Raise Limits.pixels if you trust it."
        )
    if frames > 1 and not has_frame_geometry(header):
        raise DicomError(
            f"{path.name}: a multi-frame image must say where each frame lies to be a volume; it does not. Have it "
            "exported as an enhanced object or as slices, or choose one frame by frame= as a radiograph."
        )
    return [_Slice(path, frame, frames, frame_header(header, frame)) for frame in range(frames)]


def _check_one_series(name: str, slices: Sequence[_Slice]) -> None:
    """Refuse what is of several series, several multi-frame objects, or a localizer."""
    counts = Counter(str(each.header.get("SeriesInstanceUID") or "") for each in slices)
    if len(counts) > 1:
        uids = [f"{uid if _UID.fullmatch(uid) else 'none'} ({count} slices)" for uid, count in counts.most_common()]
        shown = ", ".join(uids[:_SHOWN]) + (f" and {len(uids) - _SHOWN} more" if len(uids) > _SHOWN else "")
        raise DicomError(
            f"{name}: a folder must hold one series; got {len(uids)}, by their SeriesInstanceUID: {shown}. "
            "Put the slices of each series into a folder of their own."
        )
    if any(each.frames > 1 for each in slices) and len({each.path for each in slices}) > 1:
        raise DicomError(
            f"{name}: a folder must hold the slices of one volume or one multi-frame object; got several of these. "
            "Put each into a folder of its own, or give the files one by one."
        )
    localizers = [each.name for each in slices if "LOCALIZER" in texts(each.header.get("ImageType"))]
    if localizers:
        raise DicomError(
            f"{name}: the slices of a volume must not be localizers; got {len(localizers)} of {len(slices)} that are, "
            f"such as {localizers[0]}. Take them out."
        )


def _check_pixels(name: str, slices: Sequence[_Slice]) -> None:
    """Refuse colour, polarities that contradict the values, and sizes that differ."""
    for each in slices:
        photometric = each.header.get("PhotometricInterpretation")
        if each.header.get("SamplesPerPixel", 1) != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
            raise DicomError(
                f"{name}: a slice must have grey pixels; that of {each.name} has others. Export it in grey."
            )
        if photometric == "MONOCHROME1" and each.header.get("Modality") == "CT":
            raise DicomError(
                f"{name}: a slice of CT must be MONOCHROME2, for Hounsfield units grow with density; that of "
                f"{each.name} is MONOCHROME1. Export it again."
            )
    sizes = Counter((int(each.header.Columns), int(each.header.Rows)) for each in slices)
    if len(sizes) > 1:
        shown = ", ".join(
            f"{width} x {height} ({count} slices)" for (width, height), count in sizes.most_common(_SHOWN)
        )
        raise DicomError(
            f"{name}: the slices of a volume must have one size; got {shown}. "
            "Put the slices of each volume into a folder of their own."
        )


def _metadata(header: Dataset) -> dict[str, str | int | float]:
    found = {key: value for key, value in metadata_of(header).items() if key not in _OF_ONE_SLICE}
    for key, keyword in (
        ("series_instance_uid", "SeriesInstanceUID"),
        ("frame_of_reference_uid", "FrameOfReferenceUID"),
    ):
        uid = str(header.get(keyword) or "")
        if _UID.fullmatch(uid):
            found[key] = uid
    return found
