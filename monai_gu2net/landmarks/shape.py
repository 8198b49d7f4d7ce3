# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The mean shape of a set of landmarks, and how one lies towards it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pose", "mean_shape", "pose_of"]

Array = NDArray[np.float64]

_FLAT = 1e-9
_OUTLIER = 2.0  # times the median distance from the shape, beyond which a landmark does not count


@dataclass(frozen=True)
class Pose:
    """How landmarks lie: ``rotation @ point + shift`` brings a point to the shape.

    Args:
        rotation: (D, D), proper.
        shift: (D,) in the unit of the shape.
        residual: median distance of a landmark from its place in the shape then, in the unit of the shape.
    """

    rotation: Array
    shift: Array
    residual: float

    @property
    def degrees(self) -> float:
        """The angle of the rotation, 0 to 180."""
        cosine = (np.trace(self.rotation) - (len(self.shift) - 2)) / 2
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def pose_of(points: Any, shape: Any) -> Pose | None:
    """The pose that brings landmarks onto a shape, whatever a few of them say.

    A least-squares fit that is repeated without the landmarks that lie more than twice the median distance away.

    Args:
        points: (N, D) landmarks in mm, D 2 or 3; NaN: absent.
        shape: (N, D) in mm; NaN: the landmark does not count.

    Returns:
        The pose; None where fewer than D landmarks are there, or they all lie in one place or, in space, on a line.

    Source: Kabsch, Acta Crystallographica A 32 (1976) 922; A 34 (1978) 827.
    """
    found, wanted = np.asarray(points, dtype=np.float64), np.asarray(shape, dtype=np.float64)
    present = np.isfinite(found).all(axis=-1) & np.isfinite(wanted).all(axis=-1)
    found, wanted = found[present], wanted[present]
    pose, kept = None, np.ones(len(found), dtype=bool)
    for _ in range(5):
        if kept.sum() < found.shape[-1]:
            return None
        pose, distances = _fit(found, wanted, kept)
        if pose is None:
            return None
        kept = distances <= max(_OUTLIER * float(np.median(distances)), 1e-9)
    return pose


def mean_shape(landmarks: Sequence[Any]) -> Array:
    """The mean of landmark sets that lie in any pose, each turned and shifted onto it, none scaled.

    Args:
        landmarks: (N, D) in mm, one for each image; NaN: absent.

    Returns:
        (N, D) in mm about the origin, turned as the first set that has the most landmarks; NaN for a landmark that is
        absent everywhere.

    Raises:
        ValueError: no set has as many landmarks as axes.

    Source: Gower, Psychometrika 40 (1975) 33, without scales.
    """
    sets = [np.asarray(each, dtype=np.float64) for each in landmarks]
    counts = [int(np.isfinite(each).all(axis=-1).sum()) for each in sets]
    if not sets or max(counts) < sets[0].shape[-1]:
        raise ValueError(
            f"A mean shape must come of sets of at least as many landmarks as axes; got {counts or 'none'}. "
            "Annotate more of them."
        )
    shape = sets[int(np.argmax(counts))]
    for _ in range(10):
        poses = [(each, pose_of(each, shape)) for each in sets]
        turned = np.stack([each @ pose.rotation.T + pose.shift for each, pose in poses if pose is not None])
        there = np.isfinite(turned)
        total = np.where(there, turned, 0.0).sum(axis=0)
        shape = np.divide(total, there.sum(axis=0), out=np.full_like(total, np.nan), where=there.any(axis=0))
        shape = shape - np.nanmean(shape, axis=0)
    return np.asarray(shape)


def _fit(found: Array, wanted: Array, kept: NDArray[np.bool_]) -> tuple[Pose | None, Array]:
    """The least-squares pose of some of the landmarks, and how far each then lies from its place."""
    middle, target = found[kept].mean(axis=0), wanted[kept].mean(axis=0)
    left, sizes, right = np.linalg.svd((found[kept] - middle).T @ (wanted[kept] - target))
    if sizes[-2] <= _FLAT * sizes[0]:  # in one place or, in space, on a line, about which any turn will do
        return None, np.zeros(len(found))
    proper = np.ones(len(sizes))
    proper[-1] = np.sign(np.linalg.det(left @ right)) or 1.0
    rotation = (right.T * proper) @ left.T
    shift = target - rotation @ middle
    distances = np.linalg.norm(found @ rotation.T + shift - wanted, axis=-1)
    return Pose(rotation, shift, float(np.median(distances))), distances
