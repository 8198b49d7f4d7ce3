# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A spine from behind (PA), the patient's right on the image's left: the corners of 17 vertebral bodies.

The patient's coordinates in mm: x to the patient's left, y down, z forwards, origin in the middle of the spine.

The measures are round numbers of general anatomy, traced from no radiograph: heights, breadths and depths of the
bodies rise as in Panjabi et al., Spine 16 (1991) 888, thoracic, and 17 (1992) 299, lumbar; heights of the discs, ribs,
pelvis and flesh are of the usual order. The curve is drawn at random, from nearly straight to a Cobb angle of 55
degrees, and the bodies turn about it as they do in scoliosis, towards its convex side. The curve in the sagittal plane
runs along the rays and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_gu2net.landmarks.anatomical_names import VERTEBRAE
from monai_gu2net.phantom.anatomy import Anatomy, Point, Pose, Tissue, bone
from monai_gu2net.phantom.solids import Body, Ellipsoid, Floats, Solid

__all__ = ["draw_spine"]

# Top and bottom, left and right as the image shows them.
CORNERS = {"tl": (-1.0, -1.0), "tr": (1.0, -1.0), "bl": (-1.0, 1.0), "br": (1.0, 1.0)}

_NUMBERS = np.arange(len(VERTEBRAE))
HEIGHTS = np.interp(_NUMBERS, (0, 11, 13), (14.5, 22.5, 24))
BREADTHS = np.interp(_NUMBERS, (0, 3, 11, 16), (27, 25, 40, 48))
DEPTHS = np.interp(_NUMBERS, (0, 11, 16), (18, 32, 35))
DISCS = np.interp(_NUMBERS[:-1], (0, 6, 11, 15), (4, 4, 7, 11))
RIB_BREADTHS = np.interp(_NUMBERS[:12], (0, 6, 10, 11), (55, 120, 100, 75))
EDGE = 2.5
COBB_DEG = (3.0, 55.0)
TURN_DEG_PER_MM = 0.3
SIDES = (-1.0, 1.0)


@dataclass(frozen=True, eq=False)
class _Vertebra:
    """Where a vertebra is.

    Args:
        centre: (3,) of its body in the patient's coordinates.
        turn: (3, 3) from its own axes (x left, y down, z forwards) to the patient's.
        size: breadth, height and depth of its body in mm.
    """

    centre: Floats
    turn: Floats
    size: Floats

    def at(self, x: float, y: float, z: float) -> Floats:
        """A point of its own axes, from the centre of its body."""
        return self.centre + self.turn @ np.array([x, y, z])


def draw_spine(rng: np.random.Generator) -> Anatomy:
    """A random spine.

    Size, curve, the bodies' proportions, the slope of the ribs, the lungs and the gas in the bowel vary.
    """
    anatomy = Anatomy()
    pose = Pose.draw(rng, in_plane_deg=3, tilt_deg=4)
    spine = _chain(rng)
    for name, vertebra in zip(VERTEBRAE, spine, strict=True):
        _draw_vertebra(anatomy, pose, name, vertebra)
    slope = rng.uniform(0.8, 1.2)
    for number, breadth in enumerate(RIB_BREADTHS):
        for side in SIDES:
            _draw_rib(anatomy, pose, spine[number].centre, side, float(breadth), slope * (18 + 4 * number))
    _draw_pelvis(anatomy, pose, spine[-1])
    _draw_soft_tissue(anatomy, pose, rng)
    return anatomy.scaled(rng.uniform(0.82, 1.05))


def _tilts(rng: np.random.Generator) -> Floats:
    """(17,) tilt of each vertebra in the image in radians: half a wave to a bit more than one along the spine."""
    waves, phase = rng.uniform(0.5, 1.2), rng.uniform(0, 1)
    wave = np.sin(2 * np.pi * (waves * _NUMBERS / _NUMBERS[-1] + phase))
    tilts: Floats = np.deg2rad(rng.uniform(*COBB_DEG)) * wave / np.ptp(wave)
    return tilts - tilts.mean()  # the neck stays above the pelvis


