# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The pose in which a network sees an image best, where images lie in any pose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.landmarks.shape import Pose, pose_of
from monai_gu2net.transforms.pose import image_frame, seen_in, shape_frame

__all__ = ["in_best_pose"]

Array = NDArray[np.float64]

_LOOKS = 2  # in the pose of the shape, of which the last is the one that counts


def in_best_pose(
    sample: Mapping[Any, Any], shape: Any, size: tuple[int, ...], find: Callable[[Mapping[Any, Any]], Array]
) -> dict[Any, Any]:
    """A sample whose image is seen in the pose of its domain's mean shape.

    Landmarks are found in the image as it lies and after turns that bring each direction of its axes up. The turn after
    which they fit the shape best gives a pose, and what is found in that pose a better one.

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
    poses = []
    for turn in _turns(image.ndim - 1):
        turned = {**sample, "image": seen_in(image, frame @ turn, image.shape[1:])}
        poses.append(pose_of(find(turned), shape))
    fitting = [pose for pose in poses if pose is not None]
    if not fitting:
        return {**sample, "orientation": "too few landmarks were found to tell the pose"}
    best: Pose = min(fitting, key=lambda pose: pose.residual)
    for look in range(_LOOKS):
        posed = {**sample, "image": seen_in(image, shape_frame(best, shape), size)}
        if look < _LOOKS - 1:
            best = pose_of(find(posed), shape) or best
    angle = np.degrees(np.arccos(np.clip((np.trace(best.rotation) - (1 if image.ndim == 4 else 0)) / 2, -1, 1)))
    return posed | {
        "orientation": f"turned by {angle:.0f} degrees to the pose of the mean shape; half of the landmarks lie within "
        f"{best.residual:.2g} mm of it"
    }


def _turns(dims: int) -> list[Array]:
    """(D+1, D+1) none, and by right angles so that each direction of an axis is up once."""
    angles = [(0, 1, quarter) for quarter in range(4)]
    if dims == 3:
        angles += [(0, 2, 1), (0, 2, 3)]
    turns = []
    for first, second, quarters in angles:
        turn = np.eye(dims + 1)
        cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
        turn[first, first] = turn[second, second] = cos
        turn[first, second], turn[second, first] = -sin, sin
        turns.append(turn)
    return turns
