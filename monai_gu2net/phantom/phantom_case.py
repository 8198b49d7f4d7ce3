# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One phantom radiograph or volume with its landmarks: a pure function of domain, seed and index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monai_gu2net.data.domain import Domain, ReferenceLength
from monai_gu2net.landmarks.anatomical_names import (
    CHEST_LANDMARKS,
    HAND_LANDMARKS,
    HEAD_CT_LANDMARKS,
    HEAD_LANDMARKS,
    SPINE_LANDMARKS,
)
from monai_gu2net.phantom import chest_body, hand_body, head_body, spine_body
from monai_gu2net.phantom.anatomy import Anatomy
from monai_gu2net.phantom.projection import Technique, develop, line_integrals
from monai_gu2net.phantom.scan import Scan, scan
from monai_gu2net.phantom.solids import Floats

__all__ = ["EXAMINATIONS", "Examination", "phantom_case", "phantom_volume"]


@dataclass(frozen=True)
class Examination:
    """How the radiographs of one domain are taken.

    Args:
        domain: the domain; its reference, if it has one, holds for every case and pixels are square, else each case
            gives its spacing.
        draw: makes a random anatomy.
        margins_mm: least and most distance in mm from the outermost landmarks to the image's left, right, top
            and bottom border.
        crops: borders, of `BORDERS`, that sometimes cut off a landmark.
        gamma: display curve around which a case's varies.
    """

    domain: Domain
    draw: Callable[[np.random.Generator], Anatomy]
    margins_mm: tuple[tuple[float, float], ...]
    crops: tuple[str, ...]
    gamma: float


_EXAMINATIONS: tuple[Examination | Scan, ...] = (
    Examination(
        domain=Domain("head", HEAD_LANDMARKS, (112, 128)),
        draw=head_body.draw_head,
        margins_mm=((50, 75), (20, 40), (65, 95), (12, 35)),
        crops=("bottom", "right"),
        gamma=0.85,
    ),
    Examination(
        domain=Domain(
            "hand",
            HAND_LANDMARKS,
            (96, 128),
            reference=ReferenceLength(HAND_LANDMARKS[0], HAND_LANDMARKS[4], hand_body.REFERENCE_MM),
        ),
        draw=hand_body.draw_hand,
        margins_mm=((8, 35), (8, 35), (8, 25), (8, 40)),
        crops=("top",),
        gamma=0.9,
    ),
    Examination(
        domain=Domain("chest", CHEST_LANDMARKS, (128, 128)),
        draw=chest_body.draw_chest,
        margins_mm=((25, 55), (25, 55), (25, 60), (25, 70)),
        crops=("left", "right", "bottom"),
        gamma=1.3,
    ),
    Examination(
        domain=Domain("spine", SPINE_LANDMARKS, (96, 256)),
        draw=spine_body.draw_spine,
        margins_mm=((40, 75), (40, 75), (15, 45), (15, 60)),
        crops=("top", "bottom"),
        gamma=1.1,
    ),
    Scan(
        domain=Domain(
            "head_ct",
            HEAD_CT_LANDMARKS,
            (40, 40, 48),
            target_spacing=(4.0, 4.0, 4.0),
            mirror=tuple(
                (name, name.replace("left", "right")) for name in HEAD_CT_LANDMARKS if name.startswith("left_")
            ),
        ),
        draw=head_body.draw_head,
        margins_mm=(((3, 9), (3, 9)), ((12, 30), (12, 25)), ((10, 20), (20, 35))),
        crops=((1, 1), (2, 0)),
    ),
)
EXAMINATIONS = {examination.domain.name: examination for examination in _EXAMINATIONS}
"""The examinations by name of their domain; a case's seed has the domain's number in it: new ones go to the end."""

BORDERS = ("left", "right", "top", "bottom")
CROPPED_SHARE = 0.1
SHUTTER_SHARE = 0.35


