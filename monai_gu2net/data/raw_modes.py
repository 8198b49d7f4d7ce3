# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""How Pillow unpacks the samples of an open file, which can be changed until they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

__all__ = ["change_raw_modes", "raw_modes"]


def raw_modes(image: Image.Image) -> list[str]:
    """How the samples of an open picture are packed, tile by tile."""
    return [_raw_mode(tile) for tile in _tiles(image)]


def _tiles(image: Image.Image) -> list[Any]:
    tiles: list[Any] = getattr(image, "tile", [])
    return tiles


def _raw_mode(tile: Any) -> str:
    """How a tile's samples are packed: the first of its decoder's arguments, or the only one."""
    return str(tile[3] if isinstance(tile[3], str) else tile[3][0] if tile[3] else "")


def change_raw_modes(image: Image.Image, change: Callable[[str], str]) -> None:
    """Have the samples unpacked in another way, given that so far."""
    changed = []
    for tile in _tiles(image):
        raw = change(_raw_mode(tile))
        arguments = raw if isinstance(tile[3], str) else (raw, *tile[3][1:])
        # a named tuple from Pillow 11 on, a plain one before
        changed.append(tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments))
    image.tile = changed  # type: ignore[attr-defined]
