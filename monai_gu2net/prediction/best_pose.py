# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The pose in which a network sees an image best, where images lie in any pose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.landmarks import voxel_lengths
from monai_gu2net.landmarks.shape import Pose, pose_of
from monai_gu2net.transforms.pose import image_frame, seen_in, shape_frame

__all__ = ["in_best_pose"]

Array = NDArray[np.float64]

_LOOKS = 2  # in the pose of the shape, of which the last is the one that counts


def in_best_pose(
    sample: Mapping[Any, Any], shape: Any, size: tuple[int, ...], find: Callable[[Mapping[Any, Any]], Array]
) -> dict[Any, Any]:
    """A sample whose image is seen in the pose of its domain's mean shape.

    Landmarks are found in the image as it lies and after the turns that bring axes onto axes, until half of them lie
    within a voxel of the shape. The turn after which they fit the shape best gives a pose, and what is found in that
    pose a better one.

    Args:
        sample: ready for the network; its ``image`` is a (C, *spatial) MetaTensor.
        shape: (N, D) of the domain.
        size: of what the network sees.
        find: the landmarks (N, D) found in a sample, in the world; NaN: absent.

    Returns:
        The sample with its image in that pose, and words about it as ``orientation``; as it was, where too few
        landmarks are found in any pose.
    """
    image = sample["image"]
    frame = image_frame(image)
    best: Pose | None = None
    for turn in _turns(image.ndim - 1):
        turned = seen_in(image, frame @ turn, image.shape[1:])
        pose = pose_of(find({**sample, "image": turned}), shape)
        if pose is not None and (best is None or pose.residual < best.residual):
            best = pose
        if best is not None and best.residual <= voxel_lengths(image.affine, image.ndim - 1).mean():
            break
    if best is None:
        return {**sample, "orientation": "too few landmarks were found to tell the pose"}
    for look in range(_LOOKS):
        posed = {**sample, "image": seen_in(image, shape_frame(best, shape), size)}
        if look < _LOOKS - 1:
            best = pose_of(find(posed), shape) or best
    return posed | {
        "orientation": f"turned by {best.degrees:.0f} degrees to the pose of the mean shape, within "
        f"{best.residual:.2g} mm of which half of the landmarks lie"
    }


def _turns(dims: int) -> list[Array]:
    """(D+1, D+1) the turns that bring axes onto axes: 4 in a plane, 24 in space. The first is none.

    None of all turns is farther than 63 degrees from one of the 24.
    """
    turns = []
    for axes in permutations(range(dims)):
        for signs in product((1, -1), repeat=dims):
            turn = np.eye(dims + 1)
            turn[:dims, :dims] = np.eye(dims)[list(axes)] * signs
            if np.linalg.det(turn) > 0:
                turns.append(turn)
    return turns
