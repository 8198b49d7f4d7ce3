# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as (H, W, 3) arrays, rows first as files and screens have them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from monai_gu2net.files import whole_file

__all__ = ["DPI", "contact_sheet", "figure_pixels", "save_figure", "save_picture"]

# A power of two: a size in whole pixels divided by it is exact, so no figure loses a pixel to rounding.
DPI = 128

_BACKGROUND = 24


def figure_pixels(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure without a display.

    Args:
        figure: any figure; its size in pixels is its size in inches times its dpi.

    Returns:
        (H, W, 3) red, green, blue.
    """
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes, which everyone can see.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_picture(pixels: NDArray[np.uint8], path: str | os.PathLike[str]) -> Path:
    """Write a PNG file whole or not at all.

    Args:
        pixels: (H, W, 3) red, green, blue.
        path: the file, ending in .png; its folder is made.

    Returns:
        The path.

    Raises:
        ValueError: the path does not end in .png.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"A picture's file must end in .png; got {path.name!r}. Rename it.")
    with whole_file(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", compress_level=1)
    return path


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as a PNG file, whole or not at all; see :func:`save_picture`."""
    return save_picture(figure_pixels(figure), path)


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], *, columns: int, gap: int = 8) -> NDArray[np.uint8]:
    """Pictures side by side on one page, line by line, on dark grey.

    Args:
        pictures: (H, W, 3) arrays of any sizes; each stands at the top left of a cell that fits the largest.
        columns: pictures per line.
        gap: pixels between cells and around them.

    Returns:
        (H, W, 3) page.

    Raises:
        ValueError: there is no picture, or no column.
    """
    if not pictures or columns < 1:
        raise ValueError(
            f"A contact sheet must have pictures and columns; got {len(pictures)} and {columns}. "
            "Leave the page out where there is nothing to show."
        )
    columns = min(columns, len(pictures))
    height = max(picture.shape[0] for picture in pictures) + gap
    width = max(picture.shape[1] for picture in pictures) + gap
    lines = -(-len(pictures) // columns)
    page = np.full((lines * height + gap, columns * width + gap, 3), _BACKGROUND, dtype=np.uint8)
    for position, picture in enumerate(pictures):
        top, left = position // columns * height + gap, position % columns * width + gap
        page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return page
