# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures and volumes in NIfTI, NRRD and MetaImage."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from monai_gu2net.data.itk_module import itk_module
from monai_gu2net.data.stated_grid import StatedGrid, metaimage_grid, nifti_grid, nrrd_grid
from monai_gu2net.dicom import Limits
from monai_gu2net.landmarks import image_plane_affine

__all__ = ["NIFTI", "VOLUMES", "read_volume", "volume_shape"]

NIFTI = (".nii.gz", ".nii")
VOLUMES = (*NIFTI, ".nrrd", ".mha", ".mhd")
_AXES = 3
_log = logging.getLogger(__name__)


class _Stored(NamedTuple):
    """What a file holds; the affine is (n, n) for n - 1 axes."""

    array: np.ndarray
    affine: np.ndarray
    has_channels: bool
    stated: StatedGrid


def read_volume(path: Path, *, limits: Limits) -> tuple[np.ndarray, np.ndarray, bool, str]:
    """The array as stored, and what the file says of its scale.

    A file of two axes, or of a third with a single slice, is a picture. Its frame is the image plane, as that of every
    other radiograph: the first pixel's centre is the origin, x and y follow the array's axes, and of orientation and
    position only the length of the axes counts.

    A volume's frame is the patient's, RAS in mm, whatever the file's own: NIfTI is RAS, with the sform before the
    qform; MetaImage is LPS; NRRD says which it is. Axes may be flipped, oblique or sheared: the affine holds them as
    they are. Where the file does not say where its axes lead or how long its voxels are, that is logged as a warning
    with what is assumed.

    Args:
        path: the file; NIfTI comes through nibabel, the others through ITK.
        limits: of the memory that the array takes; the size of the file is the caller's to check.

    Returns:
        The (W, H[, D][, C]) float32 array; its 4x4 affine, of a picture the identity where the scale is unknown;
        whether the last axis holds channels; "file", or "none" where the file states no scale: a picture of 1 mm along
        both axes, or a volume whose affine is the identity but for signs, as files have them that know nothing, unless
        it names the unit.

    Raises:
        ValueError: the array would take more memory than allowed, or has no such axes, values or affine; the message
            names the file.
        Exception: nibabel's or ITK's, for what is no whole image.

    Source: NIfTI-1.1, nifti1.h (sform, qform, xyzt_units); the NRRD file format, section 5 (orientation); MetaIO.
    """
    array, affine, has_channels, stated = (_read_nifti if _is_nifti(path) else _read_by_itk)(path, limits)
    if np.iscomplexobj(array):
        raise ValueError(f"{path.name} must have real values; got complex ones. Save their magnitude.")
    if array.dtype.names:
        raise ValueError(f"{path.name} must have grey values; got colours. Save it in grey.")
    with np.errstate(over="ignore"):  # what is infinite then is refused as such
        array = np.asarray(array, dtype=np.float32)
    affine = affine.astype(np.float64)
    affine[:-1] *= stated.mm_per_unit
    if not np.isfinite(affine).all():
        raise ValueError(f"{path.name} must have a scale and position of finite numbers; got others. Save it anew.")
    axes = array.ndim - has_channels
    if axes == _AXES and array.shape[2] == 1:
        array, axes = array[:, :, 0], 2
    if axes == _AXES:
        source = _volume_source(path, affine, stated)
        return np.ascontiguousarray(array), affine, has_channels, source
    if axes != 2:
        raise ValueError(f"{path.name} must have 2 or 3 axes of space; got {axes}. Save one image per file.")
    spacing = np.linalg.norm(affine[:-1, :2], axis=0)
    has_scale = bool(
        (spacing > 0).all() and np.isfinite(spacing).all() and not np.allclose(spacing, 1.0, rtol=0, atol=1e-6)
    )
    plane = image_plane_affine(spacing) if has_scale else np.eye(4)
    return np.ascontiguousarray(array), plane, has_channels, "file" if has_scale else "none"


def volume_shape(path: Path) -> tuple[int, ...]:
    """The lengths of the two or three axes in space, from the file's header; raises as :func:`read_volume`."""
    if not _is_nifti(path):
        return _shape_of(_itk_header(path))[:-1]
    import nibabel

    return tuple(int(n) for n in nibabel.load(path).shape[:_AXES])  # type: ignore[attr-defined]


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith(NIFTI)


