# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A picture to draw on, in fractions of its pixels."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

__all__ = ["Canvas"]

_MARGIN = 2  # pixels between a text and the edge that it is kept from


class Canvas:
    """Marks and texts on a picture, with smooth edges; what lies outside of it is cut off.

    Places are (x, y) in pixels from the picture's upper left corner: the centre of the first pixel is (0.5, 0.5).

    Args:
        pixels: (H, W, 3) red, green, blue; drawn on in place.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def cross(self, at: ArrayLike, *, length: float, width: float, colour: str) -> None:
        """An upright cross, whose two bars are of that length and width; its place is rounded, to keep them sharp."""
        place, long, thin = np.rint(at), length / 2, width / 2
        (left, top), columns, rows = self._window(place - long, place + long)
        bars = [
            _share(rows, place[1], down)[:, None] * _share(columns, place[0], across)
            for across, down in ((long, thin), (thin, long))
        ]
        self._paint(left, top, np.maximum(*bars), colour)

    def disc(self, at: ArrayLike, *, diameter: float, colour: str) -> None:
        """A filled circle."""
        place, radius = np.asarray(at, dtype=np.float64), diameter / 2
        (left, top), columns, rows = self._window(place - radius, place + radius)
        distance = np.hypot(columns + 0.5 - place[0], (rows + 0.5 - place[1])[:, None])
        self._paint(left, top, np.clip(radius - distance + 0.5, 0, 1), colour)

    def ellipse(self, at: ArrayLike, half_axes: ArrayLike, *, width: float, colour: str, opacity: float = 1.0) -> None:
        """The outline of an upright ellipse; one of less than half a pixel is drawn as of that."""
        place, axes = np.asarray(at, dtype=np.float64), np.maximum(np.asarray(half_axes, dtype=np.float64), 0.5)
        (left, top), columns, rows = self._window(place - axes - width, place + axes + width)
        across, down = (columns + 0.5 - place[0]) / axes[0], ((rows + 0.5 - place[1]) / axes[1])[:, None]
        # to first order the distance from a curve f = 0 is f by the length of its gradient
        slope = 2 * np.hypot(across / axes[0], down / axes[1])
        distance = np.abs(across**2 + down**2 - 1) / np.maximum(slope, 1e-9)
        self._paint(left, top, opacity * np.clip(width / 2 - distance + 0.5, 0, 1), colour)

    def line(self, start: ArrayLike, end: ArrayLike, *, width: float, colour: str) -> None:
        """A straight line with round ends."""
        first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
        along = last - first
        major = int(abs(along[1]) > abs(along[0]))  # the pixels about the line, one row of them for each step along it
        reach = int(np.ceil(width)) + 1
        low, high = sorted((first[major], last[major]))
        steps = np.arange(max(np.floor(low) - reach, 0), min(np.ceil(high) + reach, self.pixels.shape[1 - major])) + 0.5
        slope = along[1 - major] / along[major] if along[major] else 0.0
        middle = first[1 - major] + slope * (np.clip(steps, low, high) - first[major])
        beside = np.floor(middle)[:, None] + np.arange(-reach, reach + 1) + 0.5
        places = np.stack(np.broadcast_arrays(*((steps[:, None], beside)[:: 1 - 2 * major])), axis=-1)
        share = np.clip((places - first) @ along / max(float(along @ along), 1e-9), 0, 1)
        distance = np.linalg.norm(places - first - share[..., None] * along, axis=-1)
        columns, rows = np.moveaxis(np.floor(places).astype(int), -1, 0)
        height, width_of_all = self.pixels.shape[:2]
        inside = (columns >= 0) & (columns < width_of_all) & (rows >= 0) & (rows < height)
        cover = np.clip(width / 2 - distance[inside] + 0.5, 0, 1)
        self.pixels[rows[inside], columns[inside]] = _laid(self.pixels[rows[inside], columns[inside]], cover, colour)

    def text(
        self, text: str, at: ArrayLike, *, size: float, colour: str, outlined: bool = False, kept_inside: bool = False
    ) -> None:
        """A line of text whose base line begins at a place.

        Args:
            text: of any letters; those that the font lacks are boxes.
            at: (x, y), rounded to whole pixels.
            size: of the letters, in pixels.
            colour: of the letters.
            outlined: whether they have a dark edge.
            kept_inside: whether a text that would leave the picture is moved into it, as far as it fits.
        """
        height, width = self.pixels.shape[:2]
        # no letter is narrower than a pixel, and a surrogate, of a file's name in no encoding, has no shape
        shown = " ".join(text.splitlines())[:width].encode(errors="replace").decode()
        font = _font(size)
        left, top, right, bottom = map(int, font.getbbox(shown, anchor="ls"))
        if right <= left or bottom <= top:
            return
        x, y = np.rint(at).astype(int)
        if kept_inside:
            x = max(min(x, width - _MARGIN - right), _MARGIN - left)
            y = max(min(y, height - _MARGIN - bottom), _MARGIN - top)
        image = Image.new("L", (right - left + 2, bottom - top + 2))
        ImageDraw.Draw(image).text((1 - left, 1 - top), shown, 255, font, anchor="ls")
        cover = np.asarray(image, dtype=np.float32) / np.float32(255)
        if outlined:
            self._paint(x + left - 1, y + top - 1, _spread(cover), "black")
        self._paint(x + left - 1, y + top - 1, cover, colour)

    def _window(self, low: ArrayLike, high: ArrayLike) -> tuple[tuple[int, int], NDArray[np.intp], NDArray[np.intp]]:
        """The first column and row of those that a box touches, with a pixel about it, and all of them."""
        ends = np.array(self.pixels.shape[1::-1])
        first = np.clip(np.floor(low) - 1, 0, ends).astype(int).tolist()
        last = np.clip(np.ceil(high) + 1, 0, ends).astype(int).tolist()
        columns, rows = (np.arange(start, end) for start, end in zip(first, last, strict=True))
        return (first[0], first[1]), columns, rows

    def _paint(self, left: int, top: int, cover: NDArray[np.floating[Any]], colour: str) -> None:
        """Lay a colour on pixels from a column and a row on, each as far as it is covered, from 0 to 1."""
        height, width = self.pixels.shape[:2]
        cover = cover[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
        top, left = max(top, 0), max(left, 0)
        part = self.pixels[top : top + cover.shape[0], left : left + cover.shape[1]]
        part[:] = _laid(part, cover, colour)


def _laid(under: NDArray[np.uint8], cover: NDArray[np.floating[Any]], colour: str) -> NDArray[np.float32]:
    """(..., 3) pixels with a colour on them where they are covered, (...)."""
    over = np.array(ImageColor.getrgb(colour), dtype=np.float32)
    return np.rint(under + cover[..., None].astype(np.float32) * (over - under))


def _spread(cover: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is covered, and a pixel about it, where soft edges count more, to be seen on white."""
    height, width = cover.shape
    wide = np.zeros((height + 2, width + 2), dtype=np.float32)
    wide[1:-1, 1:-1] = cover
    across = np.maximum.reduce([wide[:, step : step + width] for step in range(3)])
    return np.minimum(1.6 * np.maximum.reduce([across[step : step + height] for step in range(3)]), 1)


def _share(pixels: NDArray[np.intp], middle: float, half: float) -> NDArray[np.float64]:
    """Of each pixel along an axis, how much lies within a bar."""
    return np.clip(np.minimum(pixels + 1, middle + half) - np.maximum(pixels, middle - half), 0, 1)


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    """The letters that matplotlib brings along, which know more alphabets than those of Pillow."""
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
