# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where a volume's voxels lie, and landmarks in millimetres as voxels of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.data.dicom_entries import DicomEntry
from monai_gu2net.data.reader import RadiographReader, image_dims
from monai_gu2net.data.volume import VOLUMES
from monai_gu2net.files import Stamps, stamps_of
from monai_gu2net.landmarks import LandmarkSet

__all__ = ["VolumeFrame", "check_agreement", "in_voxels", "is_volume", "refuse_mixed", "usual_channels", "volume_frame"]

_AGREE = 0.1  # voxels


@dataclass(frozen=True, eq=False)
class VolumeFrame:
    """The grid of a volume.

    Args:
        size: voxels along each axis of the file.
        affine: (4, 4) voxels of the file to RAS mm.
        known: the file states its scale, or it was given.
        channels: of each voxel, such as points of time.
    """

    size: tuple[int, ...]
    affine: NDArray[np.float64]
    known: bool
    channels: int = 1

    @property
    def spacing(self) -> NDArray[np.float64]:
        """(3,) mm per voxel along each axis of the file."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    def at_spacing(self, spacing: Sequence[float] | None) -> VolumeFrame:
        """The same directions and origin with other mm per voxel along each axis of the file; None changes nothing.

        Raises:
            ValueError: there are not three of them.
        """
        if spacing is None:
            return self
        if len(spacing) != 3:
            raise ValueError(
                f"The spacing of a volume must be three numbers; got {tuple(spacing)}. Give one for each of its axes."
            )
        affine = self.affine.copy()
        affine[:3, :3] *= np.asarray(spacing, dtype=np.float64) / self.spacing
        return replace(self, affine=affine, known=True)


def is_volume(path: Path, dicom: DicomEntry | None = None) -> bool:
    """Whether an image, by its header, has more than one slice along a third axis; a series of slices is a folder.

    Args:
        path: the image.
        dicom: its header where it is DICOM.

    Raises:
        FileNotFoundError, ValueError: the file is not there or broken; the message begins with its name.
    """
    if path.is_dir() or not path.name.lower().endswith(VOLUMES):
        return path.is_dir() or (dicom is not None and dicom.is_volume)
    return image_dims(path) == 3


def volume_frame(path: Path) -> VolumeFrame:
    """The grid of a volume, which is read whole, so that one that cannot be is found.

    Raises:
        FileNotFoundError, ValueError: the file is not there, broken or no volume; the message begins with its name.
    """
    return _frame(path, stamps_of(path))


@lru_cache(maxsize=1)  # for who needs it twice in a row
def _frame(path: Path, stamps: Stamps) -> VolumeFrame:
    reader = RadiographReader()
    array, meta = reader.get_data(reader.read(path))
    size = tuple(int(length) for length in meta["spatial_shape"])
    if len(size) != 3:
        raise ValueError(
            f"{path.name} must be a volume, for its landmarks have three coordinates; got {len(size)} axes. Give two "
            "coordinates, or the volume."
        )
    affine, known = np.asarray(meta["affine"], dtype=np.float64), meta["spacing_source"] != "none"
    return VolumeFrame(size, affine, known, array.shape[-1] if array.ndim > len(size) else 1)


def usual_channels(frames: Iterable[VolumeFrame | None]) -> int:
    """The number of channels that most volumes have, the smaller of two that as many have; 1 where there are none."""
    counts = Counter(frame.channels for frame in frames if frame is not None)
    return min(counts, key=lambda channels: (-counts[channels], channels), default=1)


def refuse_mixed(folder: Path, dims: Mapping[str, int]) -> None:
    """Refuse pictures and volumes in one dataset.

    Args:
        folder: of the dataset.
        dims: the number of coordinates of the landmarks of each case.
    """
    flat, solid = ([name for name, each in dims.items() if each == wanted] for wanted in (2, 3))
    if flat and solid:
        raise ValueError(
            f"{folder}: its images must be pictures or volumes; got {len(flat)} of those, such as {flat[0]!r}, and "
            f"{len(solid)} of these, such as {solid[0]!r}. Make a dataset of each."
        )


def in_voxels(landmarks: LandmarkSet, frame: VolumeFrame) -> LandmarkSet:
    """Landmarks of a volume in LPS or RAS mm as voxels of it; those in voxels stay.

    Raises:
        ValueError: they are in mm, and the scale of the volume is not known.
    """
    if landmarks.frame not in ("LPS", "RAS"):
        return landmarks
    if not frame.known:
        raise ValueError(
            f"A volume must state its scale where its landmarks are in mm ({landmarks.frame}); got none. Give its mm "
            "per voxel (--spacing), or the landmarks in voxels."
        )
    return replace(landmarks, points=landmarks.to_index(frame.affine).points, frame="index")


def check_agreement(voxels: LandmarkSet, also: LandmarkSet, frame: VolumeFrame, *, image: str) -> None:
    """Refuse landmarks that are given in two frames and not in the same places.

    Args:
        voxels: the landmarks in voxels.
        also: those of the same names in another frame.
        frame: of the volume.
        image: what messages call it.

    Raises:
        ValueError: two are more than a tenth of a voxel apart, or one of them is absent.
    """
    others = in_voxels(also, frame).select(voxels.names)
    apart = np.linalg.norm(voxels.points - others.points, axis=1)
    lone = voxels.present != others.present
    wrong = np.flatnonzero(lone | (apart > _AGREE))
    if wrong.size:
        row = int(wrong[np.argmax(np.where(lone, np.inf, apart)[wrong])])
        shown = "one of them absent" if lone[row] else f"{apart[row]:.3g} voxels between them"
        raise ValueError(
            f"{image}: the columns in voxels and in {also.frame} mm must agree to {_AGREE:g} voxel; got {shown} for "
            f"{voxels.names[row]!r}, and {wrong.size} of {len(voxels.names)} landmarks that do not. Correct them, or "
            f"say which hold: --points voxel or --points {also.frame}."
        )