def _chain(rng: np.random.Generator) -> list[_Vertebra]:
    """The vertebrae from the top: half a body, a disc and half a body on, each along its own tilt."""
    tilts = _tilts(rng) + np.deg2rad(rng.normal(0, 0.7, len(VERTEBRAE)))
    build = rng.uniform(0.94, 1.06)
    sizes = np.stack([BREADTHS * build, HEIGHTS, DEPTHS * build], axis=1) * rng.normal(1, 0.02, (len(VERTEBRAE), 3))
    discs = DISCS * rng.uniform(0.9, 1.1)

    def down(tilt: float) -> Floats:
        return np.array([np.sin(tilt), np.cos(tilt), 0.0])

    centres = [np.zeros(3)]
    for number, disc in enumerate(discs):
        above, below = tilts[number], tilts[number + 1]
        step = sizes[number, 1] / 2 * down(above) + disc * down((above + below) / 2)
        centres.append(centres[-1] + step + sizes[number + 1, 1] / 2 * down(below))
    placed = np.stack(centres) - (centres[0] + centres[-1]) / 2
    aside = placed[:, 0] - placed[:, 0].mean()
    return [
        _Vertebra(centre, _turn(tilt, np.deg2rad(TURN_DEG_PER_MM * shift)), size)
        for centre, tilt, shift, size in zip(placed, tilts, aside, sizes, strict=True)
    ]


def _turn(tilt: float, axial: float) -> Floats:
    """(3, 3): about its own long axis, its front to +x for a positive angle, then in the image."""
    (ct, ca), (st, sa) = np.cos([tilt, axial]), np.sin([tilt, axial])
    in_image = np.array([[ct, st, 0], [-st, ct, 0], [0, 0, 1]])
    return in_image @ np.array([[ca, 0, sa], [0, 1, 0], [-sa, 0, ca]])


def _draw_vertebra(anatomy: Anatomy, pose: Pose, name: str, vertebra: _Vertebra) -> None:
    """The body with its corners, pedicles, transverse processes and the spinous process."""
    breadth, height, depth = vertebra.size
    layers = _body(pose, vertebra)
    anatomy.bodies += bone([rod for layer in layers for rod in layer], compact_mm=0.7)
    for corner, (x, y) in CORNERS.items():
        outwards = pose.towards(tuple(vertebra.turn @ np.array([x, y, 0.0])))
        edges = [[rod.support(outwards) for rod in layer] for layer in (layers[0], layers[-1])]
        # Where a turned body's shadow is half as deep as inside it: half-way from its front corner to its back one.
        anatomy.mark(f"{name}_{corner}", *(max(edge, key=lambda point: float(point @ outwards)) for edge in edges))

    back = -depth / 2
    for side in SIDES:
        pedicle = vertebra.at(0.32 * side * breadth, -0.15 * height, back)
        joint = vertebra.at(0.36 * side * breadth, -0.1 * height, back - 14)
        tip = vertebra.at(side * (0.4 * breadth + 17), 0.0, back - 18)
        arch = pose.chain([pedicle, joint, tip], (3.4, 4.2, 3.0))
        anatomy.bodies += bone(arch, compact_mm=0.8)
    spinous = pose.cone(vertebra.at(0, 0.1 * height, back - 18), 3.0, vertebra.at(0, 0.5 * height, back - 36), 3.6)
    anatomy.bodies += bone([spinous], compact_mm=0.8)


