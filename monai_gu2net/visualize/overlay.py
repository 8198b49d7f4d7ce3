# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks drawn on their radiograph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from monai_gu2net.visualize.canvas import Canvas

__all__ = ["PREDICTED_COLOUR", "REFERENCE_COLOUR", "draw_landmarks"]

# Orange and sky blue: apart on grey, and for the colour-blind (Okabe and Ito).
PREDICTED_COLOUR = "#ff9f1a"
REFERENCE_COLOUR = "#56c8ff"

# in pixels of the picture
_STRIP = 46  # height of the title: two lines of text
_LARGE, _SMALL = 12.5, 10.5  # letters
_CROSS, _BAR, _DOT, _LINE = 12.0, 2.0, 6.4, 1.7
_OUTLINE, _EDGE = 1.0, 0.7  # of crosses and lines, and of dots
_BESIDE = (7, -5)  # where the text begins, from its mark

_SAMPLED = 512  # pixels of each axis tell what is dark and what is bright

Place = NDArray[np.float64]


def draw_landmarks(
    image: NDArray[np.generic] | torch.Tensor,
    *,
    predicted: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    confidence: ArrayLike | None = None,
    radius: ArrayLike | None = None,
    title: str | None = None,
    longest_side: int = 1024,
) -> NDArray[np.uint8]:
    """A radiograph with predicted landmarks as orange crosses and reference landmarks as blue dots.

    A line joins the two of one landmark. Marks and letters have dark outlines, to be seen on bright and dark
    ground. A text that would leave the picture is moved into it. The darkest and the brightest 0.5 percent of the
    pixels, of a large image those of every so many of its lines, are drawn black and white.

    Args:
        image: (1, W, H) or (W, H), width first, any scale of grey.
        predicted: (N, 2) points in pixels of the image, x first; a row that is not finite draws nothing.
        reference: (N, 2), likewise.
        names: N texts to stand beside the landmarks; by default their numbers from 1.
        confidence: (N,) numbers from 0 to 1, written after the name; NaN: none.
        radius: (N, 2) half axes in pixels of the image, x first, of an ellipse about each predicted landmark, which
            is a circle on square pixels; NaN: none. They are those within which 90 percent of the landmarks lie.
        title: a line above the picture, with a legend below it; by default the picture is the image alone.
        longest_side: pixels of the picture's longer side, title apart.

    Returns:
        (H', W', 3) red, green, blue. Without a title, the point (x, y) of the image lies in column
        (x + 0.5) W' / W and row (y + 0.5) H' / H.

    Raises:
        ValueError: the image is not one grey plane, or the numbers of points, names and confidences differ.
    """
    plane = _plane(image)
    found, truth = _points(predicted, "predicted"), _points(reference, "reference")
    count = max(len(found), len(truth))
    # One that is not given at all is absent everywhere.
    found = np.full((count, 2), np.nan) if predicted is None else found
    truth = np.full((count, 2), np.nan) if reference is None else truth
    labels = [str(number + 1) for number in range(count)] if names is None else list(names)
    half_axes = np.full((count, 2), np.nan) if radius is None else _points(radius, "radius")
    sure = np.full(count, np.nan) if confidence is None else np.asarray(confidence, dtype=np.float64)
    counts = [len(given) for given in (found, truth, labels, sure, half_axes)]
    if len(set(counts)) != 1:
        raise ValueError(
            "predicted, reference, names, confidence and radius must be of the same landmarks; got "
            f"{counts} of each. Give NaN rows for absent landmarks."
        )

    scale = longest_side / max(plane.shape)
    width, height = (max(1, round(side * scale)) for side in plane.shape)
    strip = 0 if title is None else _STRIP
    pixels = np.zeros((strip + height, width, 3), dtype=np.uint8)
    picture = Canvas(pixels[strip:])  # a part of the same memory, so that no mark reaches into the title
    picture.pixels[:] = _grey(plane, (width, height))

    stretch = np.array([width, height]) / plane.shape
    crosses, dots = (_shown((points + 0.5) * stretch) for points in (found, truth))
    radii = _shown(half_axes * stretch)
    for cross, half in zip(crosses, radii, strict=True):
        if cross is not None and half is not None:
            picture.ellipse(cross, half, width=_LINE, colour=PREDICTED_COLOUR, opacity=0.8)
    _draw_marks(picture, crosses, dots)
    for label, value, cross, dot in zip(labels, sure, crosses, dots, strict=True):
        at = dot if cross is None else cross
        if at is not None and 0 <= at[0] < width and 0 <= at[1] < height:
            text = label if np.isnan(value) else f"{label} ({value:.2f})"
            picture.text(text, at + _BESIDE, size=_SMALL, colour="white", outlined=True, kept_inside=True)
    if title is not None:
        entries = [
            ("+ predicted", PREDICTED_COLOUR, predicted is not None),
            ("● reference", REFERENCE_COLOUR, reference is not None),
            ("○ 90 % radius", PREDICTED_COLOUR, any(half is not None for half in radii)),
        ]
        above = Canvas(pixels[:strip])
        above.text(title, (6, 18), size=_LARGE, colour="white")
        for column, (text, colour, given) in enumerate(entries):
            if given:
                above.text(text, (6 + 100 * column, strip - 6), size=_SMALL, colour=colour)
    return pixels


