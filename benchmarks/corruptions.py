# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What happens to radiographs before a program sees them, each at three strengths.

A picture is (rows, columns) from 0, black, to 1, white; beyond 1 it is written with 16 bits, so that what was the whole
range is a part of it. A corruption gives another picture, the matrix by which points go there, and what it covers.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from monai.transforms import GaussianSmooth
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["CORRUPTIONS", "Corrupted", "Corruption", "moved_points", "pixels_to_write"]

Array = NDArray[np.float64]
_MARGIN = 0.03  # of the height, between a marker and the corner
_MARKER = 0.06  # side of a marker, of the height


@dataclass(frozen=True, eq=False)
class Corrupted:
    """What a corruption made of a picture.

    Args:
        picture: (rows, columns).
        matrix: (3, 3) from (x, y, 1) in pixels of the picture before to those of this one, x to the right, whole
            numbers at pixels' centres.
        covered: (rows, columns) what cannot be seen any more; None: nothing.
    """

    picture: Array
    matrix: Array
    covered: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption.

    Args:
        make: of picture, strength and a generator of random numbers.
        strengths: three, the weakest first.
        unit: what they are, in words.
    """

    make: Callable[[Array, float, np.random.Generator], Corrupted]
    strengths: tuple[float, float, float]
    unit: str


def moved_points(points: Array, corrupted: Corrupted) -> Array:
    """(N, 2) points where the corruption brings them; NaN where they are covered or outside of the picture."""
    moved = points @ corrupted.matrix[:2, :2].T + corrupted.matrix[:2, 2]
    height, width = corrupted.picture.shape
    for row, (x, y) in enumerate(moved):
        inside = -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5  # NaN is not
        if inside and corrupted.covered is not None:
            inside = not corrupted.covered[min(round(y), height - 1), min(round(x), width - 1)]
        if not inside:
            moved[row] = np.nan
    return moved


def pixels_to_write(picture: Array) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The picture as a file has it: of 8 bits, or of 16 where something is brighter than white."""
    brightest = float(picture.max(initial=0.0))
    if brightest <= 1:
        return np.round(255 * picture.clip(0, 1)).astype(np.uint8)
    return np.round(65535 / brightest * picture.clip(0, None)).astype(np.uint16)


def _same_place(picture: Array, covered: NDArray[np.bool_] | None = None) -> Corrupted:
    return Corrupted(picture, np.eye(3), covered)


def _shifted(picture: Array, x: float, y: float) -> Corrupted:
    return Corrupted(picture, np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]]))


