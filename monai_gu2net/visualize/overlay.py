# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks drawn on their radiograph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from monai_gu2net.visualize.canvas import Canvas
from monai_gu2net.visualize.marks import (
    BESIDE,
    LINE,
    PREDICTED_COLOUR,
    SMALL,
    STRIP,
    checked_landmarks,
    draw_marks,
    grey,
    places,
    title_strip,
    window_of,
)

__all__ = ["draw_landmarks"]


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
    given = checked_landmarks(predicted, reference, names, confidence, radius, dims=2)

    scale = longest_side / max(plane.shape)
    width, height = (max(1, round(side * scale)) for side in plane.shape)
    strip = 0 if title is None else STRIP
    pixels = np.zeros((strip + height, width, 3), dtype=np.uint8)
    picture = Canvas(pixels[strip:])  # a part of the same memory, so that no mark reaches into the title
    picture.pixels[:] = grey(plane, (width, height), window_of(plane))

    stretch = np.array([width, height]) / plane.shape
    crosses, dots = (places((points + 0.5) * stretch) for points in (given.predicted, given.reference))
    radii = places(given.radius * stretch)
    for cross, half in zip(crosses, radii, strict=True):
        if cross is not None and half is not None:
            picture.ellipse(cross, half, width=LINE, colour=PREDICTED_COLOUR, opacity=0.8)
    draw_marks(picture, crosses, dots)
    for text, cross, dot in zip(given.texts, crosses, dots, strict=True):
        at = dot if cross is None else cross
        if at is not None and 0 <= at[0] < width and 0 <= at[1] < height:
            picture.text(text, at + BESIDE, size=SMALL, colour="white", outlined=True, kept_inside=True)
    if title is not None:
        has = (predicted is not None, reference is not None, any(half is not None for half in radii))
        title_strip(pixels[:strip], title, predicted=has[0], reference=has[1], radius=has[2])
    return pixels


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
