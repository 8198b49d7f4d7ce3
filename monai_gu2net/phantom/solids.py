# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Analytic solids, how far a ray runs through them, and where they are.

Rays are parallel to the third axis: the detector is the plane of the first two. Every solid is convex, so a
ray is inside it from ``near`` to ``far`` along the third axis; both have a closed form. Lengths are in mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Body", "Ellipsoid", "Floats", "RoundCone", "Solid", "shadow"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid in any orientation.

    Args:
        centre: (3,) in mm.
        axes: (3, 3), each column a semi-axis as a vector in mm.
    """

    centre: Floats
    axes: Floats

    def interval(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Where rays enter and leave: see `Solid.interval`."""
        to_unit_sphere = np.linalg.inv(self.axes)
        form = to_unit_sphere.T @ to_unit_sphere
        dx, dy = x - self.centre[0], y - self.centre[1]
        half_linear = form[0, 2] * dx + form[1, 2] * dy
        constant = form[0, 0] * dx**2 + 2 * form[0, 1] * dx * dy + form[1, 1] * dy**2 - 1
        return _roots(form[2, 2], half_linear, constant, self.centre[2])

    def bounds(self) -> Floats:
        """(2, 2) lowest and highest x and y of the shadow on the detector."""
        reach = np.linalg.norm(self.axes[:2], axis=1)
        return np.stack([self.centre[:2] - reach, self.centre[:2] + reach])

    def support(self, direction: Floats) -> Floats:
        """(3,) the surface point farthest along `direction` (3,)."""
        along = self.axes.T @ direction
        return self.centre + self.axes @ along / np.linalg.norm(along)

    def scaled(self, factor: float) -> Ellipsoid:
        """The same about the origin, `factor` times as large."""
        return Ellipsoid(self.centre * factor, self.axes * factor)

    def turned(self, matrix: Floats) -> Ellipsoid:
        """The same in other axes: points (3,) become ``matrix @ point``, orthogonal (3, 3)."""
        return Ellipsoid(matrix @ self.centre, matrix @ self.axes)

    def shrunk(self, thickness: float) -> Ellipsoid:
        """The same with every semi-axis shorter by `thickness` mm (at least a tenth of it remains)."""
        lengths = np.linalg.norm(self.axes, axis=0)
        return Ellipsoid(self.centre, self.axes * np.maximum(1 - thickness / lengths, 0.1))


