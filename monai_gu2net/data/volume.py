# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures and volumes in NIfTI, NRRD and MetaImage."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from monai_gu2net.dicom import Limits
from monai_gu2net.landmarks import image_plane_affine

__all__ = ["NIFTI", "VOLUMES", "read_volume", "volume_shape"]

NIFTI = (".nii", ".nii.gz")
VOLUMES = (".nrrd", ".mha", ".mhd")
_MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}  # NIfTI-1 xyzt_units; anything else is taken as mm


def read_volume(path: Path, *, limits: Limits) -> tuple[np.ndarray, np.ndarray, bool, str]:
    """The array as stored, and what the file says of its scale.

    A file of two axes, or of a third with a single slice, is a picture. Its frame is the image plane, as that of every
    other radiograph: the first pixel's centre is the origin, x and y follow the array's axes, and of orientation and
    position only the length of the axes counts. A volume keeps the affine that MONAI's readers give (RAS, mm).

    Args:
        path: the file; NIfTI comes through nibabel, the others through ITK.
        limits: of the memory that the array takes; the size of the file is the caller's to check.

    Returns:
        The (W, H[, D][, C]) float32 array; its 4x4 affine, the identity where the scale is unknown; whether the last
        axis holds channels; "file", or "none" where the file states no scale: a picture of 1 mm along both axes, or a
        volume whose affine is the identity but for signs, as files have them that know nothing.

    Raises:
        ValueError: the array would take more memory than allowed; the message names the file.
        Exception: nibabel's or ITK's, for what is no whole image.
    """
    from monai.data import ITKReader, NibabelReader
    from monai.data.utils import to_affine_nd
    from monai.utils import MetaKeys

    reader = NibabelReader() if path.name.lower().endswith(NIFTI) else ITKReader()
    if isinstance(reader, NibabelReader):
        _check_scale(path)
    _check_memory(path, volume_shape(path), limits)
    array, meta = reader.get_data(reader.read(str(path)))
    if np.iscomplexobj(array):
        raise ValueError(f"{path.name} must have real values; got complex ones. Save their magnitude.")
    with np.errstate(over="ignore"):  # what is infinite then is refused as such
        array = np.asarray(array, dtype=np.float32)
    has_channels = not math.isnan(meta[MetaKeys.ORIGINAL_CHANNEL_DIM])
    axes = array.ndim - has_channels
    affine = np.asarray(meta[MetaKeys.AFFINE], dtype=np.float64)
    affine[:-1] *= _mm_per_unit(path) if isinstance(reader, NibabelReader) else 1.0
    if not np.isfinite(affine).all():
        raise ValueError(f"{path.name} must have a scale and position of finite numbers; got others. Save it anew.")
    if axes == 3 and array.shape[2] == 1:
        array, axes = array[:, :, 0], 2
    if axes > 2:
        affine = to_affine_nd(3, affine)
        source = "none" if np.array_equal(np.abs(affine), np.eye(4)) else "file"
        return np.ascontiguousarray(array), affine, has_channels, source
    spacing = np.linalg.norm(affine[:-1, :2], axis=0)
    has_scale = bool(
        (spacing > 0).all() and np.isfinite(spacing).all() and not np.allclose(spacing, 1.0, rtol=0, atol=1e-6)
    )
    plane = image_plane_affine(spacing) if has_scale else np.eye(4)
    return np.ascontiguousarray(array), plane, has_channels, "file" if has_scale else "none"


def volume_shape(path: Path) -> tuple[int, ...]:
    """The lengths of the axes, then of the channels, from the file's header; raises as :func:`read_volume`."""
    return _nifti_shape(path) if path.name.lower().endswith(NIFTI) else _itk_shape(path)


def _check_memory(path: Path, shape: tuple[int, ...], limits: Limits) -> None:
    wanted = math.prod(shape) * np.dtype(np.float32).itemsize
    if wanted > limits.memory_bytes:
        raise ValueError(
            f"{path.name} must take at most {limits.memory_bytes:,} bytes of memory; got {' x '.join(map(str, shape))} "
            "values. Export it smaller, or raise the limits."
        )


def _nifti_shape(path: Path) -> tuple[int, ...]:
    import nibabel

    return tuple(int(n) for n in nibabel.load(path).shape)  # type: ignore[attr-defined]


def _check_scale(path: Path) -> None:
    """Refuse a NIfTI whose values are scaled by no number, which nibabel takes for values that are not scaled."""
    import nibabel

    kind: Any = type(nibabel.load(path))
    with nibabel.openers.ImageOpener(str(path)) as file:
        header = kind.header_class.from_fileobj(file)  # that of a loaded image has lost them
    scale = [float(header[name]) for name in ("scl_slope", "scl_inter")]
    if not np.isfinite(scale).all():
        raise ValueError(
            f"{path.name} must have a finite scl_slope and scl_inter; got {scale[0]:g} and {scale[1]:g}. Save it with "
            "those of its values, 1 and 0 where they are not scaled."
        )


def _mm_per_unit(path: Path) -> float:
    import nibabel

    return _MM_PER_UNIT.get(nibabel.load(path).header.get_xyzt_units()[0], 1.0)  # type: ignore[attr-defined]


def _itk_shape(path: Path) -> tuple[int, ...]:
    import itk

    header = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
    if header is None:
        raise ValueError("no NRRD or MetaImage")
    header.SetFileName(str(path))
    header.ReadImageInformation()
    axes = [header.GetDimensions(axis) for axis in range(header.GetNumberOfDimensions())]
    return (*axes, header.GetNumberOfComponents())
