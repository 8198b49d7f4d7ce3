# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From stored pixel data to values that grow with density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.decoding import decode_frame
from monai_gu2net.dicom.display import is_inverted
from monai_gu2net.dicom.frames import frame_header
from monai_gu2net.dicom.limits import DicomError, Limits
from monai_gu2net.dicom.modality import modality_values
from monai_gu2net.dicom.padding import padding_of
from monai_gu2net.dicom.silence import silent_pydicom

__all__ = ["read_frames", "read_pixels"]

_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601-2, as for ordinary pictures
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class _Form:
    """The image pixel module, checked."""

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool


def read_pixels(image: Dataset, *, name: str, limits: Limits, frame: int | None, colour: bool) -> np.ndarray:
    """Decode the pixel data of a radiograph.

    1. An image is inverted if its PresentationLUTShape is INVERSE, or, without that tag, if it is MONOCHROME1:
       once, so that larger is brighter on a display.
    2. The modality LUT: ModalityLUTSequence, or RescaleSlope and RescaleIntercept. Stored values are inverted before
       slope and intercept, but the output of a sequence's LUT after it, for that is looked up by values as stored.

    3. Pixels that PixelPaddingValue and PixelPaddingRangeLimit declare as padding become the darkest of the others.

    Bits beyond BitsStored, where old files keep overlays, are masked, whatever the codec. Window and overlays do not
    change the pixels.

    Args:
        image: a dataset with pixel data; its encapsulated frames are decoded here.
        name: the file's name, for errors.
        limits: its ``pixels`` bounds rows x columns x frames.
        frame: which frame, the first is 0; None: the image must have one.
        colour: accept RGB, YBR and palette images and take their luminance.

    Returns:
        (W, H) float32.

    Raises:
        DicomError: the image is none of the above, declares too much, is nothing but padding, or cannot be decoded.

    Source: DICOM PS3.3, C.7.6.3 (image pixel), C.7.5.1.1.2 (padding), C.8.11.3.1 (PresentationLUTShape), C.11.1
    (modality LUT); PS3.5, 8.1.1 (bits beyond BitsStored).
    """
    form = _form_of(image, name, limits)
    index = _frame_index(form, frame, name)
    image.SamplesPerPixel = form.samples  # pydicom knows no default
    if form.photometric in _GREY:
        values = _dense_is_bright(image, index, form, name)
        padding = np.isnan(values)
        if padding.all():
            raise DicomError(
                f"{name}: a radiograph must have pixels that are not padding; it has none. Export it again."
            )
        if padding.any():
            values[padding] = values.min(where=~padding, initial=np.inf)
        return values
    if not colour:
        raise DicomError(
            f"{name}: a radiograph must have grey pixels; got {form.photometric}. Ask for its luminance by colour=True."
        )
    if form.photometric == "PALETTE COLOR":
        stored = decode_frame(image, index=index, shape=(form.rows, form.columns), name=name)
        rgb = _from_palette(stored, image, name)
    else:
        rgb = decode_frame(image, index=index, shape=(form.rows, form.columns, 3), name=name)
    luminance = sum(weight * rgb[..., channel].astype(np.float32) for channel, weight in enumerate(_LUMINANCE))
    return np.ascontiguousarray(np.asarray(luminance, dtype=np.float32).T)


def read_frames(image: Dataset, *, name: str, limits: Limits) -> np.ndarray:
    """Decode all frames of a grey image, one or several, as :func:`read_pixels` does one.

    Args:
        image: likewise.
        name: likewise.
        limits: likewise.

    Returns:
        (W, H, F) float32. Padding is NaN, for what it is to become depends on the other slices of a volume.

    Raises:
        DicomError: likewise, but for an image of nothing but padding.
    """
    form = _form_of(image, name, limits)
    image.SamplesPerPixel = form.samples
    if form.photometric not in _GREY:
        raise DicomError(f"{name}: a slice must have grey pixels; got {form.photometric}. Export it in grey.")
    values = np.empty((form.columns, form.rows, form.frames), dtype=np.float32)
    for index in range(form.frames):
        values[..., index] = _dense_is_bright(image, index, form, name)
    return values


