# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radiographs kept as ordinary pictures: PNG, JPEG, BMP, TIFF."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from monai_gu2net.dicom import Limits

__all__ = ["PICTURES", "picture_size", "read_picture"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_GREY = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L"}
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # EXIF 2.32, 4.6.4: width and height change places


def read_picture(path: Path, *, limits: Limits) -> np.ndarray:
    """One grey channel, width first, upright as a viewer shows it.

    The EXIF rotation is applied, 16 bits of grey are kept, colour is turned to luminance (ITU-R 601-2), transparency is
    laid on black. Resolution tags (dpi) are not physical spacing of the patient and are not used.

    Args:
        path: the file.
        limits: of its width times height; the size of the file is the caller's to check.

    Returns:
        (W, H) float32.

    Raises:
        ValueError: the file holds several pictures or too many pixels; the message names it.
        OSError, SyntaxError, ValueError: from Pillow, for what is no whole picture.
    """
    with _opened(path, limits) as image:
        frames = getattr(image, "n_frames", 1)
        if frames != 1:
            raise ValueError(f"{path.name} must hold one picture; got {frames}. Save one of them.")
        image.load()
        upright = ImageOps.exif_transpose(image)
    has_transparency = upright.mode in ("L", "P", "RGB") and "transparency" in upright.info
    if upright.mode in ("RGBA", "LA", "PA") or has_transparency:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    if upright.mode not in _GREY:
        upright = upright.convert("L")
    return np.ascontiguousarray(np.asarray(upright, dtype=np.float32).T)


def picture_size(path: Path, *, limits: Limits) -> tuple[int, int]:
    """(width, height) of the upright picture, from the file's header; raises as :func:`read_picture`."""
    with _opened(path, limits) as image:
        width, height = image.size
        return (height, width) if image.getexif().get(_ORIENTATION) in _QUARTER_TURNS else (width, height)


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[Image.Image]:
    """The open file, its pixels not decoded yet and no more than the limit."""
    with warnings.catch_warnings():
        # Pillow has a limit of its own, which it warns of; this package's is checked below.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            opened = Image.open(path)
        except Image.DecompressionBombError as error:
            raise _too_large(path, "more than twice what Pillow decodes", limits) from error
        with opened as image:
            width, height = image.size
            if width * height > limits.pixels:
                raise _too_large(path, f"{width} x {height}", limits)
            yield image


def _too_large(path: Path, pixels: str, limits: Limits) -> ValueError:
    return ValueError(
        f"{path.name} must have at most {limits.pixels:,} pixels; got {pixels}. Export it smaller, or raise the limits."
    )
