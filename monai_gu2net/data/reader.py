# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One reader for every kind of file that an image comes in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from monai_gu2net.data.picture import PICTURES, picture_size, read_picture
from monai_gu2net.data.volume import VOLUMES, read_volume, volume_shape
from monai_gu2net.dicom import Limits, dicom_files, is_dicom, read_header, read_series
from monai_gu2net.dicom.frames import has_frame_geometry
from monai_gu2net.dicom.radiograph import radiograph_and_problem
from monai_gu2net.dicom.series import series_shape
from monai_gu2net.landmarks import image_plane_affine

__all__ = ["RadiographReader", "image_dims", "image_shape", "is_image", "radiograph_size"]

_ENDINGS = (*PICTURES, *VOLUMES)
_LIMITS = Limits()
_log = logging.getLogger(__name__)
_LARGEST = 1e19  # the deviation of an image is of squares, and float32 ends at 3.4e38


class RadiographReader(ImageReader):
    """Reads a picture, DICOM, NIfTI, NRRD or MetaImage file, or a DICOM series, all with the same conventions.

    A radiograph is a (W, H) float32 array, width first and upright, with a 4x4 affine in mm: diag(sx, sy, 1, 1) where
    the file states its spacing, else the identity. The ending says which kind, DICOM also the content, and which
    of the pictures' formats it is by the content alone. Pictures come through
    :func:`~monai_gu2net.data.picture.read_picture`, DICOM through :func:`~monai_gu2net.dicom.read_radiograph`, the
    others through :func:`~monai_gu2net.data.volume.read_volume`, where volumes stay (W, H, D).

    A volume is (W, H, D) float32 as its file stores it, with a 4x4 affine to RAS mm. A folder is a volume of the DICOM
    slices in it, and so is an enhanced multi-frame file, see :func:`~monai_gu2net.dicom.read_series`.

    An image of one value throughout, a black one for instance, is taken with a logged warning.

    The metadata holds what MONAI's LoadImage needs, ``spacing_source`` ("none", "file", or that of the DICOM tags) and,
    of DICOM, a whitelist without identity.

    ``read`` only takes the name, and ``get_data`` reads the file: where a reader's ``read`` fails, LoadImage goes on to
    MONAI's other readers, which would open what this one refuses, and with another polarity.

    Args:
        limits: of a file from outside, see :class:`~monai_gu2net.dicom.Limits`.
        frame: of a multi-frame DICOM file, which without it is a volume, or refused where it does not say where its
            frames lie.
        colour: take DICOM in colour, as luminance, instead of refusing it.

    Raises:
        FileNotFoundError: (from ``get_data``) the file is not there.
        ValueError: (from ``get_data``) there are several files, or one is of no known kind, broken, beyond the
            limits, or has pixels that are NaN, infinite or larger than 1e19; the message begins with the file's name.
    """

    def __init__(self, *, limits: Limits = _LIMITS, frame: int | None = None, colour: bool = False) -> None:
        super().__init__()
        self.limits, self.frame, self.colour = limits, frame, colour

    def verify_suffix(self, filename: Sequence[Any] | Any) -> bool:
        """Whether all files are of a kind that this reader takes."""
        return all(str(name).lower().endswith(_ENDINGS) or _may_be_dicom(Path(name)) for name in ensure_tuple(filename))

    def read(self, data: Sequence[Any] | Any, **kwargs: Any) -> tuple[Path, ...]:  # the base class's signature
        """The files; nothing is opened yet."""
        return tuple(Path(name) for name in ensure_tuple(data))

    def get_data(self, img: Sequence[Path], *, rgb: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
        """The radiograph as (W, H) float32, or a volume as (W, H, D), and its metadata for MONAI's LoadImage.

        Args:
            img: the file or folder, as :meth:`read` gives it.
            rgb: a picture as (W, H, 3), in colour instead of luminance; any other image of two axes and one channel
                repeated into three.
        """
        if len(img) != 1:
            raise ValueError(f"A radiograph must be one file; got {len(img)}. Give one file per case.")
        path = Path(img[0])
        _check_file(path, self.limits)
        array, affine, source, more, has_channels = self._read(path, rgb=rgb)
        _check_values(path, array)
        if rgb and array.ndim == 2:
            array, has_channels = np.repeat(array[..., None], 3, axis=2), True
        space = SpaceKeys.LPS if array.ndim - has_channels == 2 else SpaceKeys.RAS
        meta: dict[str, Any] = {
            **more,
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.array(array.shape[:-1] if has_channels else array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: -1 if has_channels else float("nan"),
            MetaKeys.SPACE: space,
            "spacing_source": source,
        }
        return array, meta

    def _read(self, path: Path, *, rgb: bool) -> tuple[np.ndarray, np.ndarray, str, dict[str, Any], bool]:
        """Array, affine, source of the spacing, more metadata, and whether the last axis holds channels."""
        name = "" if path.is_dir() else path.name.lower()
        if name.endswith(PICTURES):
            with _named_errors(path, "picture"):
                return read_picture(path, limits=self.limits, rgb=rgb), np.eye(4), "none", {}, rgb
        if name.endswith(VOLUMES):
            with _named_errors(path, "image"):
                array, affine, has_channels, source = read_volume(path, limits=self.limits)
                return array, affine, source, {}, has_channels
        if path.is_dir() or (is_dicom(path) and self.frame is None and _is_multi_frame_volume(path, self.limits)):
            series = read_series(path, limits=self.limits)
            return series.pixels, series.affine, "file", dict(series.metadata), False
        if is_dicom(path):
            # a spacing tag that cannot be used is not said of every file: spacing_source has it, and a run warns once
            found, _ = radiograph_and_problem(path, limits=self.limits, frame=self.frame, colour=self.colour)
            affine = np.eye(4) if found.spacing is None else image_plane_affine(found.spacing)
            return found.pixels, affine, found.spacing_source, dict(found.metadata), False
        raise ValueError(
            f"{path.name} must be PNG, JPEG, BMP, TIFF, NIfTI, NRRD or MetaImage by its ending, or DICOM; got "
            f"{path.suffix or 'none'!r}. Convert it first, and give its spacing in the datalist."
        )


def _may_be_dicom(path: Path) -> bool:
    return is_dicom(path) or (path.is_dir() and bool(dicom_files(path)))


def is_image(path: Path) -> bool:
    """Whether a file may be an image this package reads, by its ending or, where it is DICOM, by its content."""
    return path.is_file() and (path.name.lower().endswith(_ENDINGS) or is_dicom(path))


def radiograph_size(path: Path, *, limits: Limits = _LIMITS) -> tuple[int, int] | None:
    """(width, height) of an upright picture or a DICOM image, from its header; None for other kinds.

    Raises:
        ValueError: the file is broken or beyond the limits; the message begins with its name.
    """
    if path.is_dir():
        return None
    if path.name.lower().endswith(PICTURES):
        _check_file(path, limits)
        with _named_errors(path, "picture"):
            return picture_size(path, limits=limits)
    if path.name.lower().endswith(VOLUMES) or not is_dicom(path):
        return None
    header = read_header(path, limits=limits)
    width, height = header.get("Columns"), header.get("Rows")
    if not isinstance(width, int) or not isinstance(height, int):
        raise ValueError(f"{path.name} must be an image; got DICOM without rows and columns. Take it out.")
    return width, height


def image_shape(path: Path, *, limits: Limits = _LIMITS) -> tuple[int, ...] | None:
    """The lengths of an image's axes in space from the header of its file or files, width first.

    Returns:
        None where the file is of no kind that this package reads.

    Raises:
        FileNotFoundError, ValueError: as :func:`radiograph_size`.
    """
    if path.is_dir():
        return series_shape(path, limits=limits)
    if path.name.lower().endswith(VOLUMES):
        _check_file(path, limits)
        with _named_errors(path, "image"):
            return volume_shape(path)
    if is_dicom(path) and _is_multi_frame_volume(path, limits):
        return series_shape(path, limits=limits)
    return radiograph_size(path, limits=limits)


def image_dims(path: Path) -> int:
    """How many axes an image has by its header, 2 or 3, where a third one of a single slice is none.

    Raises:
        FileNotFoundError, ValueError: as :func:`radiograph_size`.
    """
    shape = image_shape(path) or ()
    return 3 if len(shape) > 2 and shape[2] > 1 else 2


def _is_multi_frame_volume(path: Path, limits: Limits) -> bool:
    return has_frame_geometry(read_header(path, limits=limits))


def _check_file(path: Path, limits: Limits) -> None:
    """Refuse what is not there or too large to be opened."""
    if not path.exists():
        raise FileNotFoundError(f"The image must be a file; got {path.name!r}, which is not there. Correct the path.")
    if path.is_file() and path.stat().st_size > limits.file_bytes:
        raise ValueError(
            f"{path.name} must have at most {limits.file_bytes:,} bytes; got {path.stat().st_size:,}. "
            "Check what it is, or raise the limits."
        )


def _check_values(path: Path, array: np.ndarray) -> None:
    """Refuse values that nothing can be computed of, and say where there is but one."""
    wrong = array.size - np.count_nonzero(np.abs(array) <= _LARGEST)  # NaN compares as wrong, too
    if wrong:
        raise ValueError(
            f"{path.name} must have finite pixels of at most {_LARGEST:g} in size; got {wrong:,} of {array.size:,} "
            "that are NaN, infinite or larger. Replace them by a value of the image's background, and save it anew."
        )
    if array.size and array.min() == array.max():
        _log.warning("%s has one value throughout, where nothing can be found; check how it was exported", path.name)


@contextmanager
def _named_errors(path: Path, kind: str) -> Iterator[None]:
    """Errors of other libraries as a ValueError that begins with the file's name and does not show its folder."""
    try:
        yield
    except MemoryError:
        raise ValueError(f"{path.name} must fit into memory; got too little of it. Export it smaller.") from None
    except Exception as error:  # what is raised for a broken file differs between libraries
        text = str(error).replace(str(path), path.name)
        if text.startswith(f"{path.name} must"):
            raise ValueError(text) from None
        raise ValueError(f"{path.name} must be a whole {kind}; got {text}. Export it again.") from None
