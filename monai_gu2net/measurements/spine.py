# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Cobb angles of a frontal spine radiograph, from the corners of 17 vertebral bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monai_gu2net.landmarks.anatomical_names import SPINE_LANDMARKS, VERTEBRAE
from monai_gu2net.measurements.geometry import Points, angle_between
from monai_gu2net.measurements.measurement import Measurement

__all__ = ["SPINE", "CobbAngle"]

_COBB = ("285285000", "SCT", "Cobb angle")
_SOURCE = (
    "Cobb, Instructional Course Lectures 5 (1948) 261, by end plates; curves beside the largest one as in the AASCE "
    "challenge (Wu et al., MICCAI 2017)"
)

Curve = Literal["main", "above", "below"]
_CURVES: tuple[Curve, ...] = ("main", "above", "below")


@dataclass(frozen=True)
class CobbAngle(Measurement):
    """The angle between the upper end plate of a curve's upper end vertebra and the lower end plate of its lower one.

    The end vertebrae are chosen by the landmarks: those of the main curve have the largest angle of all pairs. The
    curve above it ends where the main one begins and has the largest angle of those that do; the curve below begins
    where the main one ends. It is NaN where the main curve leaves no vertebra for it, and where any corner is absent,
    since the largest angle could then be another one.

    The largest of many uncertain angles is no smooth function of the landmarks, and larger on average than the largest
    of the certain ones. The error is that of the angle between the chosen end plates, held fixed.

    Args:
        curve: "main", "above" or "below".
    """

    curve: Curve = "main"

    def __post_init__(self) -> None:
        if self.curve not in _CURVES:
            raise ValueError(
                f"Measurement {self.name!r}: curve must be 'main', 'above' or 'below'; got {self.curve!r}. Correct it."
            )

    def unit(self, length: Literal["mm", "px"]) -> str:
        """``"deg"``."""
        return "deg"

    @property
    def dims(self) -> tuple[Literal[2, 3], ...]:
        """2: a Cobb angle is one of a picture."""
        return (2,)

    def value(self, points: Points, *, beside: Points | None = None) -> NDArray[np.float64]:
        """Of the curve that these points choose, for each set of them."""
        shape = points[self.landmarks[0]].shape[:-1]
        values = np.full(shape, np.nan)
        for index in np.ndindex(shape):
            one = {name: points[name][index] for name in self.landmarks}
            settled = self.settled(one)
            if settled is not self:
                values[index] = settled.value(one)
        return values

    def settled(self, points: Points) -> Measurement:
        """The angle between the two end plates chosen; itself where there is no such curve."""
        upper = np.stack([points[f"{name}_tr"] - points[f"{name}_tl"] for name in VERTEBRAE])
        lower = np.stack([points[f"{name}_br"] - points[f"{name}_bl"] for name in VERTEBRAE])
        angles = angle_between(upper[:, None], lower[None])  # by upper, then lower end vertebra
        if np.isnan(angles).any():
            return self
        angles[np.tril_indices(len(VERTEBRAE))] = -1.0
        first, last = np.unravel_index(np.argmax(angles), angles.shape)
        if self.curve == "above":
            first, last = np.argmax(angles[:, first]), first
        elif self.curve == "below":
            first, last = last, np.argmax(angles[last])
        if first >= last:  # the main curve leaves no vertebra
            return self
        top, bottom = VERTEBRAE[first], VERTEBRAE[last]
        plates = (f"{top}_tl", f"{top}_tr", f"{bottom}_bl", f"{bottom}_br")
        return Measurement(self.name, "line_angle", plates, source=self.source, code=self.code)


SPINE: tuple[Measurement, ...] = tuple(
    CobbAngle(
        "Cobb angle" if curve == "main" else f"Cobb angle {curve}",
        "cobb",
        SPINE_LANDMARKS,
        source=_SOURCE,
        code=_COBB if curve == "main" else None,
        curve=curve,
    )
    for curve in _CURVES
)