def _volume_source(path: Path, affine: np.ndarray, stated: StatedGrid) -> str:
    """Where the scale of a volume is from; what it does not say is logged."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if (
        not (lengths > 0).all() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3
    ):  # one in a thousand: 0.06 degrees
        raise ValueError(
            f"{path.name} must have three axes of a length and a direction of their own; got "
            f"{np.round(affine[:3, :3], 6).tolist()}. Save it anew."
        )
    # of what says nothing of its axes the origin is made up as well, as nibabel puts it into the middle
    is_plain = np.array_equal(np.abs(affine), np.eye(4)) or (stated.assumed and np.array_equal(lengths, np.ones(3)))
    source = "none" if is_plain and not stated.unit else "file"
    if stated.assumed:
        _log.warning("%s does not say where its axes lead: %s", path.name, stated.assumed)
    if source == "none":
        _log.warning(
            "%s states no scale (voxels of 1 along each axis, of no unit): results are in voxels unless "
            "its spacing is given",
            path.name,
        )
    return source


def _check_memory(path: Path, shape: tuple[int, ...], limits: Limits) -> None:
    wanted = math.prod(shape) * np.dtype(np.float32).itemsize
    if wanted > limits.memory_bytes:
        raise ValueError(
            f"{path.name} must take at most {limits.memory_bytes:,} bytes of memory; got {' x '.join(map(str, shape))} "
            "values. Export it smaller, or raise the limits."
        )


def _read_nifti(path: Path, limits: Limits) -> _Stored:
    """Through nibabel itself: where sform and pixdim differ, MONAI 1.6's NibabelReader puts the qform in its place."""
    import nibabel

    image: Any = nibabel.load(path)
    _check_scale(path, type(image))
    _check_memory(path, image.shape, limits)
    array = np.asanyarray(image.dataobj)
    # beyond the axes of space there may be time and components
    more = [length for length in array.shape[_AXES:] if length != 1]
    if len(more) > 1:
        raise ValueError(f"{path.name} must have one axis beyond those of space; got {array.shape}. Save one per file.")
    return _Stored(array.reshape(*array.shape[:_AXES], *more), image.affine, bool(more), nifti_grid(image.header))


def _check_scale(path: Path, kind: Any) -> None:
    """Refuse a NIfTI whose values are scaled by no number, which nibabel takes for values that are not scaled."""
    import nibabel

    with nibabel.openers.ImageOpener(str(path)) as file:
        header = kind.header_class.from_fileobj(file)  # that of a loaded image has lost them
    scale = [float(header[name]) for name in ("scl_slope", "scl_inter")]
    if not np.isfinite(scale).all():
        raise ValueError(
            f"{path.name} must have a finite scl_slope and scl_inter; got {scale[0]:g} and {scale[1]:g}. Save it with "
            "those of its values, 1 and 0 where they are not scaled."
        )


def _read_by_itk(path: Path, limits: Limits) -> _Stored:
    from monai.data import ITKReader
    from monai.utils import MetaKeys

    header = _itk_header(path)
    _check_memory(path, _shape_of(header), limits)
    reader = ITKReader(**_pixel_type(path, header))
    try:
        array, meta = reader.get_data(reader.read(str(path)))
    except RuntimeError as error:  # of many lines, the first of which are places in ITK's own source
        reason = re.sub(r"^.*\(0x[0-9a-f]+\): ", "", str(error).strip(), flags=re.DOTALL)
        if reason.startswith("File cannot be read"):  # MetaIO's word for it, followed by the last error of the system
            reason = "values that are not there, or too few (of .mhd they are in the file that ElementDataFile names)"
        raise ValueError(" ".join(reason.split()).removesuffix(".")) from None
    has_channels = not math.isnan(meta[MetaKeys.ORIGINAL_CHANNEL_DIM])
    if has_channels and array.shape[-1] == 1:
        array, has_channels = array[..., 0], False
    stated = nrrd_grid(path) if path.name.lower().endswith(".nrrd") else metaimage_grid(path)
    return _Stored(array, np.asarray(meta[MetaKeys.AFFINE]), has_channels, stated)


def _itk_header(path: Path) -> Any:
    """What ITK reads of a file before its values."""
    itk = itk_module()
    header = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
    if header is None:
        raise ValueError("no NRRD or MetaImage")
    header.SetFileName(str(path))
    header.ReadImageInformation()
    return header


def _pixel_type(path: Path, header: Any) -> dict[str, Any]:
    """How ITK is to read values for which its Python package (5.4) has no image: as float32, which all become."""
    itk = itk_module()
    kinds = itk.CommonEnums
    if header.GetComponentType() not in (
        kinds.IOComponent_CHAR,
        kinds.IOComponent_LONG,
        kinds.IOComponent_LONGLONG,
    ):
        return {}
    if header.GetNumberOfComponents() > 1:
        kind = header.GetComponentTypeAsString(header.GetComponentType()).replace("_", " ")
        raise ValueError(
            f"{path.name} must have one channel, or channels of another type of values; got "
            f"{header.GetNumberOfComponents()} of {kind}. Save it as float or 16-bit values."
        )
    return {"pixel_type": itk.F}


def _shape_of(header: Any) -> tuple[int, ...]:
    """The lengths of the axes, then the number of channels."""
    axes = [header.GetDimensions(axis) for axis in range(header.GetNumberOfDimensions())]
    return (*axes, header.GetNumberOfComponents())
