# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks drawn on slices and projections of their volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from monai_gu2net.landmarks.coordinates import apply_affine
from monai_gu2net.visualize.canvas import Canvas
from monai_gu2net.visualize.marks import (
    BESIDE,
    LINE,
    PREDICTED_COLOUR,
    SMALL,
    STRIP,
    DrawnLandmarks,
    checked_landmarks,
    draw_marks,
    grey,
    places,
    shades,
    title_strip,
    window_of,
)

__all__ = ["draw_volume_landmarks"]

_VIEWS = (("axial", 0, 1), ("coronal", 0, 2), ("sagittal", 1, 2))  # name, axis across, axis down
_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))  # from where the axes lead, and to where: right is on the left
_NOTE = "radiological: the right is on the left"
_NO_SCALE = "axes of the file, of unknown scale"
_LEADS = 0.25  # component from which an axis leads that way, too
_FIELD = 0.5  # of the volume's longest side that a slice shows
_ROOM = 1.2  # about the farthest mark in a slice
_GAP, _LINE_OF_TEXT = 6, 18  # in pixels of the picture
_PER_NUMBER = 1000  # pixels of a projection that there are to be for each number
_SAMPLED = 64  # voxels of each axis tell what is dark and what is bright


def draw_volume_landmarks(
    volume: NDArray[np.generic] | torch.Tensor,
    *,
    affine: ArrayLike | None,
    predicted: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    numbers: Sequence[int] | None = None,
    confidence: ArrayLike | None = None,
    radius: ArrayLike | None = None,
    title: str = "",
    most: int = 12,
    columns: int = 2,
    panel: int = 190,
) -> NDArray[np.uint8]:
    """A page with a volume's landmarks: projections with all of them, and slices through the ones that need a look.

    Above are the maximum intensity projections along the three axes, with the landmarks' numbers. Below, three slices
    through each landmark, axial, coronal and sagittal, show half of the volume's longest side, as high and wide in mm,
    about the predicted landmark (or the reference, where it was not found): an orange cross, with a circle of its 90 %
    radius, and a blue dot for the reference, projected onto the slice.

    The axes lie where they lead most nearly, and letters say where that is, two where it is in between. Right is on
    the left, as in radiology; the front is on the left of sagittal ones.

    Args:
        volume: (C, X, Y, Z), of which the first channel is drawn, or (X, Y, Z), any scale of grey.
        affine: (4, 4) voxels to RAS mm; None where it is not known: voxels are then cubes, and there are no letters.
        predicted: (N, 3) points in voxels, x first; a row that is not finite draws nothing.
        reference: (N, 3), likewise.
        names: N texts, written beside the numbers.
        numbers: N numbers, by which landmarks are called where there is little room; by default from 1.
        confidence: (N,) numbers from 0 to 1, written after the name; NaN: none.
        radius: (N, 3) half axes in voxels of an ellipsoid about each predicted landmark; NaN: none.
        title: a line above the picture.
        most: how many landmarks have slices at most: the ones farthest from their references, else the least confident.
        columns: landmarks side by side.
        panel: pixels of a slice's side.

    Returns:
        (H', W', 3) red, green, blue.

    Raises:
        ValueError: the image is no volume, or there are not as many points, names, numbers and confidences.
    """
    array = _array(volume)
    given = checked_landmarks(predicted, reference, names, confidence, radius, dims=3)
    called = [str(number) for number in (range(1, len(given.names) + 1) if numbers is None else numbers)]
    if len(called) != len(given.names):
        raise ValueError(f"numbers must be one per landmark, {len(given.names)}; got {len(called)}. Give each its own.")
    view = _View.of(array, None if affine is None else np.asarray(affine, dtype=np.float64), given)
    errors = np.linalg.norm((view.predicted - view.reference) * view.spacing, axis=-1)
    unit = "px" if affine is None else "mm"
    shown = _choose(given, errors, most)

    card = 3 * panel + 2 * _GAP
    width = columns * (card + 2 * _GAP) + 2 * _GAP
    scale = ((width - 4 * _GAP) / 3) / view.extent.max()
    tallest = round(scale * view.extent[1:].max())
    lines = -(-len(shown) // columns)
    height = STRIP + tallest + 2 * _GAP + lines * (_LINE_OF_TEXT + panel + 2 * _GAP) + _LINE_OF_TEXT
    page = np.zeros((height, width, 3), dtype=np.uint8)

    has = (predicted is not None, reference is not None, bool(np.isfinite(given.radius).all(axis=-1).any()))
    note = _NO_SCALE if affine is None else _NOTE
    title_strip(page[:STRIP], title, predicted=has[0], reference=has[1], radius=has[2], note=note)
    left = _GAP
    for name, across, down in _VIEWS:
        pixels = page[STRIP : STRIP + tallest, left : left + (width - 4 * _GAP) // 3]
        _draw_projection(pixels, view, called, (name, across, down), scale)
        left += pixels.shape[1] + _GAP
    top = STRIP + tallest + 2 * _GAP
    Canvas(page).text(_says(given, errors, shown), (_GAP, top + 12), size=SMALL, colour="white")
    window = window_of(view.volume, sampled=_SAMPLED)
    for place, index in enumerate(shown):
        corner = top + _LINE_OF_TEXT + place // columns * (_LINE_OF_TEXT + panel + 2 * _GAP)
        left = _GAP + place % columns * (card + 2 * _GAP)
        error = f", error {errors[index]:.2f} {unit}" if np.isfinite(errors[index]) else ""
        error = error if np.isfinite(given.predicted[index]).all() else ", not found"
        number = "" if names is None else f"{called[index]}  "
        line = page[corner : corner + _LINE_OF_TEXT, left : left + card]
        Canvas(line).text(f"{number}{given.texts[index]}{error}", (0, 13), size=SMALL, colour="white")
        for across in range(3):
            start = left + across * (panel + _GAP)
            pixels = page[corner + _LINE_OF_TEXT :, start : start + panel][:panel]
            _draw_slice(pixels, view, index, _VIEWS[across], window)
    return page


@dataclass(frozen=True, eq=False)
class _View:
    """A volume whose axes lead to the left, the back and down, with its landmarks.

    Args:
        volume: (X, Y, Z).
        spacing: (3,) mm per voxel.
        letters: of each axis, from where and to where it leads.
        predicted, reference, radius: (N, 3) in its voxels.
    """

    volume: NDArray[np.float32]
    spacing: NDArray[np.float64]
    letters: Sequence[tuple[str, str]]
    predicted: NDArray[np.float64]
    reference: NDArray[np.float64]
    radius: NDArray[np.float64]

    @classmethod
    def of(cls, volume: NDArray[np.float32], affine: NDArray[np.float64] | None, given: DrawnLandmarks) -> _View:
        """No voxel is moved or copied: the array is seen along other axes."""
        if affine is None:
            letters = [("", "x"), ("", "y"), ("", "z")]
            return cls(volume, np.ones(3), letters, given.predicted, given.reference, given.radius)
        turn = ornt_transform(io_orientation(affine), axcodes2ornt("LPI"))
        back = inv_ornt_aff(turn, volume.shape)  # voxels of the view to those of the file
        turned, forth = affine @ back, np.linalg.inv(back)
        spacing = np.linalg.norm(turned[:3, :3], axis=0)
        letters = [(_leads(-axis), _leads(axis)) for axis in (turned[:3, :3] / spacing).T]
        found, truth = (apply_affine(points, forth) for points in (given.predicted, given.reference))
        return cls(apply_orientation(volume, turn), spacing, letters, found, truth, given.radius @ np.abs(back[:3, :3]))

    @property
    def extent(self) -> NDArray[np.float64]:
        """(3,) lengths of the sides in mm."""
        return np.asarray(self.volume.shape * self.spacing)


def _draw_projection(
    pixels: NDArray[np.uint8], view: _View, called: Sequence[str], of: tuple[str, int, int], scale: float
) -> None:
    """The brightest voxels along the third axis, with all landmarks, and their numbers as far as there is room."""
    name, across, down = of
    axes = [across, down]
    plane = view.volume.max(axis=3 - across - down)
    size = [max(1, round(side)) for side in scale * view.extent[axes]]
    part = pixels[: size[1], : size[0]]
    part[:] = grey(plane, (size[0], size[1]), window_of(plane))[: part.shape[0], : part.shape[1]]
    picture = Canvas(part)
    stretch = np.array(size) / plane.shape
    crosses, dots = (places((points[:, axes] + 0.5) * stretch) for points in (view.predicted, view.reference))
    draw_marks(picture, crosses, dots)
    has_room = size[0] * size[1] > _PER_NUMBER * len(called)
    for number, cross, dot in zip(called, crosses, dots, strict=True):
        at = dot if cross is None else cross
        if at is not None and has_room and (at >= 0).all() and (at < size).all():
            picture.text(number, at + BESIDE, size=SMALL, colour="white", outlined=True, kept_inside=True)
    _write_letters(picture, view, across, down)
    words = f"{name} MIP" if view.letters[0][0] else "MIP"
    picture.text(words, (4, 12), size=SMALL, colour="white", outlined=True)


def _draw_slice(
    pixels: NDArray[np.uint8], view: _View, index: int, of: tuple[str, int, int], window: tuple[float, float]
) -> None:
    """The slice through a landmark, which is in its middle."""
    _, across, down = of
    found, truth, half = view.predicted[index], view.reference[index], view.radius[index]
    centre = found if np.isfinite(found).all() else truth
    far = max(0.0, *np.nan_to_num([*(np.abs(truth - found) * view.spacing), *(half * view.spacing)]))
    field = max(_FIELD * view.extent.max(), 2 * _ROOM * far)
    axes, side = [across, down], len(pixels)
    steps = field / side / view.spacing[axes]  # voxels per pixel
    through = 3 - across - down
    number = int(np.clip(np.rint(centre[through]), 0, view.volume.shape[through] - 1))
    plane = np.moveaxis(view.volume, through, 0)[number]
    pixels[:] = _about(shades(plane.T, window), centre[axes], steps, side)
    picture = Canvas(pixels)
    cross, dot = ((point[axes] - centre[axes]) / steps + side / 2 for point in (found, truth))
    if np.isfinite(half).all() and np.isfinite(cross).all():
        picture.ellipse(cross, half[axes] / steps, width=LINE, colour=PREDICTED_COLOUR, opacity=0.8)
    draw_marks(picture, places(cross[None]), places(dot[None]))
    _write_letters(picture, view, across, down)


def _about(
    plane: NDArray[np.uint8], centre: NDArray[np.float64], steps: NDArray[np.float64], side: int
) -> NDArray[np.uint8]:
    """A square of a picture, rows first, about a place in its pixels; black beyond its edges."""
    coarser = np.maximum(steps.astype(int), 1)  # what is made much smaller is averaged first
    image = Image.fromarray(plane).reduce((int(coarser[0]), int(coarser[1])))
    (a, e), (c, f) = steps / coarser, (centre + 0.5 - steps * side / 2) / coarser
    sampling = Image.Resampling.NEAREST if steps.max() < 1 / 3 else Image.Resampling.BILINEAR
    square = image.transform((side, side), Image.Transform.AFFINE, (a, 0, c, 0, e, f), resample=sampling)
    return np.asarray(square.convert("RGB"))


def _write_letters(picture: Canvas, view: _View, across: int, down: int) -> None:
    """Where the edges lie."""
    height, width = picture.pixels.shape[:2]
    (left, right), (upper, lower) = view.letters[across], view.letters[down]
    middle = [(left, 3, height / 2), (right, width - 3, height / 2), (upper, width / 2, 12), (lower, width / 2, height)]
    for text, x, y in middle:
        picture.text(text, (x, y), size=SMALL, colour="white", outlined=True, kept_inside=True)


def _leads(direction: NDArray[np.float64]) -> str:
    """Letters of where a direction in RAS leads, the most nearly first; "RA" is between right and front."""
    order = np.argsort(-np.abs(direction), kind="stable")
    return "".join(_LETTERS[axis][0 if (direction[axis] > 0) else 1] for axis in order if abs(direction[axis]) > _LEADS)


def _choose(given: DrawnLandmarks, errors: NDArray[np.float64], most: int) -> list[int]:
    """Which landmarks have slices, in their order; if there are too many, the worst, the worst first."""
    found, annotated = (np.isfinite(points).all(axis=-1) for points in (given.predicted, given.reference))
    there = np.flatnonzero(found | annotated).tolist()
    if len(there) <= most:
        return there
    badness = np.where(annotated & ~found, np.inf, np.nan_to_num(errors, nan=-1.0))
    doubt = np.nan_to_num(given.confidence, nan=1.0)
    return sorted(there, key=lambda index: (-badness[index], doubt[index]))[:most]


def _says(given: DrawnLandmarks, errors: NDArray[np.float64], shown: Sequence[int]) -> str:
    """Which landmarks have slices, in words."""
    there = int(np.isfinite(given.predicted).all(axis=-1).sum())
    count = len(given.names)
    if list(shown) == sorted(shown) and len(shown) >= there:
        return f"Slices through {len(shown)} of {count} landmarks"
    which = "farthest from their references" if np.isfinite(errors).any() else "least confident"
    return f"Slices through the {len(shown)} of {count} landmarks that are {which}"


def _array(volume: NDArray[np.generic] | torch.Tensor) -> NDArray[np.float32]:
    """The first channel as (X, Y, Z) float32, finite everywhere."""
    if isinstance(volume, torch.Tensor):
        volume = volume.detach().as_subclass(torch.Tensor).numpy(force=True)
    array = np.asarray(volume)
    array = array[0] if array.ndim == 4 and len(array) else array
    if array.ndim != 3 or not array.size:
        raise ValueError(f"The image must be (C, X, Y, Z) or (X, Y, Z); got {array.shape}. Draw pictures on one plane.")
    array = array.astype(np.float32, copy=False)
    return array if np.isfinite(array).all() else np.nan_to_num(array)
