# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How Pillow unpacks the samples of an open file, which can be changed until they are loaded.

That serves several channels of 16 bits, of which Pillow (10.1 to 13) keeps 8: they are read as high bytes and as low
ones. Pillow unpacks the pixels as the file's tiles say, "RGB;16B" and "RGB;16L" being the first and the second byte of
each sample: a picture that is opened twice, once with the other of the two, gives both. Grey with alpha has no second
of the kind; four bytes a pixel, it passes for RGBA of 8 bits.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

__all__ = [
    "change_raw_modes",
    "grey_alpha_as_rgba",
    "grey_on_black",
    "is_deep",
    "is_premultiplied",
    "keep_premultiplied",
    "on_black",
    "raw_modes",
    "take_low_bytes",
]

_HIGHEST = np.float32(2**16 - 1)
_OTHER_BYTE = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_GREY_ALPHA_16, _RGBA_8 = bytes((16, 4)), bytes((8, 6))  # PNG 1.2, 4.1.1: depth and colour type


def grey_alpha_as_rgba(data: bytes) -> bytes | None:
    """A PNG of 16-bit grey and alpha as one of 8-bit RGBA, whose channels are the high and low bytes of both.

    Returns:
        The bytes, with another header; None where the file is of another kind.
    """
    if data[12:16] != b"IHDR" or data[24:26] != _GREY_ALPHA_16:
        return None
    header = data[12:24] + _RGBA_8 + data[26:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def grey_on_black(rgba: np.ndarray) -> np.ndarray:
    """(H, W) grey laid on black by its alpha, of (H, W, 4) bytes as :func:`grey_alpha_as_rgba` has them."""
    grey, alpha = (_joined(rgba[..., at], rgba[..., at + 1]) for at in (0, 2))
    return grey * (alpha / _HIGHEST)


def is_deep(image: Image.Image) -> bool:
    """Whether an open picture has several channels of 16 bits."""
    return any(raw.startswith("RGB") and ";16" in raw for raw in raw_modes(image))


def is_premultiplied(image: Image.Image) -> bool:
    """Whether alpha is multiplied into the colours of an open picture already."""
    return any(raw.startswith("RGBa") for raw in raw_modes(image))


def keep_premultiplied(image: Image.Image) -> None:
    """Have colours that alpha is multiplied into loaded as they are."""
    change_raw_modes(image, lambda raw: raw.replace("RGBa", "RGBA"))


def take_low_bytes(image: Image.Image) -> None:
    """Have the low bytes of an open picture's channels loaded instead of the high ones."""
    change_raw_modes(image, lambda raw: raw[:-1] + _OTHER_BYTE[raw[-1]])


def on_black(
    high: np.ndarray, low: np.ndarray, *, premultiplied: bool, clear: tuple[int, int, int] | None
) -> np.ndarray:
    """(H, W, 3) colour of 16 bits laid on black.

    Args:
        high: (H, W, 3 or 4) high bytes of colour and alpha.
        low: (H, W, 3 or 4) low bytes.
        premultiplied: whether the colour is laid on black already.
        clear: the colour that stands for transparent.
    """
    samples = _joined(high, low)
    colour = samples[..., :3]
    if clear is not None:
        return np.where((colour == clear).all(axis=-1, keepdims=True), 0, colour)
    return colour if samples.shape[-1] == 3 or premultiplied else colour * (samples[..., 3:] / _HIGHEST)


def _joined(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    return (high.astype(np.uint16) << 8) | low


def raw_modes(image: Image.Image) -> list[str]:
    """How the samples of an open picture are packed, tile by tile."""
    return [_raw_mode(tile) for tile in getattr(image, "tile", [])]


def _raw_mode(tile: Any) -> str:
    """How a tile's samples are packed: the first of its decoder's arguments, or the only one."""
    return str(tile[3] if isinstance(tile[3], str) else tile[3][0] if tile[3] else "")


def change_raw_modes(image: Image.Image, change: Callable[[str], str]) -> None:
    """Have the samples unpacked in another way, given that so far."""
    changed = []
    for tile in getattr(image, "tile", []):
        raw = change(_raw_mode(tile))
        arguments = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
        # a named tuple from Pillow 11 on, a plain one before
        changed.append(tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments))
    image.tile = changed  # type: ignore[attr-defined]
