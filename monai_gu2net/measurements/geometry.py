# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of measurement: each a function of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "Kind", "Points", "angle_between", "side_of"]

_MEANS = 12  # steps of an arithmetic-geometric mean; it has all digits after 9 where an axis is 1e-12 of the other
_ON_A_LINE = 1e-9  # sine of the angle below which three points tell no plane

Point = NDArray[np.float64]
Points = Mapping[str, Point]


@dataclass(frozen=True)
class Kind:
    """A kind of measurement.

    Args:
        parts: numbers of the landmarks of each line, plane or corner that it is of, in their order.
        unit: "deg", "1", or None for a length.
        value: from that many points (..., D) to (...); NaN where it is not defined.
        signed: whether a side decides its sign; ``value`` then takes the right side of the line, as one sees it in the
            picture going from its first point to its second, for the positive one.
        fold: of a value without a sign, made of one with: from the values and those at the points that decide which way
            they are folded, so that beside a fold the values go on as on this side of it.
        dims: coordinates of the points, where it is not for pictures and volumes alike.
    """

    parts: tuple[int, ...]
    unit: str | None
    value: Callable[..., NDArray[np.float64]]
    signed: bool = False
    fold: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]] | None = None
    dims: Literal[2, 3] | None = None

    @property
    def count(self) -> int:
        """Of its landmarks."""
        return sum(self.parts)


def angle_between(first: Point, second: Point) -> NDArray[np.float64]:
    """Angles between directions (..., D) in degrees, (...) from 0 to 180; NaN where one has no length."""
    u, v = _unit(first), _unit(second)
    # the angle as of an isosceles triangle: exact near 0 and near 180, where the arc cosine is not
    halves = np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))
    return np.asarray(np.degrees(2 * halves))


def side_of(a: Point, b: Point, point: Point) -> NDArray[np.float64]:
    """1 where the point lies right of the line from a to b as the picture shows it (x right, y down), -1 left of it.

    NaN on the line, and where a and b coincide.
    """
    distance = _signed_distance(point, a, b)
    return np.where((distance == 0) | np.isnan(distance), np.nan, np.copysign(1.0, distance))


def _unit(direction: Point) -> Point:
    length = np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.asarray(direction / np.where(length > 0, length, np.nan))


def _distance(a: Point, b: Point) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(b - a, axis=-1))


def _angle(a: Point, b: Point, c: Point) -> NDArray[np.float64]:
    return angle_between(a - b, c - b)


def _line_angle(a: Point, b: Point, c: Point, d: Point) -> NDArray[np.float64]:
    return angle_between(b - a, d - c)


def _signed_angle(a: Point, b: Point, c: Point, d: Point) -> NDArray[np.float64]:
    u, v = _planar(_unit(b - a)), _planar(_unit(d - c))
    return np.asarray(np.degrees(np.arctan2(_cross(u, v), _dot(u, v))))


def _signed_distance(p: Point, a: Point, b: Point) -> NDArray[np.float64]:
    return _cross(_planar(_unit(b - a)), _planar(p - a))


def _projected_distance(a: Point, b: Point, c: Point, d: Point) -> NDArray[np.float64]:
    return _dot(b - a, _unit(d - c))


def _directed_distance(a: Point, b: Point, c: Point, d: Point) -> NDArray[np.float64]:
    ahead = _projected_distance(a, b, c, d)
    return np.where(np.isnan(ahead), np.nan, np.copysign(_distance(a, b), ahead))


def _ratio(a: Point, b: Point, c: Point, d: Point) -> NDArray[np.float64]:
    below = _distance(c, d)
    return np.asarray(_distance(a, b) / np.where(below > 0, below, np.nan))


