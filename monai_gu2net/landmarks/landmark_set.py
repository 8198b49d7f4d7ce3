# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A set of named landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks.coordinates import index_to_mm, mm_to_index, world_to_lps

__all__ = ["FRAMES", "Frame", "LandmarkSet"]

Frame = Literal["index", "mm", "LPS", "RAS"]
FRAMES: tuple[Frame, ...] = get_args(Frame)


@dataclass(frozen=True, eq=False)
class LandmarkSet:
    """Named points of one image in one frame.

    Args:
        names: N different names.
        points: (N, D) coordinates, D 2 or 3; a row of NaN: absent. Kept as a read-only float64 copy.
        frame: "index": pixels, whole numbers at pixel centres, first centre 0; "mm": the world of the image's affine,
            which is the plane of a radiograph and RAS of a volume; "LPS": mm as Slicer and DICOM count them, to the
            left, to the back, upwards (of a radiograph the same as "mm"); "RAS": mm of a volume, to the right, to the
            front, upwards.
        left_out: entries of the file that the set was read from that were not taken.

    Raises:
        ValueError: names repeat or are empty, the shape does not fit, a coordinate is infinite, or only some
            of a row's coordinates are NaN; the message names the landmark.

    Example:
        >>> landmarks = LandmarkSet(("sella", "nasion"), [[3.0, 4.0], [float("nan")] * 2], "index")
        >>> landmarks.present.tolist()
        [True, False]
    """

    names: tuple[str, ...]
    points: np.ndarray
    frame: Frame
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "points", _checked_points(self.names, self.points))
        if self.frame not in FRAMES:
            raise ValueError(f"frame must be among {list(FRAMES)}; got {self.frame!r}. Name the frame of the points.")
        if self.frame == "RAS" and self.dims != 3:
            raise ValueError(f"The frame 'RAS' must be that of 3-D points; got {self.dims}-D ones. Give them in 'mm'.")

    @property
    def present(self) -> np.ndarray:
        """(N,) bool: which landmarks have coordinates."""
        return np.asarray(~np.isnan(self.points).any(axis=1))

    @property
    def dims(self) -> int:
        """Number of coordinates of a point: 2 or 3."""
        return int(self.points.shape[1])

    def select(self, names: Sequence[str], *, allow_missing: bool = False) -> LandmarkSet:
        """The landmarks of these names, in this order.

        Args:
            names: wanted names.
            allow_missing: give a name that is not in the set as absent instead of refusing it.

        Raises:
            ValueError: a name is not in the set and allow_missing is False.
        """
        missing = [name for name in names if name not in self.names]
        if missing and not allow_missing:
            raise ValueError(
                f"Selected landmarks must be in the set of {list(self.names)}; got {missing}. "
                "Correct the names, or pass allow_missing=True to have them as absent."
            )
        points = np.full((len(names), self.dims), np.nan)
        for row, name in enumerate(names):
            if name in self.names:
                points[row] = self.points[self.names.index(name)]
        return replace(self, names=tuple(names), points=points)

    def to_mm(self, affine: ArrayLike) -> LandmarkSet:
        """The same landmarks in the world of the image, in mm: a radiograph's plane, RAS of a volume.

        Args:
            affine: (D+1, D+1) or (4, 4), index to that world; not used for a set that is in mm already.
        """
        if self.frame == "mm":
            return self
        return replace(self, points=self._in_world(affine), frame="mm")

    def to_lps(self, affine: ArrayLike | None = None) -> LandmarkSet:
        """The same landmarks in LPS mm.

        Args:
            affine: (D+1, D+1) or (4, 4), index to the world of the image (RAS of a volume), for a set in indices.

        Raises:
            ValueError: the set is in indices, and there is no affine.
        """
        if self.frame == "LPS":
            return self
        if self.frame == "index" and affine is None:
            raise ValueError("affine must be given for landmarks in pixel indices; got None. Pass the image's affine.")
        return replace(self, points=world_to_lps(self._in_world(affine)), frame="LPS")

    def to_index(self, affine: ArrayLike) -> LandmarkSet:
        """The same landmarks in pixel indices; a set that is in indices already is returned as it is.

        Args:
            affine: (D+1, D+1) or (4, 4), index to the world of the image (RAS of a volume).
        """
        if self.frame == "index":
            return self
        return replace(self, points=mm_to_index(self._in_world(affine), affine), frame="index")

    def _in_world(self, affine: ArrayLike | None) -> np.ndarray:
        """(N, D) points in the world of the image. Here alone LPS becomes RAS."""
        if self.frame == "index" and affine is not None:
            return index_to_mm(self.points, affine)
        # both directions change the same signs
        return world_to_lps(self.points) if self.frame == "LPS" else self.points


def _checked_points(names: tuple[str, ...], points: ArrayLike) -> np.ndarray:
    """A read-only float64 copy of points that fit the names."""
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"Landmark names must be non-empty text; got {list(names)}. Name every landmark.")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"Landmark names must be all different; got {repeated} more than once. Rename them.")
    checked = np.array(points, dtype=np.float64)
    if checked.ndim != 2 or checked.shape[0] != len(names) or checked.shape[1] not in (2, 3):
        raise ValueError(
            f"points must have shape ({len(names)}, 2) or ({len(names)}, 3), a row per name; got "
            f"{checked.shape}. Give a row of NaN for an absent landmark."
        )
    absent = np.isnan(checked)
    wrong = np.isinf(checked).any(axis=1) | (absent.any(axis=1) & ~absent.all(axis=1))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"The coordinates of landmark {names[row]!r} must be all finite, or all NaN where it is absent; "
            f"got {checked[row].tolist()}. Correct them."
        )
    checked.setflags(write=False)
    return checked
