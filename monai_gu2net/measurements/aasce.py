# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The three angles of a spine that the AASCE challenge scored."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monai_gu2net.landmarks.anatomical_names import SPINE_LANDMARKS
from monai_gu2net.measurements.geometry import angle_between

__all__ = ["AASCE_ANGLES", "AASCE_SOURCE", "aasce_angles"]

AASCE_ANGLES = ("AASCE angle 1", "AASCE angle 2", "AASCE angle 3")
AASCE_SOURCE = (
    "AASCE challenge (Wang et al., Medical Image Analysis 72 (2021) 102115), between middle lines of vertebrae"
)

_ON_THE_LINE = 1e-9  # of the squared length of a spine's chord: rounding


def aasce_angles(corners: ArrayLike, height: float) -> NDArray[np.float64]:
    """The challenge's three angles in degrees, all between the middle lines of two vertebrae.

    A vertebra's middle line joins the middles of its left and of its right side. The first angle is the largest of all
    pairs. Where no middle of an end plate lies across the line from the uppermost to the lowest of them (a spine with
    one bend), the second is from the first vertebra to the upper one of that pair, and the third from the lower one to
    the last. Otherwise the second is the largest angle of the upper one with any above it; the third is the largest of
    the lower one with any below it where the pair lies in the upper half of the image, by the mean of their lower end
    plates, else the largest of the vertebra that gave the second angle with any above that.

    These are not what is read in the clinic, see :class:`~monai_gu2net.measurements.CobbAngle`: they serve to stand
    beside published scores. The last rule depends on how the image was cut.

    Args:
        corners: (68, 2) points x, y in the order of the challenge: tl, tr, bl, br of T1 to L5; in any unit, y downwards
            from the image's upper edge.
        height: of the image in that unit; NaN: unknown.

    Returns:
        (3,). All are NaN where any corner is, or a vertebra has no width; the third where it depends on a height that
        is not known.

    Raises:
        ValueError: there are not 68 points.

    Source: Wang et al., Medical Image Analysis 72 (2021) 102115. The rules are those of the organizers' program, which
    took a spine whose ends lie exactly above each other for one with two bends; here its bends decide. A translation
    into Python that many use differs in the half of the image (by the upper end plates) and cuts angles at 90 degrees.
    """
    points = np.asarray(corners, dtype=np.float64)
    if points.shape != (len(SPINE_LANDMARKS), 2):
        raise ValueError(f"corners must be 68 points x, y; got shape {points.shape}. Give the four of T1 to L5.")
    plates = points.reshape(-1, 2, 2).mean(axis=1)  # (34, 2) middles, upper and lower of each vertebra
    sides = points.reshape(-1, 2, 2, 2).mean(axis=1)  # (17, left and right, 2)
    lines = sides[:, 1] - sides[:, 0]
    angles = angle_between(lines[:, None], lines[None])
    if np.isnan(angles).any():
        return np.full(3, np.nan)
    upper, lower = np.unravel_index(np.argmax(angles), angles.shape)
    above = angles[upper, : upper + 1]
    if not _bends_twice(plates):
        second, third = above[0], angles[lower, -1]
    else:
        second = above.max()
        beside = np.argmax(above)
        middles = plates[2 * upper + 1, 1] + plates[2 * lower + 1, 1]
        if np.isnan(height):
            third = np.float64(np.nan)
        else:
            third = angles[lower, lower:].max() if middles < height else angles[beside, : beside + 1].max()
    return np.array([angles[upper, lower], second, third])


def _bends_twice(plates: NDArray[np.float64]) -> bool:
    """Whether middles of end plates lie on both sides of the line from the first to the last.

    As in the challenge without the upper end plate of the lowest vertebra.
    """
    ways, chord = plates[:-2] - plates[-1], plates[0] - plates[-1]
    across = ways[:, 0] * chord[1] - ways[:, 1] * chord[0]
    least = _ON_THE_LINE * float(chord @ chord)
    return bool(across.min() < -least and across.max() > least)
