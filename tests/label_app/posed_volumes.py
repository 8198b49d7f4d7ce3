# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes in many poses, and where their voxels lie by nibabel and ITK."""

from __future__ import annotations

from pathlib import Path

import itk
import nibabel
import numpy as np


def _turned(degrees: float) -> np.ndarray:
    """(3, 3) rotation about the axis (1, 2, 3)."""
    axis, angle = np.array([1.0, 2.0, 3.0]) / np.sqrt(14), np.deg2rad(degrees)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turned: np.ndarray = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


# names tell kind and pose; the axes of an ITK image may be turned and mirrored, those of a NIfTI also negative
POSES: dict[str, np.ndarray] = {
    "plain.nii.gz": np.diag([0.5, 0.75, 1.25]),
    "flipped.nii.gz": np.diag([-0.5, 0.75, -1.25]),
    "left.nii.gz": _turned(15) @ np.diag([-0.5, 0.75, 1.25]),
    "oblique.nii.gz": _turned(25) @ np.diag([0.5, 0.75, 1.25]),
    "swapped.nrrd": _turned(10) @ np.eye(3)[[2, 0, 1]] @ np.diag([0.5, -0.75, 1.25]),
    "steep.mha": _turned(70) @ np.diag([1.5, 0.75, 0.5]),
}
ORIGIN = np.array([-31.0, 12.5, 100.0])


def write_volume(path: Path, voxels: np.ndarray, columns: np.ndarray, *, origin: np.ndarray = ORIGIN) -> Path:
    """A volume; its columns are RAS mm per voxel in NIfTI and LPS mm in the others, as each kind of file has them."""
    if path.name.endswith(".nii.gz"):
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = columns, origin
        nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), affine), path)
        return path
    image = itk.image_from_array(np.ascontiguousarray(voxels.T.astype(np.float32)))
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    image.SetDirection(itk.matrix_from_array(columns / spacing))
    itk.imwrite(image, str(path))
    return path


def lps_of(path: Path, voxels: np.ndarray) -> np.ndarray:
    """(N, 3) where voxels lie, by nibabel or ITK."""
    if path.name.endswith(".nii.gz"):
        ras = nibabel.affines.apply_affine(nibabel.load(path).affine, voxels)
        return np.asarray(ras * [-1, -1, 1])
    image = itk.imread(str(path))
    direction = itk.array_from_matrix(image.GetDirection()) * np.array(image.GetSpacing())
    return np.asarray(voxels @ direction.T + np.array(image.GetOrigin()))