@dataclass(frozen=True, eq=False)
class RoundCone:
    """The convex hull of two spheres: a capsule where their radii are equal.

    Args:
        start: (3,) centre of the first sphere in mm.
        start_radius: its radius in mm.
        end: (3,) centre of the second sphere in mm.
        end_radius: its radius in mm.
    """

    start: Floats
    start_radius: float
    end: Floats
    end_radius: float

    def interval(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Where rays enter and leave: see `Solid.interval`."""
        near, far = _sphere_interval(x, y, self.start, self.start_radius)
        near_end, far_end = _sphere_interval(x, y, self.end, self.end_radius)
        near, far = np.minimum(near, near_end), np.maximum(far, far_end)
        axis, taper = self.end - self.start, self.start_radius - self.end_radius
        length2 = float(axis @ axis)
        slant2 = length2 - taper**2
        quadratic = slant2 - axis[2] ** 2
        # One sphere holds the other, or the rays run along the mantle: the spheres alone bound every ray.
        if slant2 <= 0 or abs(quadratic) < 1e-12 * length2:
            return near, far
        dx, dy = x - self.start[0], y - self.start[1]
        along = axis[0] * dx + axis[1] * dy
        linear = axis[2] * (taper * self.start_radius - along)
        constant = (
            slant2 * (dx**2 + dy**2) - along**2 + 2 * along * taper * self.start_radius - length2 * self.start_radius**2
        )
        square = linear**2 - constant * quadratic
        root = np.sqrt(np.maximum(square, 0))
        for signed in (-root, root):
            depth = (signed - linear) / quadratic
            height = along - self.start_radius * taper + depth * axis[2]
            on_mantle = (square > 0) & (height > 0) & (height < slant2)
            near = np.where(on_mantle, np.minimum(near, depth + self.start[2]), near)
            far = np.where(on_mantle, np.maximum(far, depth + self.start[2]), far)
        return near, far

    def bounds(self) -> Floats:
        """(2, 2) lowest and highest x and y of the shadow on the detector."""
        centres = np.stack([self.start, self.end])[:, :2]
        radii = np.array([[self.start_radius], [self.end_radius]])
        return np.stack([(centres - radii).min(axis=0), (centres + radii).max(axis=0)])

    def support(self, direction: Floats) -> Floats:
        """(3,) the surface point farthest along `direction` (3,)."""
        unit = direction / np.linalg.norm(direction)
        candidates = np.stack([self.start + self.start_radius * unit, self.end + self.end_radius * unit])
        farthest: Floats = candidates[np.argmax(candidates @ unit)]
        return farthest

    def scaled(self, factor: float) -> RoundCone:
        """The same about the origin, `factor` times as large."""
        return RoundCone(self.start * factor, self.start_radius * factor, self.end * factor, self.end_radius * factor)

    def turned(self, matrix: Floats) -> RoundCone:
        """The same in other axes: points (3,) become ``matrix @ point``, orthogonal (3, 3)."""
        return RoundCone(matrix @ self.start, self.start_radius, matrix @ self.end, self.end_radius)

    def shrunk(self, thickness: float) -> RoundCone:
        """The same with both radii smaller by `thickness` mm (at least a tenth of each remains)."""
        radii = [max(r - thickness, 0.1 * r) for r in (self.start_radius, self.end_radius)]
        return RoundCone(self.start, radii[0], self.end, radii[1])


Solid = Ellipsoid | RoundCone
"""A convex solid.

``interval(x, y)`` takes detector positions in mm that broadcast and returns depths in mm: ``near`` <= ``far``
where a ray meets the solid; +inf and -inf where it does not.
"""


@dataclass(frozen=True, eq=False)
class Body:
    """A connected union of solids of one material, less the solids carved out of it.

    Along a ray the union counts as one stretch, from its first to its last point. That is exact where the
    solids that a ray meets overlap along it, which holds for neighbours in a chain.

    Args:
        solids: the union; overlaps count once.
        attenuation: linear attenuation in 1/mm above what it replaces; negative for air or marrow.
        carved: solids taken out of the union, again as one stretch along a ray.
    """

    solids: Sequence[Solid]
    attenuation: float
    carved: Sequence[Solid] = ()

    def bounds(self) -> Floats:
        """(2, 2) lowest and highest x and y of the shadow on the detector."""
        corners = np.stack([solid.bounds() for solid in self.solids])
        return np.stack([corners[:, 0].min(axis=0), corners[:, 1].max(axis=0)])

    def path_lengths(self, x: Floats, y: Floats) -> Floats:
        """Length of each ray inside the body.

        Args:
            x: (X,) ascending detector positions in mm.
            y: (Y,) ascending detector positions in mm.

        Returns:
            (X, Y) lengths in mm, 0 where a ray misses.
        """
        near, far = _union(self.solids, x, y)
        lengths = np.maximum(far - near, 0)
        if self.carved:
            near_cut, far_cut = _union(self.carved, x, y)
            lengths -= np.maximum(np.minimum(far, far_cut) - np.maximum(near, near_cut), 0)
        return lengths

    def scaled(self, factor: float) -> Body:
        """The same about the origin, `factor` times as large."""
        return Body(
            tuple(s.scaled(factor) for s in self.solids),
            self.attenuation,
            tuple(s.scaled(factor) for s in self.carved),
        )

    def turned(self, matrix: Floats) -> Body:
        """The same in other axes: points (3,) become ``matrix @ point``, orthogonal (3, 3)."""
        return Body(
            tuple(s.turned(matrix) for s in self.solids), self.attenuation, tuple(s.turned(matrix) for s in self.carved)
        )


def _union(solids: Sequence[Solid], x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """First and last depth in any of the solids; each solid is evaluated in its own bounding box only."""
    near = np.full((len(x), len(y)), np.inf)
    far = np.full((len(x), len(y)), -np.inf)
    for solid in solids:
        columns, rows = seen = shadow(solid, x, y)
        if near[seen].size:
            solid_near, solid_far = solid.interval(x[columns, None], y[None, rows])
            np.minimum(near[seen], solid_near, out=near[seen])
            np.maximum(far[seen], solid_far, out=far[seen])
    return near, far


def shadow(thing: Solid | Body, x: Floats, y: Floats) -> tuple[slice, slice]:
    """The columns and rows of the detector on which a shadow may fall: those within its bounds."""
    columns, rows = (
        slice(np.searchsorted(centres, low), np.searchsorted(centres, high, side="right"))
        for centres, low, high in zip((x, y), *thing.bounds(), strict=True)
    )
    return columns, rows


def _sphere_interval(x: Floats, y: Floats, centre: Floats, radius: float) -> tuple[Floats, Floats]:
    """Where rays enter and leave a sphere."""
    constant = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 - radius**2
    return _roots(1.0, np.zeros_like(constant), constant, centre[2])


def _roots(quadratic: float, half_linear: Floats, constant: Floats, offset: float) -> tuple[Floats, Floats]:
    """Both roots of quadratic t^2 + 2 half_linear t + constant, plus offset; +-inf where there are none."""
    square = half_linear**2 - quadratic * constant
    hit = square >= 0
    root = np.sqrt(np.where(hit, square, 0)) / quadratic
    middle = offset - half_linear / quadratic
    return np.where(hit, middle - root, np.inf), np.where(hit, middle + root, -np.inf)
