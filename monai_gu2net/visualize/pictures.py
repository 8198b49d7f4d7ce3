# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as (H, W, 3) arrays, rows first as files and screens have them."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monai_gu2net.files import write_bytes_whole

__all__ = ["DPI", "contact_sheet", "figure_pixels", "save_figure", "save_picture"]

# A power of two: a size in whole pixels divided by it is exact, so no figure loses a pixel to rounding.
DPI = 128

_BACKGROUND = 24
_TRUECOLOUR, _UP = 2, 2  # PNG's numbers for them


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
        ValueError: the path does not end in .png, or these are no such pixels.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"A picture's file must end in .png; got {path.name!r}. Rename it.")
    return write_bytes_whole(path, _png(pixels))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """The content of a PNG file.

    Pillow tries five filters on every line, which takes as long again as compressing: here each line is its difference
    from the one above, which is the best of them for most radiographs.

    Source: PNG, third edition, 11.2 (chunks) and 9.2 (filters).
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(
            f"A picture must be (H, W, 3) of 8 bits; got {pixels.shape} of {pixels.dtype}. Convert it first."
        )
    height, width = pixels.shape[:2]
    lines = pixels.reshape(height, -1)
    filtered = np.empty((height, 1 + lines.shape[1]), dtype=np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])  # modulo 256
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _TRUECOLOUR, 0, 0, 0)),
        (b"IDAT", zlib.compress(filtered.data, level=2)),
        (b"IEND", b""),
    )
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
        for kind, data in chunks
    ]
    return b"".join((b"\x89PNG\r\n\x1a\n", *parts))


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