def _none(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _same_place(picture)


def _stamp(picture: Array, side: float, value: float) -> Corrupted:
    """A square at the top left."""
    height = len(picture)
    first, length = round(_MARGIN * height), max(1, round(side * height))
    covered = np.zeros(picture.shape, dtype=bool)
    covered[first : first + length, first : first + length] = True
    return _same_place(np.where(covered, value, picture), covered)


def _marker(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _stamp(picture, strength, 1.0)


def _overbright(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _stamp(picture, _MARKER, strength)


def _letters(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    """White letters along the top and the bottom."""
    height, width = picture.shape
    font = ImageFont.load_default(size=max(4, round(strength * height)))
    ink = Image.new("L", (width, height))
    margin = round(_MARGIN * height)
    ImageDraw.Draw(ink).text((margin, margin), "R 12:40 PORTABLE", fill=255, font=font, anchor="lt")
    ImageDraw.Draw(ink).text((width - margin, height - margin), "A. B. 27-11", fill=255, font=font, anchor="rb")
    covered = np.asarray(ink) > 127
    return _same_place(np.where(covered, 1.0, picture), covered)


def _bordered(value: float) -> Callable[[Array, float, np.random.Generator], Corrupted]:
    def border(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
        width = round(strength * len(picture))
        return _shifted(np.pad(picture, width, constant_values=value), width, width)

    return border


def _collimated(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    """Black over the edges."""
    rows, columns = (round(strength * length) for length in picture.shape)
    covered = np.ones(picture.shape, dtype=bool)
    covered[rows : len(picture) - rows, columns : picture.shape[1] - columns] = False
    return _same_place(np.where(covered, 0.0, picture), covered)


def _inverted(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _same_place(0.5 + strength * (0.5 - picture))


def _clipped(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    low, high = np.quantile(picture, [strength, 1 - strength])
    return _same_place((picture.clip(low, high) - low) / max(high - low, 1e-6))


def _saturated(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    """Single pixels at sixteen times the range."""
    return _same_place(np.where(draw.random(picture.shape) < strength, 16.0, picture))


def _jpeg(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    buffer = io.BytesIO()
    Image.fromarray(pixels_to_write(picture)).save(buffer, format="JPEG", quality=round(strength))
    return _same_place(np.asarray(Image.open(buffer), dtype=np.float64) / 255)


def _cropped(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    rows, columns = (round(strength * length) for length in picture.shape)
    return _shifted(picture[rows : len(picture) - rows, columns : picture.shape[1] - columns], -columns, -rows)


def _off_centre(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    """Shifted to a corner that is drawn; black where nothing is left."""
    down, right = (round(strength * length) * int(draw.choice([-1, 1])) for length in picture.shape)
    rows, columns = picture.shape
    shifted = np.zeros_like(picture)
    shifted[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = picture[
        max(-down, 0) : rows + min(-down, 0), max(-right, 0) : columns + min(-right, 0)
    ]
    return _shifted(shifted, right, down)


def _turned(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    """About the centre, to the side that is drawn; black where nothing is left."""
    degrees = strength * int(draw.choice([-1, 1]))
    image = Image.fromarray(picture.astype(np.float32)).rotate(degrees, resample=Image.Resampling.BILINEAR)
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    # Pillow turns against the clock as it is seen, with y down
    turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    centre = np.array([(length - 1) / 2 for length in picture.shape[::-1]])
    turn[:2, 2] = centre - turn[:2, :2] @ centre
    return Corrupted(np.asarray(image, dtype=np.float64), turn)


def _coarse(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    """At most so many rows, the mean of what each shows."""
    rows, columns = picture.shape
    height = min(rows, round(strength))
    width = max(1, round(columns * height / rows))
    image = Image.fromarray(picture.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    x, y = width / columns, height / rows
    matrix = np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2], [0.0, 0.0, 1.0]])
    return Corrupted(np.asarray(image, dtype=np.float64), matrix)


def _noisy(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _same_place((picture + strength * draw.standard_normal(picture.shape)).clip(0, 1))


def _blurred(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    sigma = strength * len(picture)
    width = int(np.ceil(4 * sigma)) + 1  # MONAI's filter sees black beyond the border
    padded = torch.from_numpy(np.pad(picture, width, mode="edge")).float()[None]
    smooth = torch.as_tensor(GaussianSmooth(sigma)(padded))[0, width:-width, width:-width]
    return _same_place(smooth.double().numpy())


def _gamma(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _same_place(picture**strength)


def _pale(picture: Array, strength: float, draw: np.random.Generator) -> Corrupted:
    return _same_place(0.5 + strength * (picture - 0.5))


CORRUPTIONS: dict[str, Corruption] = {
    "none": Corruption(_none, (0.0, 0.0, 0.0), ""),
    "lead marker": Corruption(_marker, (0.03, 0.06, 0.12), "of the height, white, top left"),
    "marker beyond white": Corruption(_overbright, (4.0, 16.0, 64.0), "times the range, 6 % of the height"),
    "letters": Corruption(_letters, (0.03, 0.05, 0.08), "of the height, white, two lines"),
    "black border": Corruption(_bordered(0.0), (0.05, 0.1, 0.2), "of the height, around"),
    "white border": Corruption(_bordered(1.0), (0.05, 0.1, 0.2), "of the height, around"),
    "collimation": Corruption(_collimated, (0.03, 0.06, 0.12), "of each side, covered in black"),
    "inverted": Corruption(_inverted, (1.0, 0.5, 0.25), "of the contrast"),
    "clipped": Corruption(_clipped, (0.01, 0.05, 0.2), "of the pixels at either end"),
    "saturated pixels": Corruption(_saturated, (0.0005, 0.002, 0.01), "of the pixels, 16 times the range"),
    "JPEG": Corruption(_jpeg, (30.0, 10.0, 5.0), "quality"),
    "cropped": Corruption(_cropped, (0.03, 0.06, 0.12), "cut off each side"),
    "off centre": Corruption(_off_centre, (0.05, 0.1, 0.2), "of width and height, to a corner"),
    "turned": Corruption(_turned, (5.0, 10.0, 20.0), "degrees"),
    "low resolution": Corruption(_coarse, (160.0, 96.0, 64.0), "rows"),
    "noise": Corruption(_noisy, (0.03, 0.06, 0.12), "of the range, deviation"),
    "blur": Corruption(_blurred, (0.003, 0.006, 0.012), "of the height, deviation"),
    "brighter": Corruption(_gamma, (0.7, 0.5, 0.35), "gamma"),
    "darker": Corruption(_gamma, (1.5, 2.0, 3.0), "gamma"),
    "low contrast": Corruption(_pale, (0.5, 0.25, 0.1), "of the contrast"),
}
"""By name; "none" is the picture as it is, written as the others are."""
