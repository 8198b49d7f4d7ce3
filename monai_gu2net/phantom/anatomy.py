# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the anatomies are made of: a pose, tissues, and landmarks found on the outlines of solids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from monai_gu2net.phantom.solids import Body, Ellipsoid, Floats, RoundCone, Solid

__all__ = ["Anatomy", "Point", "Pose", "Tissue", "bone", "outline_crossing"]

Point = tuple[float, float, float]


class Tissue:
    """Linear attenuation in 1/mm at about 60 keV, above soft tissue for everything inside it."""

    SOFT = 0.020
    COMPACT_BONE = 0.060
    SPONGY_BONE = 0.020
    TOOTH = 0.070
    METAL = 0.50
    AIR = -SOFT
    LUNG = -0.85 * SOFT


@dataclass
class Anatomy:
    """Bodies to draw and landmarks to find, in the frame of the detector (x right, y down, z depth; mm).

    Args:
        bodies: everything that attenuates; their line integrals add up.
        landmarks: (2,) x and y in mm by name; a name that is missing is a landmark that this patient lacks.
        in_space: (3,) the same in space, where those of a pair have each a name, such as "right_gonion".
    """

    bodies: list[Body] = field(default_factory=list)
    landmarks: dict[str, Floats] = field(default_factory=dict)
    in_space: dict[str, Floats] = field(default_factory=dict)

    def mark(self, name: str, *points: Floats) -> None:
        """Set a landmark to the mean of points (3,): one, or the right and the left one of a pair."""
        self.landmarks[name] = np.mean(points, axis=0)[:2]
        self.mark_in_space(name, *points)

    def mark_in_space(self, name: str, *points: Floats) -> None:
        """Set a landmark in space alone, where it is another point than that which is seen on the detector."""
        names = (name,) if len(points) == 1 else (f"right_{name}", f"left_{name}")
        self.in_space |= dict(zip(names, points, strict=True))

    def scaled(self, factor: float) -> Anatomy:
        """The same, `factor` times as large."""
        return Anatomy(
            [body.scaled(factor) for body in self.bodies],
            {k: v * factor for k, v in self.landmarks.items()},
            {k: v * factor for k, v in self.in_space.items()},
        )

    def turned(self, matrix: Floats) -> Anatomy:
        """The same in other axes, off the detector: points (3,) become ``matrix @ point``, orthogonal (3, 3)."""
        turned = {name: matrix @ point for name, point in self.in_space.items()}
        return Anatomy([body.turned(matrix) for body in self.bodies], in_space=turned)


@dataclass(frozen=True, eq=False)
class Pose:
    """Makes solids from the patient's own coordinates (mm; in rest x right, y down, z depth on the detector).

    Args:
        rotation: (3, 3) from the patient to the detector.
    """

    rotation: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, *, in_plane_deg: float, tilt_deg: float) -> Pose:
        """A small random turn: up to `in_plane_deg` about the rays and `tilt_deg` about each other axis."""
        limits = np.deg2rad([tilt_deg, tilt_deg, in_plane_deg])
        turns = rng.uniform(-limits, limits)
        (ca, cb, cc), (sa, sb, sc) = np.cos(turns), np.sin(turns)
        about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
        about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
        about_z = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
        return cls(about_z @ about_y @ about_x)

    def point(self, patient: Point | Floats) -> Floats:
        """(3,) on the detector's axes."""
        return self.rotation @ np.asarray(patient, dtype=np.float64)

    def towards(self, patient: Point) -> Floats:
        """(3,) unit vector in the plane of the detector: supports along it lie on the visible outline."""
        direction = self.rotation @ np.asarray(patient, dtype=np.float64)
        direction[2] = 0.0
        return direction / np.linalg.norm(direction)

    def ellipsoid(self, centre: Point | Floats, semi_axes: Point, turn_deg: float = 0.0) -> Ellipsoid:
        """An ellipsoid whose first two semi-axes are turned about z (x towards y) by `turn_deg`."""
        c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return Ellipsoid(self.point(centre), self.rotation @ turned * np.asarray(semi_axes, dtype=np.float64))

    def cone(self, start: Point | Floats, start_radius: float, end: Point | Floats, end_radius: float) -> RoundCone:
        """A round cone."""
        return RoundCone(self.point(start), start_radius, self.point(end), end_radius)

    def chain(self, points: Sequence[Point | Floats], radii: Sequence[float]) -> list[Solid]:
        """Round cones from each point to the next."""
        spheres = list(zip(points, radii, strict=True))
        return [self.cone(*a, *b) for a, b in pairwise(spheres)]


def bone(solids: Sequence[Solid], *, compact_mm: float) -> list[Body]:
    """A bone: compact bone with a spongy inside.

    Args:
        solids: its shape.
        compact_mm: thickness of the compact layer in mm.
    """
    inside = [solid.shrunk(compact_mm) for solid in solids]
    return [Body(solids, Tissue.COMPACT_BONE), Body(inside, Tissue.SPONGY_BONE - Tissue.COMPACT_BONE)]


def outline_crossing(along: Ellipsoid, other: Sequence[Solid], start_deg: float, stop_deg: float) -> Floats:
    """Where the outline of one solid's shadow first crosses the outline of others.

    Args:
        along: the ellipsoid whose outline is followed.
        other: its neighbours, together.
        start_deg: direction (x towards y) of the outline's normal where the search begins.
        stop_deg: direction of the normal where it ends.

    Returns:
        (3,) a point of the outline of `along`, on the outline of `other` to 1e-9 degrees.

    Raises:
        ValueError: the outlines do not cross in between.
    """
    to_outline = along.axes @ along.axes.T
    low, high = start_deg, stop_deg
    while True:
        turns = np.deg2rad(np.linspace(low, high, 129))
        normals = np.stack([np.cos(turns), np.sin(turns), np.zeros_like(turns)])
        reach = to_outline @ normals
        outline = along.centre[:, None] + reach / np.sqrt((normals * reach).sum(axis=0))
        intervals = [solid.interval(outline[0], outline[1]) for solid in other]
        covered = np.any([near <= far for near, far in intervals], axis=0)
        crossed = covered != covered[0]
        if not crossed.any():
            raise ValueError(
                f"Two outlines must cross between {start_deg} and {stop_deg} degrees; got none. "
                "Check the sizes in the anatomy."
            )
        first = int(crossed.argmax())
        if abs(high - low) < 1e-7:
            found: Floats = outline[:, first]
            return found
        low, high = np.rad2deg(turns[[first - 1, first]])