def _form_of(image: Dataset, name: str, limits: Limits) -> _Form:
    if "PixelData" not in image or not image.PixelData:
        raise DicomError(f"{name}: an image must have pixel data of whole numbers; it has none. Choose an image.")
    photometric = str(image.get("PhotometricInterpretation") or "").strip()
    if photometric not in (*_GREY, *_COLOUR, "PALETTE COLOR"):
        raise DicomError(
            f"{name}: PhotometricInterpretation must be one of the standard's for images; it is not. Export it again."
        )
    form = _Form(
        rows=_whole(image, "Rows", name, 1, 65535),
        columns=_whole(image, "Columns", name, 1, 65535),
        frames=_whole(image, "NumberOfFrames", name, 1, 2**31 - 1, default=1),
        samples=_whole(image, "SamplesPerPixel", name, 1, 3, default=1),
        photometric=photometric,
        bits_allocated=_whole(image, "BitsAllocated", name, 8, 32),
        bits_stored=_whole(image, "BitsStored", name, 1, 32),
        signed=_whole(image, "PixelRepresentation", name, 0, 1) == 1,
    )
    high_bit = _whole(image, "HighBit", name, 0, 31, default=form.bits_stored - 1)
    if form.samples != (3 if photometric in _COLOUR else 1):
        raise DicomError(f"{name}: {photometric} must not have {form.samples} samples per pixel. Export it again.")
    if form.bits_allocated not in (8, 16, 32) or form.bits_stored > form.bits_allocated:
        raise DicomError(
            f"{name}: BitsStored must fit into BitsAllocated of 8, 16 or 32; got {form.bits_stored} in "
            f"{form.bits_allocated}. Export it again."
        )
    if high_bit != form.bits_stored - 1:
        raise DicomError(
            f"{name}: HighBit must be BitsStored - 1; got {high_bit} and {form.bits_stored}. Export it again."
        )
    if form.rows * form.columns * form.frames > limits.pixels:
        raise DicomError(
            f"{name}: rows x columns x frames must be at most {limits.pixels}; got {form.rows} x {form.columns} x "
            f"{form.frames}. Raise Limits.pixels if you trust it."
        )
    return form


def _whole(image: Dataset, keyword: str, name: str, low: int, high: int, *, default: int | None = None) -> int:
    value: Any = image.get(keyword)
    if value is None and default is not None:
        return default
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = low - 1
    if not low <= number <= high:
        raise DicomError(f"{name}: {keyword} must be a whole number from {low} to {high}; it is not. Export it again.")
    return number


def _frame_index(form: _Form, frame: int | None, name: str) -> int:
    if frame is None:
        if form.frames != 1:
            raise DicomError(
                f"{name}: a radiograph must have one frame; got {form.frames}. Choose one by frame=, the first is 0."
            )
        return 0
    if not 0 <= frame < form.frames:
        raise DicomError(f"{name}: frame must be from 0 to {form.frames - 1}; got {frame}. Choose another.")
    return frame


def _dense_is_bright(image: Dataset, index: int, form: _Form, name: str) -> np.ndarray:
    """(W, H) float32 of a grey frame, NaN where it is padding; some rows at once to need little memory."""
    allocated = decode_frame(image, index=index, shape=(form.rows, form.columns), name=name)
    header = frame_header(image, index)
    # smallest + largest of the stored range
    turn = -1 if form.signed else 2**form.bits_stored - 1
    to_modality = modality_values(header, signed=form.signed, turn=turn if is_inverted(image) else None, name=name)
    bits = {"bits_allocated": form.bits_allocated, "bits_stored": form.bits_stored}
    is_padding = padding_of(image, **bits, signed=form.signed, name=name)
    values = np.empty((form.columns, form.rows), dtype=np.float32)
    for top in range(0, form.rows, _ROWS_AT_ONCE):
        rows = allocated[top : top + _ROWS_AT_ONCE].astype(np.int64)
        stored = _stored(rows, form.bits_stored, form.signed)
        with np.errstate(over="ignore"):  # said below
            part = np.asarray(to_modality(stored), dtype=np.float32)
        padding = np.zeros(rows.shape, dtype=bool) if is_padding is None else is_padding(rows, stored)
        if not np.isfinite(part[~padding]).all():
            raise DicomError(f"{name}: pixel values must be finite in 32 bits; they are not. Check its modality LUT.")
        part[padding] = np.nan
        values[:, top : top + _ROWS_AT_ONCE] = part.T
    return values


def _stored(allocated: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    """Values of the lowest bits alone, the highest of which is the sign where there is one."""
    values = allocated & (2**bits - 1)
    return values - ((values >> (bits - 1)) << bits) if signed else values


def _from_palette(stored: np.ndarray, image: Dataset, name: str) -> np.ndarray:
    try:
        with silent_pydicom():
            # pydicom 3 has it here too, and pydicom 2 nowhere else
            from pydicom.pixel_data_handlers import apply_color_lut

            return np.asarray(apply_color_lut(stored, image))
    except Exception as error:
        raise DicomError(
            f"{name}: a palette must be whole; using it ended in {type(error).__name__}. Export it as RGB."
        ) from None