def phantom_case(domain: str, *, seed: int, index: int) -> tuple[npt.NDArray[np.uint8], Floats, tuple[float, float]]:
    """Draw one radiograph.

    Args:
        domain: "head", "hand", "chest" or "spine"; of a volume see :func:`phantom_volume`.
        seed: seed of the whole phantom, at least 0.
        index: number of the case, at least 0; each case has its own random numbers.

    Returns:
        The image (1, X, Y), uint8 with bone bright; the landmarks (N, 2) as x and y in its pixels (whole
        numbers are pixel centres), NaN where the patient lacks one or it lies outside the image; the spacing
        (x, y) in mm.

    Raises:
        ValueError: the domain is unknown, or one of volumes.
    """
    examination, rng = _examination(domain, seed, index)
    if isinstance(examination, Scan):
        raise ValueError(f"Domain {domain!r} must be one of radiographs; it is of volumes. Call phantom_volume.")
    anatomy = examination.draw(rng)
    absent = np.full(2, np.nan)
    points_mm = np.stack([anatomy.landmarks.get(name, absent) for name in examination.domain.landmarks])
    low, high = _field_of_view(points_mm, examination, rng)
    height = int(rng.integers(240, 273))
    spacing_y = float(high[1] - low[1]) / height
    spacing_x = spacing_y if examination.domain.reference else spacing_y * float(rng.uniform(0.97, 1.03))
    width = round(float(high[0] - low[0]) / spacing_x)
    x, y = low[0] + spacing_x * np.arange(width), low[1] + spacing_y * np.arange(height)

    points = (points_mm - low) / (spacing_x, spacing_y)
    points[((points < 0) | (points > (width - 1, height - 1))).any(axis=1)] = np.nan
    shutter = _shutter(points, (width, height), rng) if rng.random() < SHUTTER_SHARE else None
    integrals = line_integrals(anatomy.bodies, x, y)
    image = develop(integrals, rng, technique=Technique.draw(rng, gamma=examination.gamma), shutter=shutter)
    return image[None], points, (spacing_x, spacing_y)


def phantom_volume(domain: str, *, seed: int, index: int) -> tuple[npt.NDArray[np.int16], Floats, Floats]:
    """Draw one volume.

    Args:
        domain: "head_ct".
        seed: seed of the whole phantom, at least 0.
        index: number of the case, at least 0; each case has its own random numbers.

    Returns:
        The volume (1, X, Y, Z) in Hounsfield units; the landmarks (N, 3) in its voxels (whole numbers are centres), NaN
        where the patient lacks one or it lies outside; the affine (4, 4) from voxels to RAS in mm.

    Raises:
        ValueError: the domain is unknown, or one of radiographs.
    """
    examination, rng = _examination(domain, seed, index)
    if isinstance(examination, Examination):
        raise ValueError(f"Domain {domain!r} must be one of volumes; it is of radiographs. Call phantom_case.")
    volume, points, affine = scan(examination, rng)
    return volume[None], points, affine


def _examination(domain: str, seed: int, index: int) -> tuple[Examination | Scan, np.random.Generator]:
    """How a domain's images are taken, and the random numbers of one case."""
    if domain not in EXAMINATIONS:
        raise ValueError(
            f"Phantom domain must be one of {', '.join(EXAMINATIONS)}; got {domain!r}. Choose one of them."
        )
    numbers = np.random.SeedSequence([seed, list(EXAMINATIONS).index(domain), index])
    return EXAMINATIONS[domain], np.random.default_rng(numbers)


def _field_of_view(points_mm: Floats, examination: Examination, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Corner (x, y) of the first pixel's centre and of the last one's, in mm."""
    margins = [rng.uniform(*limits) for limits in examination.margins_mm]
    if rng.random() < CROPPED_SHARE:
        # Past the outermost landmark by 2 to 9 mm.
        margins[BORDERS.index(str(rng.choice(examination.crops)))] = -rng.uniform(2, 9)
    low, high = np.nanmin(points_mm, axis=0), np.nanmax(points_mm, axis=0)
    return low - np.array(margins[0::2]), high + np.array(margins[1::2])


def _shutter(points: Floats, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """(X, Y) share of the beam that passes a collimator, closed at one or two borders, off every landmark."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    opening = [np.ones(size[0]), np.ones(size[1])]
    for border in rng.choice(len(BORDERS), size=rng.integers(1, 3), replace=False):
        axis, is_far = border // 2, border % 2 == 1
        room = float(size[axis] - 1 - high[axis] if is_far else low[axis])
        edge = rng.uniform(0.1, 0.6) * room
        pixels = np.arange(size[axis])
        inside = (size[axis] - 1 - pixels if is_far else pixels) - edge
        opening[axis] = opening[axis] * (0.03 + 0.97 / (1 + np.exp(-np.clip(inside, -50, 50))))
    return np.outer(*opening)
