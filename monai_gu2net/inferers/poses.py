# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An image that may lie in any pose, seen in the pose that the network knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from monai_gu2net.data.domain import Domain
from monai_gu2net.landmarks import apply_affine
from monai_gu2net.landmarks.shape import Pose, pose_of
from monai_gu2net.transforms.heatmaps import decode_heatmaps
from monai_gu2net.transforms.pose import image_frame, seen_in, shape_frame, shape_size

__all__ = ["logits_in_poses"]

Array = NDArray[np.float64]
Look = Callable[[Tensor, Domain], Tensor]

_FITS = 2.0  # voxels


def logits_in_poses(image: Tensor, look: Look, last_look: Look, domain: Domain) -> Tensor:
    """Logits of an image that is seen in the pose of its domain's mean shape.

    Landmarks are found in the image as it lies and after the turns that bring axes onto axes, until half of them lie
    within two voxels of the shape. The turn after which they fit the shape best gives a pose, and what is found in that
    pose a better one. What is found there is brought back to the grid of the image by linear interpolation, which moves
    a landmark whose heatmap is a Gaussian of 2 voxels by a tenth of a voxel on average.

    Args:
        image: (1, C, *spatial) with voxels of the domain's target spacing.
        look: takes (1, C, *size), of any size, and the domain, whose size is turned as the image, and gives the logits
            (1, N, *size).
        last_look: the same, for the look that counts.
        domain: with a mean shape.

    Returns:
        (1, N, *spatial); the lowest of all logits where the image was not seen. Where too few landmarks are found to
        tell the pose, those of the image as it lies.
    """
    shape, lengths = domain.mean_shape, np.array(domain.target_spacing)
    as_it_lies = MetaTensor(image[0], affine=torch.diag(torch.tensor([*lengths, 1.0]).double()))
    frame, size = image_frame(as_it_lies), image.shape[2:]

    def pose(seen: MetaTensor, turned: Domain) -> Pose | None:
        points, _ = decode_heatmaps(look(seen.as_tensor().unsqueeze(0), turned))
        return pose_of(apply_affine(points[0].cpu(), seen.affine.cpu()), shape)

    best: Pose | None = None
    for turn in _turns(len(size)):
        turned = domain.resized(_turned(domain.size, turn, lengths))
        found = pose(seen_in(as_it_lies, frame @ turn, _turned(size, turn, lengths)), turned)
        if found is not None and (best is None or found.residual < best.residual):
            best = found
        if best is not None and best.residual <= _FITS * lengths.mean():
            break
    if best is None:
        return last_look(image, domain)
    again = pose(seen_in(as_it_lies, shape_frame(best, shape), shape_size(domain)), domain)
    if again is not None and again.residual < best.residual:
        best = again
    seen = seen_in(as_it_lies, shape_frame(best, shape), shape_size(domain))
    logits: Any = MetaTensor(last_look(seen.as_tensor().unsqueeze(0), domain)[0], affine=seen.affine)
    return seen_in(logits, frame, size).as_tensor().unsqueeze(0)


def _turned(size: Sequence[int], turn: Array, lengths: Array) -> tuple[int, ...]:
    """How many voxels of their lengths hold an image after a turn that brings axes onto axes."""
    extent = np.abs(turn[: len(size), : len(size)]).T @ (np.array(size) * lengths)
    return tuple(int(n) for n in np.ceil(extent / lengths - 1e-9))


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
