# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes in NIfTI, NRRD and MetaImage for tests; the latter two are written by hand, as their formats define them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff

LPS_OF_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SPACES = {"LPS": LPS_OF_RAS, "RAS": np.eye(4), "LAS": np.diag([-1.0, 1.0, 1.0, 1.0])}


def write_nifti(path: Path, volume: np.ndarray, affine: np.ndarray) -> Path:
    """Of float32 values, with the affine as sform."""
    image = nib.Nifti1Image(volume.astype(np.float32), affine)
    image.header.set_xyzt_units("mm")
    image.to_filename(path)
    return path


def write_nrrd(path: Path, volume: np.ndarray, affine: np.ndarray, *, space: str = "LPS", fields: str = "") -> Path:
    """Of float32 values, in one of the format's three spaces of a patient."""
    own = _SPACES[space] @ affine
    directions = " ".join(_vector(own[:3, axis]) for axis in range(3))
    header = f"space: {space}\nspace directions: {directions}\nspace origin: {_vector(own[:3, 3])}\n{fields}"
    return write_nrrd_header(path, volume, header)


def write_nrrd_header(path: Path, volume: np.ndarray, header: str) -> Path:
    """Of float32 values, with these lines beside those that no file may miss."""
    sizes = " ".join(map(str, volume.shape))
    header = (
        f"NRRD0005\ntype: float\ndimension: {volume.ndim}\nsizes: {sizes}\nendian: little\nencoding: raw\n{header}\n"
    )
    path.write_bytes(header.encode() + volume.astype("<f4").tobytes(order="F"))
    return path


def write_mha(path: Path, volume: np.ndarray, affine: np.ndarray) -> Path:
    """Of float32 values; the directions are LPS."""
    own = LPS_OF_RAS @ affine
    spacing = np.linalg.norm(own[:3, :3], axis=0)
    matrix = " ".join(f"{number:.12g}" for number in (own[:3, :3] / spacing).T.ravel())
    lengths, offset = (" ".join(f"{number:.12g}" for number in numbers) for numbers in (spacing, own[:3, 3]))
    return write_mha_header(
        path, volume, f"TransformMatrix = {matrix}\nOffset = {offset}\nElementSpacing = {lengths}\n"
    )


def write_mha_header(path: Path, volume: np.ndarray, header: str) -> Path:
    """Of float32 values, with these lines beside those that no file may miss."""
    first = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    last = f"DimSize = {' '.join(map(str, volume.shape))}\nElementType = MET_FLOAT\nElementDataFile = LOCAL\n"
    path.write_bytes((first + header + last).encode() + volume.astype("<f4").tobytes(order="F"))
    return path


def orientations() -> Iterator[np.ndarray]:
    """The 48 ways to order and direct three axes, as nibabel writes them: (3, 2), axis and direction."""
    for axes in itertools.permutations(range(3)):
        for directions in itertools.product((1, -1), repeat=3):
            yield np.array(list(zip(axes, directions, strict=True)))


def stored_as(volume: np.ndarray, affine: np.ndarray, orientation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same volume with other axes, by nibabel: the array and its affine."""
    turned = apply_orientation(volume, orientation)
    return np.ascontiguousarray(turned), affine @ inv_ornt_aff(orientation, volume.shape)


def _vector(numbers: np.ndarray) -> str:
    return f"({','.join(f'{number:.12g}' for number in numbers)})"