def _body(pose: Pose, vertebra: _Vertebra) -> list[list[Solid]]:
    """A box with rounded edges and a waist: layers from back to front, each of rods from side to side.

    Neighbours of a layer overlap. Layers need not, for a ray counts as inside from the first rod to the last.
    """
    breadth, height, depth = vertebra.size
    ends, rows = height / 2 - EDGE, int(np.ceil((height - 2 * EDGE) / (1.2 * EDGE))) + 1
    layers: list[list[Solid]] = []
    for z in np.linspace(EDGE - depth / 2, depth / 2 - EDGE, 4):
        rods: list[Solid] = []
        for share in np.linspace(-1, 1, rows):
            reach = breadth / 2 * (0.9 + 0.1 * share**2) - EDGE
            rods.append(
                pose.cone(vertebra.at(-reach, share * ends, z), EDGE, vertebra.at(reach, share * ends, z), EDGE)
            )
        layers.append(rods)
    return layers


def _draw_rib(anatomy: Anatomy, pose: Pose, start: Floats, side: float, breadth: float, fall: float) -> None:
    """One rib: an arc from the vertebra around the lung, falling to the front."""

    def centre(turn_deg: float) -> Floats:
        across, deep = np.sin(np.deg2rad(turn_deg)), np.cos(np.deg2rad(turn_deg))
        return start + np.array([side * (14 + breadth * across), fall * (1 - deep) - 8 * across, 60 - 85 * deep])

    for turns in (np.linspace(4, 96, 7), np.linspace(96, 150, 4)):
        chain = pose.chain([centre(turn) for turn in turns], [4.2] * len(turns))
        anatomy.bodies.append(Body(chain, 0.5 * Tissue.COMPACT_BONE))


def _draw_pelvis(anatomy: Anatomy, pose: Pose, lowest: _Vertebra) -> None:
    """The sacrum below the lowest vertebra, and the wings of the pelvis."""
    below = lowest.size[1] / 2
    sacrum: list[Solid] = [pose.cone(lowest.at(0, below + 30, -8), 20.0, lowest.at(0, below + 95, -25), 9.0)]
    for side in SIDES:
        sacrum.append(pose.cone(lowest.at(0, below + 30, -8), 18.0, lowest.at(32 * side, below + 26, -15), 12.0))
        wing = pose.ellipsoid(lowest.centre + np.array([78 * side, 48, -5]), (44, 58, 8), 22 * side)
        anatomy.bodies += bone([wing], compact_mm=1.5)
    anatomy.bodies += bone(sacrum, compact_mm=1.5)


def _draw_soft_tissue(anatomy: Anatomy, pose: Pose, rng: np.random.Generator) -> None:
    """Trunk, neck and shoulders, the lungs beside the heart and above the diaphragm, gas in the bowel."""
    stout = rng.uniform(0.92, 1.1)
    trunk: list[Solid] = [
        pose.cone((0, -330, 20), 55.0, (0, -190, 30), 66.0),
        pose.ellipsoid((0, -60, 45), (158 * stout, 210, 100 * stout)),
        pose.ellipsoid((0, 170, 45), (150 * stout, 230, 108 * stout)),
    ]
    heart: list[Solid] = [
        pose.ellipsoid((rng.normal(24, 4), -40, 90), (62, rng.uniform(42, 52), 48), 35),
        pose.cone((0, -230, 60), 22.0, (4, 60, 60), 26.0),
    ]
    for side in SIDES:
        trunk += pose.chain([(30 * side, -225, 30), (150 * side, -170, 30)], (42, 44))
        wall = pose.cone((48 * side, -150, 50), 36.0, (74 * side, 10, 55), 58.0)
        dome = pose.ellipsoid((74 * side, 60 + rng.normal(0, 7), 50), (82, 52, 400))
        anatomy.bodies.append(Body([wall], Tissue.LUNG, carved=[dome, *heart]))
    anatomy.bodies.append(Body(trunk, Tissue.SOFT))
    for _ in range(rng.integers(1, 5)):
        centre: Point = (rng.uniform(-85, 85), rng.uniform(70, 200), rng.uniform(50, 100))
        gas: Ellipsoid = pose.ellipsoid(centre, (rng.uniform(8, 26), rng.uniform(7, 14), 12), rng.uniform(0, 180))
        anatomy.bodies.append(Body([gas], Tissue.AIR))
