# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A volume of an anatomy, as a scanner might store it: in Hounsfield units, with an affine of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import nibabel
import numpy as np
import numpy.typing as npt

from monai_gu2net.data.domain import Domain
from monai_gu2net.phantom.anatomy import Anatomy, Pose, Tissue
from monai_gu2net.phantom.projection import blurred
from monai_gu2net.phantom.solids import Floats
from monai_gu2net.phantom.voxels import attenuation_in_voxels

__all__ = ["Scan", "scan"]

# x forwards, y down, z to the left become RAS: to the right, the front, the head
_RAS_OF_PATIENT = np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]])
AIR_HU, CLIPPED_HU = -1024, 3071
CROPPED_SHARE = 0.1
OBLIQUE_SHARE = 0.5


@dataclass(frozen=True)
class Scan:
    """How the volumes of one domain are taken.

    Args:
        domain: the domain.
        draw: makes a random anatomy in the pose given, in the coordinates of :mod:`~monai_gu2net.phantom.head_body`.
        margins_mm: for the axes right, front and head, least and most distance in mm from the outermost landmarks to
            the volume's border on the one side and on the other.
        crops: axis and side, 0 or 1, of borders that sometimes cut off a landmark.
    """

    domain: Domain
    draw: Callable[[np.random.Generator, Pose], Anatomy]
    margins_mm: tuple[tuple[tuple[float, float], tuple[float, float]], ...]
    crops: tuple[tuple[int, int], ...]


def scan(examination: Scan, rng: np.random.Generator) -> tuple[npt.NDArray[np.int16], Floats, Floats]:
    """Take one volume.

    The patient lies a little turned, the grid in half of the cases obliquely; voxels are longer along one axis than
    along the others, and the axes are stored in any of the 48 orders and directions that there are.

    Args:
        examination: how.
        rng: source of everything that varies.

    Returns:
        The volume (X, Y, Z) in Hounsfield units; the landmarks (N, 3) in its voxels, whole numbers being centres, NaN
        where the patient lacks one or it lies outside; the affine (4, 4) from voxels to RAS in mm.
    """
    anatomy = examination.draw(rng, Pose(np.eye(3)))
    lying = Pose.draw(rng, in_plane_deg=8, tilt_deg=8).rotation @ _RAS_OF_PATIENT
    oblique = 20 if rng.random() < OBLIQUE_SHARE else 0
    grid = Pose.draw(rng, in_plane_deg=oblique, tilt_deg=oblique).rotation
    anatomy = anatomy.turned(grid.T @ lying)

    absent = np.full(3, np.nan)
    points_mm = np.stack([anatomy.in_space.get(name, absent) for name in examination.domain.landmarks])
    low, high = _field_of_view(points_mm, examination, rng)
    spacing = np.full(3, rng.uniform(2.8, 3.6))
    spacing[rng.integers(3)] = rng.uniform(3.6, 5.0)
    size = np.rint((high - low) / spacing).astype(int) + 1
    hounsfield = _hounsfield(anatomy, low, size, spacing, rng)
    points = (points_mm - low) / spacing
    points[((points < 0) | (points > size - 1)).any(axis=1)] = np.nan

    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = grid * spacing, grid @ low + rng.uniform(-80, 80, 3)
    stored = np.stack([rng.permutation(3), rng.choice([-1, 1], 3)], axis=1)
    turned = nibabel.orientations.inv_ornt_aff(stored, size)
    points = (points - turned[:3, 3]) @ np.linalg.inv(turned[:3, :3]).T
    return nibabel.orientations.apply_orientation(hounsfield, stored), points, affine @ turned


def _field_of_view(points_mm: Floats, examination: Scan, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(3,) the centres of the first and of the last voxel, in mm along the axes of the grid."""
    margins = np.array([[rng.uniform(*side) for side in axis] for axis in examination.margins_mm])
    if rng.random() < CROPPED_SHARE:
        # Past the outermost landmark by 2 to 9 mm.
        margins[examination.crops[rng.integers(len(examination.crops))]] = -rng.uniform(2, 9)
    return np.nanmin(points_mm, axis=0) - margins[:, 0], np.nanmax(points_mm, axis=0) + margins[:, 1]


def _hounsfield(
    anatomy: Anatomy, first: Floats, size: npt.NDArray[np.int_], spacing: Floats, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """(X, Y, Z) with the blur and the noise of a scanner."""
    attenuation = np.maximum(attenuation_in_voxels(anatomy.bodies, first, size.tolist(), spacing), 0)
    hounsfield = 1000 * (attenuation / Tissue.SOFT - 1)
    sharpness, noise = rng.uniform(0.3, 0.6), rng.uniform(20, 80)
    hounsfield = blurred(hounsfield, sharpness) + blurred(rng.normal(0, noise, hounsfield.shape), 0.5)
    return np.rint(np.clip(hounsfield, AIR_HU, CLIPPED_HU)).astype(np.int16)
