# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What pictures of landmarks have in common: marks, shades of grey, a title with a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from monai_gu2net.visualize.canvas import Canvas

__all__ = [
    "BESIDE",
    "LARGE",
    "LINE",
    "PREDICTED_COLOUR",
    "REFERENCE_COLOUR",
    "SMALL",
    "STRIP",
    "DrawnLandmarks",
    "Place",
    "checked_landmarks",
    "draw_marks",
    "grey",
    "places",
    "shades",
    "title_strip",
    "window_of",
]

# Orange and sky blue: apart on grey, and for the colour-blind (Okabe and Ito).
PREDICTED_COLOUR = "#ff9f1a"
REFERENCE_COLOUR = "#56c8ff"

# in pixels of the picture
STRIP = 46  # height of the title: two lines of text
LARGE, SMALL = 12.5, 10.5  # letters
LINE = 1.7
BESIDE = (7, -5)  # where a text begins, from its mark
_CROSS, _BAR, _DOT = 12.0, 2.0, 6.4
_OUTLINE, _EDGE = 1.0, 0.7  # of crosses and lines, and of dots

_SAMPLED = 512  # pixels of each axis of a picture tell what is dark and what is bright

Place = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DrawnLandmarks:
    """What is to be drawn of N landmarks of an image of D axes.

    Args:
        predicted, reference: (N, D) points in pixels of the image; NaN rows are absent.
        names: N texts.
        confidence: (N,) numbers; NaN: none.
        radius: (N, D) half axes in pixels of the image; NaN rows: none.
    """

    predicted: NDArray[np.float64]
    reference: NDArray[np.float64]
    names: list[str]
    confidence: NDArray[np.float64]
    radius: NDArray[np.float64]

    @property
    def texts(self) -> list[str]:
        """The names, with the confidence where there is one."""
        both = zip(self.names, self.confidence, strict=True)
        return [name if np.isnan(value) else f"{name} ({value:.2f})" for name, value in both]


def checked_landmarks(
    predicted: ArrayLike | None,
    reference: ArrayLike | None,
    names: Sequence[str] | None,
    confidence: ArrayLike | None,
    radius: ArrayLike | None,
    *,
    dims: int,
) -> DrawnLandmarks:
    """Landmarks of which some or all is given; without names they have numbers from 1.

    Raises:
        ValueError: the points have not D coordinates, or what is given is of different numbers of landmarks.
    """
    count = max(
        len(_points(points, what, dims)) for points, what in ((predicted, "predicted"), (reference, "reference"))
    )
    # One that is not given at all is absent everywhere.
    found, truth, half_axes = (
        np.full((count, dims), np.nan) if points is None else _points(points, what, dims)
        for points, what in ((predicted, "predicted"), (reference, "reference"), (radius, "radius"))
    )
    labels = [str(number + 1) for number in range(count)] if names is None else list(names)
    sure = np.full(count, np.nan) if confidence is None else np.asarray(confidence, dtype=np.float64)
    counts = [len(given) for given in (found, truth, labels, sure, half_axes)]
    if len(set(counts)) != 1:
        raise ValueError(
            "predicted, reference, names, confidence and radius must be of the same landmarks; got "
            f"{counts} of each. Give NaN rows for absent landmarks."
        )
    return DrawnLandmarks(found, truth, labels, sure, half_axes)


def draw_marks(picture: Canvas, crosses: Sequence[Place | None], dots: Sequence[Place | None]) -> None:
    """Predicted landmarks as crosses, reference landmarks as dots, and a line between the two of one landmark."""
    both = [(cross, dot) for cross, dot in zip(crosses, dots, strict=True) if cross is not None and dot is not None]
    for cross, dot in both:
        for width, colour in ((LINE + 2 * _OUTLINE, "black"), (LINE, "white")):
            picture.line(cross, dot, width=width, colour=colour)
    for place in (cross for cross in crosses if cross is not None):
        picture.cross(place, length=_CROSS + 2 * _OUTLINE, width=_BAR + 2 * _OUTLINE, colour="black")
        picture.cross(place, length=_CROSS, width=_BAR, colour=PREDICTED_COLOUR)
    for place in (dot for dot in dots if dot is not None):
        picture.disc(place, diameter=_DOT + 2 * _EDGE, colour="black")
        picture.disc(place, diameter=_DOT, colour=REFERENCE_COLOUR)


def places(rows: NDArray[np.float64]) -> list[Place | None]:
    """The rows that are there; None for the others."""
    return [row if np.isfinite(row).all() else None for row in rows]


def title_strip(
    pixels: NDArray[np.uint8], title: str, *, predicted: bool, reference: bool, radius: bool, note: str = ""
) -> None:
    """Write a title, and below it what the marks are and a note, on (STRIP, W, 3) pixels."""
    above = Canvas(pixels)
    above.text(title, (6, 18), size=LARGE, colour="white")
    entries = [
        ("+ predicted", PREDICTED_COLOUR, predicted),
        ("● reference", REFERENCE_COLOUR, reference),
        ("○ 90 % radius", PREDICTED_COLOUR, radius),
        (note, "white", bool(note)),
    ]
    for column, (text, colour, given) in enumerate(entries):
        if given:
            above.text(text, (6 + 100 * column, len(pixels) - 6), size=SMALL, colour=colour)


def window_of(values: NDArray[np.float32], *, sampled: int = _SAMPLED) -> tuple[float, float]:
    """What is drawn black and what white: the darkest and the brightest 0.5 percent.

    Args:
        values: of any axes; of large ones every so many lines are looked at.
        sampled: lines of an axis that are enough.
    """
    sample = values[tuple(slice(None, None, -(-side // sampled)) for side in values.shape)]
    low, high = np.percentile(sample, [0.5, 99.5]).tolist()
    return low, high


def shades(values: NDArray[np.float32], window: tuple[float, float]) -> NDArray[np.uint8]:
    """Values as 0 to 255, from one end of the window to the other."""
    low, high = window
    return np.clip((values - low) * (255 / max(high - low, 1e-6)) + 0.5, 0, 255).astype(np.uint8)


def grey(plane: NDArray[np.float32], size: tuple[int, int], window: tuple[float, float]) -> NDArray[np.uint8]:
    """(H', W', 3) the plane, (W, H), as a picture of a size (W', H')."""
    # what is enlarged much shows its pixels as they are
    sampling = Image.Resampling.NEAREST if size[0] > 3 * plane.shape[0] else Image.Resampling.HAMMING
    return np.asarray(Image.fromarray(shades(plane.T, window)).resize(size, sampling).convert("RGB"))


def _points(points: ArrayLike | None, what: str, dims: int) -> NDArray[np.float64]:
    array = np.empty((0, dims)) if points is None else np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != dims:
        order = "Put x first, then y" + ", then z" * (dims == 3)
        raise ValueError(f"{what} must be (N, {dims}) points in pixels; got {array.shape}. {order}.")
    return array
