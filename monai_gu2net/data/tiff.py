# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a TIFF says of itself, where Pillow does not heed it: polarity, kinds of sample, reduced pages."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from monai_gu2net.data.deep_colour import change_raw_modes

__all__ = ["Tiff", "full_page", "open_tiff", "stored_size"]

# TIFF 6.0, section 8, and its supplements
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
_SAMPLES, _PLANAR, _SUB_PAGES, _EXTRA, _FORMAT = 277, 284, 330, 338, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _CMYK, _YCBCR, _LAB = 0, 1, 5, 6, 8
_UNSIGNED, _SIGNED = 1, 2
_JPEG = 7
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # of SubfileType, which older programs write instead
# libtiff decodes into the machine's order of bytes, of which Pillow (10.1 to 13) takes care for some samples alone
_NATIVE = {
    **{"I;16S": "I;16NS", "I;16BS": "I;16NS", "I;32S": "I;32NS", "I;32BS": "I;32NS"},
    **{"F;32F": "F;32NF", "F;32BF": "F;32NF"},
}


@dataclass(frozen=True)
class Tiff:
    """A TIFF as a stream in which every page is BlackIsZero, so that Pillow opens it in any depth.

    Attributes:
        stream: the file's bytes, with the changed tags.
        inverted: for each page, whether it was WhiteIsZero.
    """

    stream: io.BytesIO
    inverted: Sequence[bool]

    def values(self, image: Image.Image, page: int, loaded: np.ndarray) -> np.ndarray:
        """The samples of a page in their own type and with the polarity of BlackIsZero.

        Args:
            image: open at the page.
            page: its number.
            loaded: (H, W) as Pillow loaded them.
        """
        bits, kind = _tag(image, _BITS, 1), _tag(image, _FORMAT, _UNSIGNED)
        if kind == _SIGNED and bits == 8:
            loaded = loaded.astype(np.int8)  # Pillow 10.1 to 13 take them as unsigned,
        elif kind == _UNSIGNED and bits == 32:
            loaded = loaded.astype(np.int32).view(np.uint32)  # and these as signed
        if not self.inverted[page]:
            return loaded
        highest = 255 if bits in (2, 4) else 2**bits - 1  # Pillow spreads 2 and 4 bits over 8
        loaded = loaded.astype(np.uint8) if loaded.dtype == bool else loaded
        return loaded.dtype.type(highest) - loaded


def open_tiff(data: bytes) -> Tiff:
    """A TIFF from its bytes.

    Raises:
        ValueError: its directories cannot be followed, or it is a BigTIFF of big-endian order.
    """
    if data.startswith(b"MM\0\x2b"):
        # Pillow (10.1 to 13) does not find the orientation in it
        raise ValueError("a BigTIFF of big-endian order, which is not read")
    changed = bytearray(data)
    inverted = []
    for place, order in _photometric_places(data):
        white = place is not None and struct.unpack_from(order + "H", data, place)[0] == _WHITE_IS_ZERO
        if place is not None and white:
            struct.pack_into(order + "H", changed, place, _BLACK_IS_ZERO)
        inverted.append(white)
    return Tiff(io.BytesIO(bytes(changed)), inverted)


def full_page(image: Image.Image, tiff: Tiff, name: str) -> int:
    """Turn an open TIFF to its one page that is neither a reduced picture nor a mask.

    Args:
        image: as Pillow opened it.
        tiff: the same file.
        name: the file's, for messages.

    Returns:
        The number of the page.

    Raises:
        ValueError: there is none or more than one, or its samples are of a kind that would be read wrongly.
    """
    count = getattr(image, "n_frames", 1)
    full = []
    for page in range(count):
        image.seek(page)
        if not _tag(image, _SUBFILE, 0) & (_REDUCED | _MASK) and _tag(image, _OLD_SUBFILE, 0) != _OLD_REDUCED:
            full.append(page)
    if not full and count == 1 and _SUB_PAGES not in image.tag_v2:  # type: ignore[attr-defined]
        full = [0]  # a lone page is the picture, whatever it is called
    if len(full) != 1:
        got = f"{len(full)} and {count - len(full)} reduced or mask pages" if len(full) != count else str(count)
        raise ValueError(f"{name} must hold one picture; got {got}. Save one of them.")
    image.seek(full[0])
    reason = _refusal(image, inverted=tiff.inverted[full[0]])
    if reason:
        raise ValueError(
            f"{name} must be of a kind that is read rightly; got {reason}. Save it as PNG, or as RGB or grey."
        )
    if _by_libtiff(image):
        change_raw_modes(image, lambda raw: _NATIVE.get(raw, raw))
    return full[0]


def stored_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) as stored; Pillow's own size is turned before loading from version 11.0 on."""
    return _tag(image, _WIDTH, 0), _tag(image, _HEIGHT, 0)


def _refusal(image: Image.Image, *, inverted: bool) -> str:
    """Why a page would not be read as it is meant; empty where it would."""
    photometric, bits, kind = (_tag(image, tag, value) for tag, value in ((_PHOTOMETRIC, 1), (_BITS, 1), (_FORMAT, 1)))
    samples = _tag(image, _SAMPLES, 1)
    if inverted and (kind != _UNSIGNED or samples != 1):
        return "WhiteIsZero of other than one unsigned sample, whose white is not defined"
    if photometric == _LAB:
        return "CIE L*a*b* colour"
    if photometric == _CMYK and bits != 8:
        return f"CMYK of {bits} bits"
    if photometric == _YCBCR and _tag(image, _COMPRESSION, 1) != _JPEG:
        return "YCbCr that is not JPEG"
    if _tag(image, _PLANAR, 1) == 2 and samples > 1 and (bits != 8 or _tag(image, _EXTRA, 2) != 2):
        return (
            "channels one after the other (planar configuration 2) that are not 8 bits of grey, colour and plain alpha"
        )
    width, height = stored_size(image)
    layers = samples if _tag(image, _PLANAR, 1) == 2 and not _by_libtiff(image) else 1
    extents = [tile[1] for tile in image.tile]  # type: ignore[attr-defined]
    if sum((right - left) * (lower - upper) for left, upper, right, lower in extents) < width * height * layers:
        return "fewer strips or tiles than the picture has, the others of which would be black"
    return ""


def _by_libtiff(image: Image.Image) -> bool:
    return bool(image.tile) and image.tile[0][0] == "libtiff"  # type: ignore[attr-defined]


def _tag(image: Image.Image, tag: int, default: int) -> int:
    value = image.tag_v2.get(tag, default)  # type: ignore[attr-defined]
    return int(value[0] if isinstance(value, tuple) else value)


def _photometric_places(data: bytes) -> list[tuple[int | None, str]]:
    """Where each page's PhotometricInterpretation stands, None where it does not, and the order of bytes."""
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]  # BigTIFF
    count_form, entry_size, pointer = ("Q", 20, "Q") if big else ("H", 12, "I")
    places: list[tuple[int | None, str]] = []
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
        while at and at not in seen:
            seen.add(at)
            (entries,) = struct.unpack_from(order + count_form, data, at)
            first = at + struct.calcsize(count_form)
            tags = [struct.unpack_from(order + "H", data, first + entry_size * n)[0] for n in range(entries)]
            in_entry = entry_size - struct.calcsize(pointer)  # where an entry keeps its value
            places.append(
                (first + entry_size * tags.index(_PHOTOMETRIC) + in_entry if _PHOTOMETRIC in tags else None, order)
            )
            (at,) = struct.unpack_from(order + pointer, data, first + entry_size * entries)
    except struct.error:
        raise ValueError("a directory of pages that ends too early") from None
    return places
