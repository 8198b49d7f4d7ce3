# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of measurement: each a function of points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Kind", "Points", "angle_between", "side_of"]

Point = NDArray[np.float64]
Points = Mapping[str, Point]


@dataclass(frozen=True)
class Kind:
    """A kind of measurement.

    Args:
        count: of its landmarks.
        unit: "deg", "1", or None for a length.
        value: from that many points; NaN where it is not defined.
        signed: whether a side decides its sign; ``value`` then takes the right side of the line, as one sees it in the
            picture going from its first point to its second, for the positive one.
    """

    count: int
    unit: str | None
    value: Callable[..., float]
    signed: bool = False


def angle_between(first: Point, second: Point) -> NDArray[np.float64]:
    """Angles between directions (..., D) in degrees, (...) from 0 to 180; NaN where one has no length."""
    u, v = _unit(first), _unit(second)
    # the angle as of an isosceles triangle: exact near 0 and near 180, where the arc cosine is not
    halves = np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    return np.asarray(np.degrees(2 * halves))


def side_of(a: Point, b: Point, point: Point) -> float:
    """1 where the point lies right of the line from a to b as the picture shows it (x right, y down), -1 left of it.

    NaN on the line, and where a and b coincide.
    """
    distance = _signed_distance(point, a, b)
    return math.nan if distance == 0 or math.isnan(distance) else math.copysign(1.0, distance)


def _unit(direction: Point) -> Point:
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(direction / np.where(length > 0, length, np.nan))


def _distance(a: Point, b: Point) -> float:
    return float(np.linalg.norm(b - a))


def _angle(a: Point, b: Point, c: Point) -> float:
    return float(angle_between(a - b, c - b))


def _line_angle(a: Point, b: Point, c: Point, d: Point) -> float:
    return float(angle_between(b - a, d - c))


def _signed_angle(a: Point, b: Point, c: Point, d: Point) -> float:
    u, v = _planar(_unit(b - a)), _planar(_unit(d - c))
    return math.degrees(math.atan2(u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1]))


def _signed_distance(p: Point, a: Point, b: Point) -> float:
    u, v = _planar(_unit(b - a)), _planar(p - a)
    return float(u[0] * v[1] - u[1] * v[0])


def _projected_distance(a: Point, b: Point, c: Point, d: Point) -> float:
    return float((b - a) @ _unit(d - c))


def _directed_distance(a: Point, b: Point, c: Point, d: Point) -> float:
    ahead = _projected_distance(a, b, c, d)
    return math.nan if math.isnan(ahead) else math.copysign(_distance(a, b), ahead)


def _ratio(a: Point, b: Point, c: Point, d: Point) -> float:
    below = _distance(c, d)
    return _distance(a, b) / below if below > 0 else math.nan


def _planar(vector: Point) -> Point:
    if vector.shape != (2,):
        raise ValueError(
            f"A measurement with a side must be of points in a plane; got {vector.size} coordinates. Choose a kind "
            "without sign."
        )
    return vector


KINDS = {
    "distance": Kind(2, None, _distance),
    "angle": Kind(3, "deg", _angle),
    "line_angle": Kind(4, "deg", _line_angle),
    "signed_angle": Kind(4, "deg", _signed_angle, signed=True),
    "signed_distance": Kind(3, None, _signed_distance, signed=True),
    "projected_distance": Kind(4, None, _projected_distance),
    "directed_distance": Kind(4, None, _directed_distance),
    "ratio": Kind(4, "1", _ratio),
}