def _draw_marks(picture: Canvas, crosses: Sequence[Place | None], dots: Sequence[Place | None]) -> None:
    both = [(cross, dot) for cross, dot in zip(crosses, dots, strict=True) if cross is not None and dot is not None]
    for cross, dot in both:
        for width, colour in ((_LINE + 2 * _OUTLINE, "black"), (_LINE, "white")):
            picture.line(cross, dot, width=width, colour=colour)
    for place in (cross for cross in crosses if cross is not None):
        picture.cross(place, length=_CROSS + 2 * _OUTLINE, width=_BAR + 2 * _OUTLINE, colour="black")
        picture.cross(place, length=_CROSS, width=_BAR, colour=PREDICTED_COLOUR)
    for place in (dot for dot in dots if dot is not None):
        picture.disc(place, diameter=_DOT + 2 * _EDGE, colour="black")
        picture.disc(place, diameter=_DOT, colour=REFERENCE_COLOUR)


def _shown(places: NDArray[np.float64]) -> list[Place | None]:
    """The rows that are there; None for the others."""
    return [place if np.isfinite(place).all() else None for place in places]


def _grey(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H', W', 3) the plane, (W, H), as a picture of a size (W', H')."""
    sample = plane[tuple(slice(None, None, -(-side // _SAMPLED)) for side in plane.shape)]
    low, high = np.percentile(sample, [0.5, 99.5]).tolist()
    shades = np.clip((plane.T - low) * (255 / max(high - low, 1e-6)) + 0.5, 0, 255).astype(np.uint8)
    # what is enlarged much shows its pixels as they are
    sampling = Image.Resampling.NEAREST if size[0] > 3 * plane.shape[0] else Image.Resampling.HAMMING
    return np.asarray(Image.fromarray(shades).resize(size, sampling).convert("RGB"))


def _plane(image: NDArray[np.generic] | torch.Tensor) -> NDArray[np.float32]:
    """The image as (W, H) float32, finite everywhere."""
    if isinstance(image, torch.Tensor):
        image = image.detach().as_subclass(torch.Tensor).float().numpy(force=True)
    plane = np.asarray(image, dtype=np.float32)
    if plane.ndim == 3 and plane.shape[0] == 1:
        plane = plane[0]
    if plane.ndim != 2 or not plane.size:
        raise ValueError(
            f"The image must be (1, W, H) or (W, H); got {plane.shape}. Choose one channel, or one slice of a volume."
        )
    return plane if np.isfinite(plane).all() else np.nan_to_num(plane)


def _points(points: ArrayLike | None, what: str) -> NDArray[np.float64]:
    array = np.empty((0, 2)) if points is None else np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{what} must be (N, 2) points in pixels; got {array.shape}. Put x first, then y.")
    return array
