# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radiographs kept as ordinary pictures: PNG, JPEG, BMP, TIFF."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from numbers import Rational
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from monai_gu2net.data.deep_colour import (
    grey_alpha_as_rgba,
    grey_on_black,
    is_deep,
    is_premultiplied,
    keep_premultiplied,
    on_black,
    raw_modes,
    take_low_bytes,
)
from monai_gu2net.data.tiff import Tiff, full_page, open_tiff, stored_size
from monai_gu2net.dicom import Limits

__all__ = ["PICTURES", "picture_size", "read_picture"]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")  # what the endings name; Pillow's other plugins are never reached
_GREY = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L"}
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # EXIF 2.32, 4.6.4: width and height change places
_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601-2, as Pillow's
_OTHER_KINDS = {  # what files that are named as pictures begin with
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "PDF",
    b"GIF8": "GIF",
    b"RIFF": "WebP or another RIFF file",
    b"8BPS": "a Photoshop file",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\x1f\x8b": "a gzip archive",
    b"PK\x03\x04": "a ZIP archive",
}
_filtering = threading.Lock()
_READ = "be a PNG, JPEG, BMP or TIFF of grey or colour"
_SAVE = "Save it as such."


@dataclass(frozen=True)
class _Opened:
    """An open picture, its pixels not decoded yet; of a TIFF also the page."""

    image: Image.Image
    name: str
    tiff: Tiff | None = None
    page: int = 0
    deep_grey: bool = False

    def upright(self) -> Image.Image:
        """The pixels, as a viewer shows them."""
        _orientation(self.image, self.name)
        self.image.load()  # which turns those of a TIFF already
        return ImageOps.exif_transpose(self.image)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), upright."""
        # Pillow turns the size of a TIFF before loading from version 11 on
        width, height = self.image.size if self.tiff is None else stored_size(self.image)
        return (height, width) if _orientation(self.image, self.name) in _QUARTER_TURNS else (width, height)


def read_picture(path: Path, *, limits: Limits, rgb: bool = False) -> np.ndarray:
    """The pixels, width first, upright as a viewer shows them.

    Which of the four formats a file has, its content says; the ending of another one makes no difference. The EXIF
    rotation is applied, every depth is kept, white is the largest value, transparency is laid on black. Of a
    telephone's JPEG the primary picture is taken, of a TIFF with thumbnails the full one. Resolution tags (dpi) are not
    physical spacing of the patient and are not used.

    Args:
        path: the file.
        limits: of its width times height; the size of the file is the caller's to check.
        rgb: keep colour, and repeat grey, instead of turning colour to luminance (ITU-R 601-2).

    Returns:
        (W, H) float32; with ``rgb`` (W, H, 3).

    Raises:
        ValueError: the file is of another kind, holds several pictures, too many pixels, or samples that would be read
            wrongly; the message names it.
        OSError, SyntaxError, ValueError: from Pillow, for what is no whole picture.
    """
    with _opened(path, limits) as opened:
        if opened.deep_grey:
            pixels = grey_on_black(np.asarray(opened.upright()))
        elif is_deep(opened.image):
            pixels = _deep_colour(opened, path, limits)
        else:
            pixels = _pixels(opened, rgb=rgb)
    if pixels.ndim == 3 and not rgb:
        pixels = pixels @ _LUMINANCE
    elif pixels.ndim == 2 and rgb:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    with np.errstate(over="ignore"):  # what is infinite then is refused as such
        return np.ascontiguousarray(pixels.swapaxes(0, 1), dtype=np.float32)


def picture_size(path: Path, *, limits: Limits) -> tuple[int, int]:
    """(width, height) of the upright picture, from the file's header; raises as :func:`read_picture`."""
    with _opened(path, limits) as opened:
        return opened.size


