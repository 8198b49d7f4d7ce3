# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the names of landmarks stand beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["text_boxes"]

_HEIGHT = 0.02  # of a line of text, as a share of the image's longer side
_LETTER = 0.6  # width of a letter as a share of the line's height
_GAP = 0.5  # between a point and its name, likewise
# Where a box is tried, in turn: its place in widths and heights of itself from where its corner would touch the point.
_PLACES = (
    (0, -0.5),
    (-1, -0.5),
    (0, -1),
    (0, 0),
    (-1, -1),
    (-1, 0),
    (-0.5, -1),
    (-0.5, 0),
    (0, -2),
    (0, 1),
    (-1, -2),
    (-1, 1),
)


def text_boxes(points: np.ndarray, names: Sequence[str], size: tuple[int, int]) -> np.ndarray:
    """Boxes for the names of points, beside them and in the image.

    A box covers no point and no other box as long as there is room; it covers that of its own name only where the image
    is smaller than the name.

    Args:
        points: (N, 2) from the image's top left corner, in pixels.
        names: N texts of one line.
        size: (width, height) of the image.

    Returns:
        (N, 4) left, top, right and bottom, in pixels.

    Example:
        >>> text_boxes(np.array([[50.0, 60.0]]), ["nasion"], (100, 200)).tolist()
        [[52.0, 58.0, 66.4, 62.0]]
    """
    limits = np.array(size, dtype=float)
    height = _HEIGHT * limits.max()
    boxes = np.empty((len(points), 4))
    for row, (point, name) in enumerate(zip(np.asarray(points, dtype=float), names, strict=True)):
        extent = np.minimum([_LETTER * height * len(name), height], limits)
        tried = np.array([_beside(point, extent, place, limits, _GAP * height) for place in _PLACES])
        own = _holds(tried, point[None])[:, 0]
        others = np.delete(points, row, axis=0)
        faults = 1000.0 * own + _holds(tried, others).sum(axis=1) + _meets(tried, boxes[:row]).sum(axis=1)
        boxes[row] = tried[int(np.argmin(faults))]
    return boxes


def _beside(
    point: np.ndarray, extent: np.ndarray, place: tuple[float, float], limits: np.ndarray, gap: float
) -> np.ndarray:
    """A box at a place, moved into the image."""
    towards = np.sign(np.array(place) + 0.5)  # where its middle lies from the point
    start = np.clip(point + extent * place + gap * towards, 0, limits - extent)
    return np.concatenate([start, start + extent])


def _holds(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(B, N) whether a box covers a point."""
    return np.all((boxes[:, None, :2] < points[None]) & (points[None] < boxes[:, None, 2:]), axis=2)


def _meets(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(B, N) whether a box covers part of another one."""
    return np.all((boxes[:, None, :2] < others[None, :, 2:]) & (others[None, :, :2] < boxes[:, None, 2:]), axis=2)
