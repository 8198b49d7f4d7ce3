# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""TIFF and PNG files written by the letter of their specifications, for tests: what Pillow cannot write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["COMPRESSIONS", "STORED", "chunk", "exif", "png", "tiff"]

# TIFF 6.0, page 36: which sides of the picture the 0th row and column are; stored[row, column] of an upright array
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}
_SHORT, _LONG = 3, 4


def _packbits(data: bytes) -> bytes:
    """Literal runs alone."""
    parts = [data[at : at + 128] for at in range(0, len(data), 128)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def _lzw(data: bytes) -> bytes:
    """Codes of 9 bits, with the table cleared before they grow."""
    codes: list[int] = []
    for at in range(0, len(data), 200):
        codes += [256, *data[at : at + 200]]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


COMPRESSIONS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (1, bytes),
    "lzw": (5, _lzw),
    "deflate": (8, zlib.compress),
    "packbits": (32773, _packbits),
}


def _packed(rows: np.ndarray, bits: int, order: str) -> bytes:
    """Rows of samples, each row ending at a whole byte."""
    if bits >= 8 and bits % 8 == 0:
        return rows.astype(rows.dtype.newbyteorder(order)).tobytes()
    each = (rows[..., None].astype(np.int64) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(each.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def tiff(
    pages: Sequence[tuple[np.ndarray, dict[int, int | Sequence[int]]]],
    *,
    bits: int,
    order: str = "<",
    compression: str = "none",
    tile: int | None = None,
    big: bool = False,
) -> bytes:
    """A TIFF of pages, each (H, W[, C]) samples as stored and further tags; two strips a page, or tiles.

    With PlanarConfiguration (284) 2 among the tags the channels are stored one after the other.
    """
    code, compress = COMPRESSIONS[compression]
    data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42))
    data += struct.pack(order + "HHQ", 8, 0, 0) if big else bytes(4)
    link = len(data) - (8 if big else 4)
    for stored, more in pages:
        samples = stored.reshape(*stored.shape[:2], -1)
        height, width, channels = samples.shape
        planes = np.moveaxis(samples, 2, 0)[..., None] if more.get(284) == 2 else samples[None]
        rows = (height + 1) // 2
        blocks = [
            _block(plane, top, left, tile) if tile else plane[top : top + rows]
            for plane in planes
            for top in range(0, height, tile or rows)
            for left in range(0, width, tile or width)
        ]
        parts = [compress(_packed(block, bits, order)) for block in blocks]
        offsets = []
        for part in parts:
            data += bytes(len(data) % 2)
            offsets.append(len(data))
            data += part
        tags: dict[int, int | Sequence[int]] = {
            **{256: width, 257: height, 258: [bits] * channels, 259: code, 277: channels},
            **({322: tile, 323: tile, 324: offsets, 325: [len(part) for part in parts]} if tile else {}),
            **({} if tile else {273: offsets, 278: rows, 279: [len(part) for part in parts]}),
            **more,
        }
        _append_directory(data, link, tags, order, big)
        link = len(data) - (8 if big else 4)
    return bytes(data)


def _block(plane: np.ndarray, top: int, left: int, tile: int) -> np.ndarray:
    block = np.zeros((tile, tile, plane.shape[2]), plane.dtype)
    part = plane[top : top + tile, left : left + tile]
    block[: part.shape[0], : part.shape[1]] = part
    return block


def _append_directory(data: bytearray, link: int, tags: dict[int, int | Sequence[int]], order: str, big: bool) -> None:
    pointer, room = ("Q", 8) if big else ("I", 4)
    entries = b""
    for tag, value in sorted(tags.items()):
        values = [value] if isinstance(value, int) else list(value)
        kind = _SHORT if max(values) < 2**16 and tag not in (273, 279, 324, 325) else _LONG
        packed = struct.pack(order + ("H" if kind == _SHORT else "I") * len(values), *values)
        if len(packed) > room:
            data += bytes(len(data) % 2)
            packed, at = struct.pack(order + pointer, len(data)), packed
            data += at
        entries += struct.pack(order + "HH" + pointer, tag, kind, len(values)) + packed.ljust(room, b"\0")
    data += bytes(len(data) % 2)
    struct.pack_into(order + pointer, data, link, len(data))
    data += struct.pack(order + ("Q" if big else "H"), len(tags)) + entries + bytes(room)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def exif(orientation: int) -> bytes:
    """EXIF that holds the orientation alone."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, _SHORT, 1, orientation, 0, 0)


def png(stored: np.ndarray, *, bits: int, colour: int, chunks: bytes = b"", interlaced: bool = False) -> bytes:
    """A PNG of (H, W[, C]) samples; each row has another of the five filters.

    Args:
        stored: the samples.
        bits: of each.
        colour: the colour type: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA.
        chunks: that stand before the pixels.
        interlaced: by Adam7.
    """
    samples = stored.reshape(*stored.shape[:2], -1)
    height, width, channels = samples.shape
    step = max(1, bits * channels // 8)
    adam7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [samples[top::down, left::right] for top, left, down, right in adam7] if interlaced else [samples]
    raw = b"".join(_filtered(part, bits, step) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    pixels = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + pixels + chunk(b"IEND", b"")


def _filtered(samples: np.ndarray, bits: int, step: int) -> bytes:
    packed = np.frombuffer(_packed(samples, bits, ">"), np.uint8).reshape(len(samples), -1).astype(int)
    above = np.vstack([np.zeros_like(packed[:1]), packed[:-1]])
    left, corner = (np.pad(of, ((0, 0), (step, 0)))[:, : packed.shape[1]] for of in (packed, above))
    guess = left + above - corner
    distance = np.abs(np.stack([guess - left, guess - above, guess - corner]))
    paeth = np.choose(distance.argmin(axis=0), [left, above, corner])
    predicted = [np.zeros_like(packed), left, above, (left + above) // 2, paeth]
    return b"".join(
        bytes([row % 5]) + ((packed[row] - predicted[row % 5][row]) % 256).astype(np.uint8).tobytes()
        for row in range(len(packed))
    )