def _pixels(opened: _Opened, *, rgb: bool) -> np.ndarray:
    """(H, W), or (H, W, 3) where colour is kept: grey of any depth, and channels of 8 bits."""
    # PNG 1.2, 4.2.1.1: what stands for transparent is a value of the file's depth, which Pillow spreads over 8 bits
    spread = next((factor for raw, factor in (("L;2", 85), ("L;4", 17)) if raw in raw_modes(opened.image)), 1)
    image = opened.upright()
    clear = image.info.get("transparency")
    if image.mode in _GREY:
        values = np.asarray(image)
        if opened.tiff is not None:
            return opened.tiff.values(opened.image, opened.page, values)
        return values if clear is None else np.where(values == clear * spread, 0, values)
    if image.mode == "La":
        image = image.getchannel(0)  # its alpha is multiplied into it
    elif image.mode in ("RGBA", "LA", "PA") or (image.mode in ("P", "RGB") and clear is not None):
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return np.asarray(image.convert("RGB" if rgb else "L"))


def _deep_colour(opened: _Opened, path: Path, limits: Limits) -> np.ndarray:
    """(H, W, 3) of channels of 16 bits."""
    with _opened(path, limits) as second:
        premultiplied = is_premultiplied(second.image)
        for each in (opened, second):
            keep_premultiplied(each.image)
        take_low_bytes(second.image)
        high, low = (np.asarray(each.upright()) for each in (opened, second))
    if opened.image.mode != "RGBA":  # a spare channel is no alpha; Pillow 10 keeps it
        high, low = high[..., :3], low[..., :3]
    return on_black(high, low, premultiplied=premultiplied, clear=opened.image.info.get("transparency"))


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[_Opened]:
    """The open file, its pixels not decoded yet and no more than the limit."""
    # A file object, for Pillow 11.3 to 13 scramble turned TIFFs that they map into memory by their name.
    with path.open("rb") as file:
        head = file.read(132)
        file.seek(0)
        tiff = open_tiff(file.read()) if head[:2] in (b"II", b"MM") else None
        deep_grey = grey_alpha_as_rgba(head) is not None
        stream = BytesIO(grey_alpha_as_rgba(file.read()) or b"") if deep_grey else file if tiff is None else tiff.stream
        try:
            with _open(stream) as image:
                page = 0
                if tiff is not None:
                    page = full_page(image, tiff, path.name)
                elif (
                    image.format != "MPO" and (count := getattr(image, "n_frames", 1)) != 1
                ):  # its first is the primary
                    raise ValueError(f"{path.name} must hold one picture; got {count}. Save one of them.")
                width, height = image.size
                if width * height > limits.pixels:
                    raise _too_large(path, f"{width} x {height}", limits)
                yield _Opened(image, path.name, tiff, page, deep_grey)
        except Image.DecompressionBombError as error:
            raise _too_large(path, "more than twice what Pillow decodes", limits) from error
        except UnidentifiedImageError:
            kind = next((kind for start, kind in _OTHER_KINDS.items() if head.startswith(start)), None)
            kind = "DICOM" if head.endswith(b"DICM") else kind
            if tiff is not None:
                raise ValueError(
                    f"{path.name} must {_READ}; got a TIFF whose samples are of another kind. {_SAVE}"
                ) from None
            if kind is not None:
                raise ValueError(f"{path.name} must {_READ}; got {kind}. {_SAVE}") from None
            raise ValueError("cannot identify image file as PNG, JPEG, BMP or TIFF") from None


def _open(stream: IO[bytes]) -> Image.Image:
    # Pillow has a limit of its own, which it warns of when it opens; this package's is checked by whoever calls.
    with _filtering, warnings.catch_warnings():  # the filters are those of all threads before Python 3.14
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(stream, formats=_FORMATS)


def _orientation(image: Image.Image, name: str) -> Rational | None:
    """The number that says how an open picture is turned, None where nothing does."""
    try:
        value = image.getexif().get(_ORIENTATION)
    except (SyntaxError, ValueError, struct.error):  # a broken block, which is an empty one from then on
        return None
    if value is not None and not isinstance(value, Rational):  # Pillow takes no other for a turn, other programs do
        raise ValueError(f"{name} must state its orientation as a whole number; got another kind. Save it upright.")
    return value


def _too_large(path: Path, pixels: str, limits: Limits) -> ValueError:
    return ValueError(
        f"{path.name} must have at most {limits.pixels:,} pixels; got {pixels}. Export it smaller, or raise the limits."
    )
