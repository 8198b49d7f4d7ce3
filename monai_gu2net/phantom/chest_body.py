# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A chest from behind (PA), the patient's right on the image's left: six landmarks of the lungs.

The patient's coordinates: x to the patient's left, y down, z forwards, origin in the middle of the thorax;
mm.
"""

from __future__ import annotations

import numpy as np

from monai_gu2net.phantom.anatomy import Anatomy, Pose, Tissue, bone, outline_crossing
from monai_gu2net.phantom.solids import Body, Ellipsoid, Floats, Solid

__all__ = ["draw_chest"]

SIDES = {"right": -1.0, "left": 1.0}


def draw_chest(rng: np.random.Generator) -> Anatomy:
    """A random chest.

    Size, breath (the height of both domes of the diaphragm), the size and turn of the heart, the arms and the
    turn of the patient vary.
    """
    anatomy = Anatomy()
    pose = Pose.draw(rng, in_plane_deg=4, tilt_deg=5)
    tall = rng.uniform(0.9, 1.12)
    heart = pose.ellipsoid(
        (rng.normal(24, 4), rng.normal(52, 4), 15),
        (rng.uniform(60, 74), rng.uniform(42, 54), 55),
        rng.uniform(30, 48),
    )
    aorta = pose.cone((rng.normal(22, 2), -48 * tall, 0), rng.uniform(15, 20), (14, 60, -20), 14.0)
    mediastinum: list[Solid] = [
        heart,
        aorta,
        pose.cone((0, -190, -10), 19.0, (3, -40, -5), 24.0),
        pose.cone((3, -40, -5), 24.0, (4, 160, -10), 26.0),
    ]
    for name, side in SIDES.items():
        _draw_lung(anatomy, pose, rng, name, side, tall, mediastinum)
    _draw_skeleton(anatomy, pose, rng, tall)
    _draw_soft_tissue(anatomy, pose, rng, tall)
    return anatomy.scaled(rng.uniform(0.88, 1.08))


def _draw_lung(
    anatomy: Anatomy,
    pose: Pose,
    rng: np.random.Generator,
    name: str,
    side: float,
    tall: float,
    mediastinum: list[Solid],
) -> None:
    """One lung with its vessels and landmarks.

    The dome of the diaphragm runs along the rays and is far deeper than the lung, so the whole lung ends on
    the dome's outline; the two angles are where that outline crosses those of the lung's wall and of the
    heart or the vessels.
    """
    wall = pose.cone((46 * side, -104 * tall, -5), 33.0, (76 * side, 60, 0), rng.uniform(60, 66))
    top = (66 if name == "right" else 74) + rng.normal(0, 6)
    dome_axes = pose.ellipsoid((0, 0, 0), (78, 46, 1), 8 * side).axes
    dome_axes[:, 2] = (0, 0, 1000)
    dome = Ellipsoid(pose.point((74 * side, top + 46, 0)), dome_axes)
    lung = Body([wall], Tissue.LUNG, carved=[dome, *mediastinum])
    anatomy.bodies.append(lung)
    outer_deg, inner_deg = (180.0, 360.0) if side < 0 else (360.0, 180.0)
    anatomy.mark(f"{name}_lung_apex", wall.support(pose.towards((0, -1, 0))))
    anatomy.mark(f"{name}_costophrenic_angle", outline_crossing(dome, [wall], 270, outer_deg))
    anatomy.mark(f"{name}_cardiophrenic_angle", outline_crossing(dome, mediastinum, outer_deg, inner_deg))

    hilum = np.array([24 * side, -10 * tall, -5])
    vessels: list[Solid] = []
    for turn in rng.uniform(-75, 75, 9):
        middle = hilum + side * 26 * np.array([np.cos(np.deg2rad(turn)), side * np.sin(np.deg2rad(turn)), 0])
        for bend in rng.normal(0, 20, 2):
            reach = np.deg2rad(turn + bend)
            length = rng.uniform(18, 40)
            end = middle + side * length * np.array([np.cos(reach), side * np.sin(reach), rng.normal(0, 0.3)])
            vessels += pose.chain([hilum, middle, end], (4.0, 2.4, 0.9))
    anatomy.bodies.append(Body(vessels, -Tissue.LUNG))


def _draw_skeleton(anatomy: Anatomy, pose: Pose, rng: np.random.Generator, tall: float) -> None:
    """Spine, ribs, clavicles, scapulae and the heads of the humeri."""
    for number in range(18):
        y = -180 + 21 * number
        anatomy.bodies += bone([pose.ellipsoid((0, y, -55), (16, 9, 14))], compact_mm=1.3)
        anatomy.bodies += bone([pose.ellipsoid((0, y + 4, -80), (3, 7, 8))], compact_mm=1.0)
    slope = rng.uniform(0.85, 1.2)
    for side in SIDES.values():
        for number in range(10):
            _draw_rib(anatomy, pose, side, number, tall, slope)
        lift = rng.normal(0, 8)
        inner, outer = (13.0 * side, -96 * tall, 55.0), (128 * side, -122 * tall + lift, 0.0)
        bow = (60 * side, -103 * tall + 0.3 * lift, 45.0)
        anatomy.bodies += bone(pose.chain([inner, bow, outer], (7, 4.8, 5.6)), compact_mm=1.4)
        shoulder = np.array([150 * side + rng.normal(0, 5), -104 * tall + lift, -10])
        arm = shoulder + np.array([28 * side, 150, 0])
        humerus: list[Solid] = [pose.ellipsoid(shoulder, (21, 22, 21)), pose.cone(shoulder, 14.0, arm, 10.0)]
        anatomy.bodies += bone(humerus, compact_mm=2.0)
        tip = np.array([118 * side, 20 * tall + lift, -80])
        blade = pose.chain(
            [shoulder + np.array([-8 * side, 6, -10]), tip, (88 * side, -90 * tall + lift, -80)],
            (4.5, 3.5, 3.0),
        )
        anatomy.bodies += bone(blade, compact_mm=1.2)


def _draw_rib(anatomy: Anatomy, pose: Pose, side: float, number: int, tall: float, slope: float) -> None:
    """One rib: a half-circle from the spine around the lung, falling to the front."""
    start = (-118 + 21.5 * number) * tall
    width = 146 - 84 * np.exp(-(number + 1) / 4.5)
    fall = slope * (38 + 3.0 * number)

    def centre(turn_deg: float) -> Floats:
        turn = np.deg2rad(turn_deg)
        across, deep = np.sin(turn), np.cos(turn)
        return np.array([side * (10 + width * across), start + fall * (1 - deep) - 9 * across, -85 * deep])

    for turns in (np.linspace(4, 96, 8), np.linspace(96, 158, 5)):
        radii = [4.6] * len(turns)
        anatomy.bodies.append(Body(pose.chain([centre(turn) for turn in turns], radii), 0.6 * Tissue.COMPACT_BONE))


def _draw_soft_tissue(anatomy: Anatomy, pose: Pose, rng: np.random.Generator, tall: float) -> None:
    """Trunk, neck and arms, breasts in half of the patients, windpipe and stomach bubble."""
    stout = rng.uniform(0.94, 1.1)
    trunk: list[Solid] = [
        pose.cone((0, -260, 0), 52.0, (0, -110 * tall, 0), 60.0),
        pose.ellipsoid((0, 30, 0), (172 * stout, 220, 96 * stout)),
        pose.ellipsoid((0, 190, 0), (168 * stout, 190, 115 * stout)),
    ]
    for side in SIDES.values():
        trunk += pose.chain([(30 * side, -150 * tall, 0), (150 * side, -108 * tall, -10)], (40, 46))
        trunk += pose.chain([(150 * side, -108 * tall, -10), (188 * side, 60, -10)], (46, 36))
    anatomy.bodies.append(Body(trunk, Tissue.SOFT))
    if rng.random() < 0.5:
        size = rng.uniform(42, 62)
        for side in SIDES.values():
            breast = pose.ellipsoid((82 * side, 42 + rng.normal(0, 6), 105), (size * 1.1, size, 0.6 * size))
            anatomy.bodies.append(Body([breast], 0.8 * Tissue.SOFT))
    anatomy.bodies.append(Body(pose.chain([(0, -230, 15), (1, -60, 0)], (8.0, 8.5)), Tissue.AIR))
    if rng.random() < 0.6:
        bubble = pose.ellipsoid((62 + rng.normal(0, 8), 112 + rng.normal(0, 6), 20), (26, rng.uniform(9, 16), 30), -8)
        anatomy.bodies.append(Body([bubble], Tissue.AIR))