def _ellipse_perimeter(a: Point, b: Point, c: Point, d: Point) -> NDArray[np.float64]:
    """Of the ellipse whose axes are as long as a-b and c-d, exactly, by Gauss's arithmetic-geometric mean.

    2 pi (x^2 - sum 2^(n-1) c_n^2) / agm(x, y) with the half axes x >= y, c_0^2 = x^2 - y^2 and c_n half the difference
    of the two means before. Source: Abramowitz and Stegun (1964) 17.6.
    """
    axes = np.stack([_distance(a, b), _distance(c, d)]) / 2
    larger, smaller = axes.max(axis=0), axes.min(axis=0)
    smaller = np.where(smaller > 0, smaller, np.nan)
    rest = (larger**2 + smaller**2) / 2
    for step in range(_MEANS):
        rest = rest - 2.0**step * ((larger - smaller) / 2) ** 2
        larger, smaller = (larger + smaller) / 2, np.sqrt(larger * smaller)
    return np.asarray(2 * np.pi * rest / larger)


def _line_distance(p: Point, a: Point, b: Point) -> NDArray[np.float64]:
    along = _unit(b - a)
    return np.asarray(np.linalg.norm((p - a) - _dot(p - a, along)[..., None] * along, axis=-1))


def _above_plane(x: Point, p: Point, q: Point, r: Point) -> NDArray[np.float64]:
    """How far x lies above the plane, from where its points turn against the clock."""
    return _dot(x - p, _normal(p, q, r))


def _elevation(a: Point, b: Point, p: Point, q: Point, r: Point) -> NDArray[np.float64]:
    """How steeply the line leads above the plane, -90 to 90."""
    return np.asarray(90 - angle_between(b - a, _normal(p, q, r)))


def _plane_angle(p: Point, q: Point, r: Point, s: Point, t: Point, u: Point) -> NDArray[np.float64]:
    """Between the planes' normals, 0 to 180."""
    return angle_between(_normal(p, q, r), _normal(s, t, u))


def _without_sign(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.where(at < 0, -values, values))


def _acute(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.where(at > 90, 180 - values, values))


def _normal(p: Point, q: Point, r: Point) -> Point:
    """The unit normal of the plane through three points; NaN where they lie on a line."""
    u, v = _spatial(q - p), r - p
    normal, lengths = np.cross(u, v), np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1)
    flat = np.linalg.norm(normal, axis=-1) <= _ON_A_LINE * lengths
    return _unit(np.where(flat[..., None], np.nan, normal))


def _cross(u: Point, v: Point) -> NDArray[np.float64]:
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])


def _dot(u: Point, v: Point) -> NDArray[np.float64]:
    return np.asarray((u * v).sum(axis=-1))


def _planar(vector: Point) -> Point:
    if vector.shape[-1] != 2:
        raise ValueError(
            f"A measurement with a side must be of points in a plane; got {vector.shape[-1]} coordinates. Choose a "
            "kind without sign."
        )
    return vector


def _spatial(vector: Point) -> Point:
    if vector.shape[-1] != 3:
        raise ValueError(
            f"A measurement with a plane must be of points in space; got {vector.shape[-1]} coordinates. Choose a "
            "kind without a plane."
        )
    return vector


KINDS = {
    "distance": Kind((2,), None, _distance),
    "angle": Kind((3,), "deg", _angle),
    "line_angle": Kind((2, 2), "deg", _line_angle),
    "signed_angle": Kind((2, 2), "deg", _signed_angle, signed=True, dims=2),
    "signed_distance": Kind((3,), None, _signed_distance, signed=True, dims=2),
    "line_distance": Kind((3,), None, _line_distance),
    "plane_distance": Kind((4,), None, _above_plane, fold=_without_sign, dims=3),
    "line_plane_angle": Kind((2, 3), "deg", _elevation, fold=_without_sign, dims=3),
    "plane_angle": Kind((3, 3), "deg", _plane_angle, fold=_acute, dims=3),
    "projected_distance": Kind((2, 2), None, _projected_distance),
    "directed_distance": Kind((2, 2), None, _directed_distance),
    "ratio": Kind((2, 2), "1", _ratio),
    "ellipse_perimeter": Kind((2, 2), None, _ellipse_perimeter),
}
