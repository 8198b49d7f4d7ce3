# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks drawn on their radiograph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from monai_gu2net.visualize.pictures import DPI, figure_pixels

__all__ = ["PREDICTED_COLOUR", "REFERENCE_COLOUR", "draw_landmarks"]

# Orange and sky blue: apart on grey, and for the colour-blind (Okabe and Ito).
PREDICTED_COLOUR = "#ff9f1a"
REFERENCE_COLOUR = "#56c8ff"

_STRIP = 46  # height of the title in pixels: two lines of text


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
    ground. The darkest and the brightest 0.5 percent of the pixels are drawn black and white.

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
    figure = Figure(figsize=(width / DPI, (height + strip) / DPI), dpi=DPI, facecolor="black")
    axes = figure.add_axes((0, 0, 1, height / (height + strip)))
    axes.set_axis_off()
    low, high = np.percentile(plane, [0.5, 99.5])
    axes.imshow(plane.T, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect="auto")
    axes.set_autoscale_on(False)
    _draw_radii(axes, found, half_axes)
    _draw_marks(axes, found, truth)
    for label, value, point, other in zip(labels, sure, found, truth, strict=True):
        at = point if np.isfinite(point).all() else other
        if np.isfinite(at).all():
            _write(axes, label if np.isnan(value) else f"{label} ({value:.2f})", at)
    if title is not None:
        top = height + strip
        figure.text(6 / width, (top - 6) / top, title, va="top", size=7, color="white", parse_math=False)
        entries = [
            ("+ predicted", PREDICTED_COLOUR, predicted),
            ("● reference", REFERENCE_COLOUR, reference),
            ("○ 90 % radius", PREDICTED_COLOUR, half_axes if np.isfinite(half_axes).all(axis=1).any() else None),
        ]
        for column, (text, colour, given) in enumerate(entries):
            if given is not None:
                figure.text((6 + 100 * column) / width, (height + 6) / top, text, size=6, color=colour)
    return figure_pixels(figure)


def _draw_radii(axes: Axes, found: NDArray[np.float64], half_axes: NDArray[np.float64]) -> None:
    shown = np.isfinite(found).all(axis=1) & np.isfinite(half_axes).all(axis=1)
    if not shown.any():
        return  # matplotlib before 3.11.2 draws a collection without offsets once, at the corner
    width, height = 2 * half_axes[shown].T
    ellipses = EllipseCollection(
        width,
        height,
        np.zeros(len(width)),
        units="xy",
        offsets=found[shown],
        offset_transform=axes.transData,
        facecolors="none",
        edgecolors=PREDICTED_COLOUR,
        linewidths=0.8,
        alpha=0.8,
    )
    axes.add_collection(ellipses, autolim=False)


def _draw_marks(axes: Axes, found: NDArray[np.float64], truth: NDArray[np.float64]) -> None:
    outline = [withStroke(linewidth=2.2, foreground="black")]
    both = np.isfinite(found).all(axis=1) & np.isfinite(truth).all(axis=1)
    joints = np.stack([found[both], truth[both]], axis=1)
    axes.add_collection(
        LineCollection(list(joints), colors="white", linewidths=0.8, path_effects=outline), autolim=False
    )
    crosses, dots = (points[np.isfinite(points).all(axis=1)] for points in (found, truth))
    axes.plot(*crosses.T, "+", color=PREDICTED_COLOUR, ms=7, mew=1.2, path_effects=outline)
    axes.plot(*dots.T, "o", color=REFERENCE_COLOUR, ms=3.6, mec="black", mew=0.4)


def _write(axes: Axes, text: str, at: NDArray[np.float64]) -> None:
    axes.annotate(
        text,
        (at[0], at[1]),
        xytext=(4, 3),
        textcoords="offset points",
        size=6,
        color="white",
        path_effects=[withStroke(linewidth=1.2, foreground="black")],
        annotation_clip=True,
        parse_math=False,
    )


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
    return np.nan_to_num(plane)


def _points(points: ArrayLike | None, what: str) -> NDArray[np.float64]:
    array = np.empty((0, 2)) if points is None else np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"{what} must be (N, 2) points in pixels; got {array.shape}. Put x first, then y.")
    return array
