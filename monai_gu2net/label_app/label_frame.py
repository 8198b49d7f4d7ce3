# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the points of an image's labels lie, of a radiograph or a volume."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from monai_gu2net.data import RadiographReader
from monai_gu2net.data.picture import PICTURES
from monai_gu2net.data.reader import image_dims
from monai_gu2net.dicom import is_dicom, read_header
from monai_gu2net.dicom.slicer_spacing import slicer_affine, slicer_note, slicer_spacing
from monai_gu2net.files import Stamps, stamps_of
from monai_gu2net.landmarks.coordinates import world_to_lps
from monai_gu2net.sources.folder_files import first_image, is_series

__all__ = ["LabelFrame", "axes_of", "header_file", "label_frame", "read_image"]

_KEPT_FRAMES = 4096


@dataclass(frozen=True)
class LabelFrame:
    """Where the points of an image's labels lie: where 3D Slicer shows them, whatever else is known of its scale.

    A radiograph lies in its own plane: LPS mm (x*sx, y*sy, 0) by the spacing that Slicer reads from the file, else
    pixels, which it takes for mm. Its spacing of a DICOM image is not always the image's own, see
    :func:`~monai_gu2net.dicom.slicer_spacing.slicer_spacing`. A volume lies in LPS mm of its file's own axes and
    origin.

    Args:
        affine: (4, 4), pixels of the file to the frame.
        unit: "mm"; "px" where the file states no scale, so that Slicer takes a pixel for 1 mm.
        size: D lengths in pixels, width first.
        image_affine: (4, 4), pixels of the file to its own mm, in which errors are stated.
        image_unit: "mm", or "px" where the file states no spacing.
        image_source: where that is known from, see :class:`~monai_gu2net.data.RadiographReader`.
        description: what a label says of its frame; empty where that is the image's own.
    """

    affine: np.ndarray
    unit: Literal["mm", "px"]
    size: tuple[int, ...]
    image_affine: np.ndarray
    image_unit: Literal["mm", "px"]
    image_source: str
    description: str = ""

    @property
    def dims(self) -> int:
        """D, 2 of a radiograph and 3 of a volume."""
        return len(self.size)

    @property
    def extent(self) -> str:
        """The size in words."""
        return f"{' x '.join(map(str, self.size))} {'pixels' if self.dims == 2 else 'voxels'}"


def label_frame(image: str | os.PathLike[str]) -> LabelFrame:
    """The frame of an image's labels; its file, or folder with a DICOM series, is read once as long as it stays.

    Raises:
        FileNotFoundError, ValueError: the file is not there, broken, or no image of one channel.
    """
    path = Path(image)
    return _kept_frame(path, stamps_of(path))


@lru_cache(maxsize=_KEPT_FRAMES)
def _kept_frame(path: Path, stamps: Stamps) -> LabelFrame:
    pixels, meta = read_image(path)
    source, own = str(meta["spacing_source"]), np.asarray(meta["affine"], dtype=float)
    unit: Literal["mm", "px"] = "px" if source == "none" else "mm"
    if pixels.ndim == 3:
        columns = world_to_lps(own[:3].T).T  # axes and origin, whose signs change alike
        return LabelFrame(np.vstack([columns, own[3:]]), unit, pixels.shape, own, unit, source)
    if not is_dicom(path):
        return LabelFrame(own, unit, pixels.shape, own, unit, source)
    header = read_header(path)
    note = slicer_note(header, None if unit == "px" else own.diagonal()[:2].tolist(), source)
    placed: Literal["mm", "px"] = "mm" if slicer_spacing(header) else "px"
    return LabelFrame(slicer_affine(header), placed, pixels.shape, own, unit, source, note)


def read_image(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """(W, H) pixels of a radiograph or (W, H, D) of a volume, and what the reader says of it.

    Raises:
        FileNotFoundError, ValueError: see :func:`label_frame`.
    """
    reader = RadiographReader()
    pixels, meta = reader.get_data(reader.read(path))
    if len(meta["spatial_shape"]) != pixels.ndim:
        raise ValueError(
            f"{path.name} must have one channel, as images to label have; got {pixels.shape[-1]} of them. Save one."
        )
    return pixels, meta


def header_file(image: Path) -> Path | None:
    """The DICOM file that tells of an image: its own, or one of the images of its series; None: it is not DICOM."""
    if image.is_dir():
        return first_image(image) if is_series(image) else None
    return image if is_dicom(image) else None


def axes_of(path: Path) -> int | None:
    """How many axes an image has, 2 or 3, by the header of its file, or of a folder with a DICOM series its files.

    A third axis of a single slice is none, as for :func:`~monai_gu2net.data.volume.read_volume`.

    Returns:
        None where it cannot be told, for what is there is broken.
    """
    if path.name.lower().endswith(PICTURES) and path.is_file():
        return 2
    try:
        return _kept_axes(path, stamps_of(path))
    except (OSError, ValueError):
        return None


@lru_cache(maxsize=_KEPT_FRAMES)
def _kept_axes(path: Path, stamps: Stamps) -> int:
    return image_dims(path)
