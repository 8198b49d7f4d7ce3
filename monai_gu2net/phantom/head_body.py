# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A head from the side, facing right: the 19 landmarks of a lateral cephalogram, and those of them that lie in space.

The patient's coordinates: x forwards, y down, z to the patient's left, origin at the sella, Frankfort plane
level; mm.
Where right and left differ in the image, the landmark is their mean, as in cephalometry.
Source: proportions after the usual norms (S-N 70 mm at 7 degrees to Frankfort, SNA 82, SNB 80).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monai_gu2net.phantom.anatomy import Anatomy, Pose, Tissue, bone, outline_crossing
from monai_gu2net.phantom.solids import Body, Ellipsoid, Floats, Solid

__all__ = ["draw_head"]

SIDES = (-1.0, 1.0)
Place = Callable[..., Floats]
"""Where a point (x, y, z) of a jaw lies in the patient's coordinates; z is 0 unless given."""


def draw_head(rng: np.random.Generator, pose: Pose | None = None) -> Anatomy:
    """A random head.

    Size, the position of the upper jaw, the length and the opening of the lower jaw, the inclination of the
    incisors, the nose, the lips and the turn of the head vary. One head in twenty lacks an upper incisor.

    Args:
        rng: source of what varies.
        pose: its turn; by default a small one, drawn.
    """
    anatomy = Anatomy()
    pose = pose or Pose.draw(rng, in_plane_deg=7, tilt_deg=3.5)
    petrous = _draw_cranium(anatomy, pose, rng)
    moved = np.array([rng.normal(0, 2.0), rng.normal(0, 1.5), 0.0])

    def upper(x: float, y: float, z: float = 0.0) -> Floats:
        return moved + np.array([x, y, z])

    _draw_upper_jaw(anatomy, pose, rng, upper)
    lower = _lower_jaw(0.5 * moved, opening_deg=rng.normal(0, 2.5), length=rng.normal(1.0, 0.035))
    _draw_lower_jaw(anatomy, pose, rng, lower, petrous)
    _draw_spine(anatomy, pose, rng)
    _draw_soft_tissue(anatomy, pose, rng, upper, lower)
    return anatomy.scaled(rng.uniform(0.88, 1.1))


def _lower_jaw(moved: Floats, *, opening_deg: float, length: float) -> Place:
    """Places points of the lower jaw: lengthened, turned about the condyle, moved."""
    turn = np.deg2rad(opening_deg)
    c, s = np.cos(turn) * length, np.sin(turn) * length
    matrix = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    condyle = np.array([-9.0, 22.0, 0.0])

    def at(x: float, y: float, z: float = 0.0) -> Floats:
        placed: Floats = condyle + matrix @ (np.array([x, y, z]) - condyle) + moved
        return placed

    return at


def _draw_cranium(anatomy: Anatomy, pose: Pose, rng: np.random.Generator) -> list[Ellipsoid]:
    """Vault, skull base, orbits and ears; returns the right and the left petrous bone."""
    long, high = rng.normal(1, 0.02, 2)
    vault = pose.ellipsoid((-17 * long, -43 * high, 0), (92 * long, 66 * high, 73), -14)
    anatomy.bodies += bone([vault], compact_mm=1.6)
    hollow = vault.shrunk(rng.uniform(5, 8))
    anatomy.bodies.append(Body([hollow], -Tissue.SPONGY_BONE))

    rest = np.array([63.0 + rng.normal(0, 1.2), -12 + rng.normal(0, 1.2), 0.0])
    glabella = pose.cone((61, -32, 0), 9.0, rest, 5.0)
    nasion = glabella.support(pose.towards((1, 0.5, 0)))
    anatomy.bodies += bone([glabella], compact_mm=1.4)
    anatomy.mark("nasion", nasion)
    rest = pose.rotation.T @ nasion
    steep = rng.uniform(60, 72)
    nasal_bone = pose.ellipsoid(rest + np.array([3.0, 11.5, 0]), (11, 1.8, 7), steep)
    anatomy.bodies.append(Body([nasal_bone], Tissue.COMPACT_BONE))
    anatomy.bodies.append(Body([pose.ellipsoid(rest + np.array([-7, -15, 0]), (4.0, 10, 16), -12)], Tissue.AIR))

    fossa = np.array([0.0, 0.0, 0.0])
    pit = pose.ellipsoid(fossa, (rng.uniform(5.5, 7), rng.uniform(4.8, 6), 16))
    anatomy.mark("sella", pit.centre)
    around = pose.ellipsoid(fossa, (9, 8.3, 10))
    anatomy.bodies.append(Body([around], 0.7 * Tissue.COMPACT_BONE, carved=[pit]))
    base = [
        pose.ellipsoid((10, 2, 0), (6, 2.5, 10), 10),
        pose.ellipsoid((36, -4, 0), (30, 1.6, 16), -8),
        pose.ellipsoid((-15, 18, 0), (19, 4.5, 14), 128),
    ]
    for solid in base:
        anatomy.bodies += bone([solid], compact_mm=1.0)
    anatomy.bodies.append(Body([pose.ellipsoid((14, 12, 0), (11, 8, 14), 10)], Tissue.AIR))

    ears, openings, orbitals, petrous = [], [], [], []
    for side in SIDES:
        orbit = pose.ellipsoid((48, 5, 33 * side), (17, 18, 17))
        anatomy.bodies.append(
            Body([orbit], Tissue.COMPACT_BONE, carved=[pose.ellipsoid((49, 4.5, 33 * side), (16, 16, 18))])
        )
        orbitals.append(orbit.support(pose.towards((0, 1, 0))))
        rim = pose.chain([(57, 17.5, 20 * side), (48, 20.8, 33 * side), (37, 14, 40 * side)], (1.6, 2.2, 1.6))
        anatomy.bodies += bone(rim, compact_mm=1)
        petrous.append(pose.ellipsoid((-22, 23, 42 * side), (16, 11.5, 13), 12))
        canal = pose.cone((-24, 24, 38 * side), 4.4, (-24, 24, 66 * side), 4.8)
        ears.append(canal.support(pose.towards((0, -1, 0))))
        # in space where it leaves the bone
        in_bone = pose.cone((-24, 24, 38 * side), 4.4, (-24, 24, 52 * side), 4.6)
        openings.append(in_bone.support(pose.towards((0, -1, 0))))
        anatomy.bodies += bone([petrous[-1]], compact_mm=1.5)
        anatomy.bodies.append(Body([canal], -0.045))
        for _ in range(12):
            cell = np.array([-36, 26, 50 * side]) + rng.normal(0, (7, 7, 4))
            anatomy.bodies.append(Body([pose.ellipsoid(cell, (2.6, 2.2, 4))], Tissue.AIR))
    anatomy.mark("porion", *ears)
    anatomy.mark_in_space("porion", *openings)
    anatomy.mark("orbitale", *orbitals)
    return petrous


def _draw_upper_jaw(anatomy: Anatomy, pose: Pose, rng: np.random.Generator, at: Place) -> None:
    """Palate, alveolar process, sinuses and upper teeth."""
    spine = pose.cone(at(60, 45), 3.4, at(71, 43.6), 1.1)
    palate = pose.chain([at(19, 44.5), at(40, 44), at(64, 45)], (1.1, 1.8, 2.2))
    anatomy.mark("anterior_nasal_spine", spine.support(pose.towards((1, -0.12, 0))))
    anatomy.mark("posterior_nasal_spine", palate[0].support(pose.towards((-1, 0, 0))))
    concavity = pose.ellipsoid(at(61.5, 52), (3.0, 5.0, 11))
    anatomy.mark("subspinale", concavity.support(pose.towards((1, 0, 0))))
    crest = pose.ellipsoid(at(64.5, 60.5), (3.0, 5.5, 12), -15)
    anatomy.bodies += bone([concavity, crest], compact_mm=1.0)
    anatomy.bodies += bone(palate, compact_mm=0.8)
    anatomy.bodies.append(Body([spine, pose.ellipsoid(at(64, 46), (4.5, 3, 6))], 1.5 * Tissue.COMPACT_BONE))
    anatomy.bodies.append(Body([pose.ellipsoid(at(41, 44.5), (22, 1.6, 15), 0)], Tissue.COMPACT_BONE))
    anatomy.bodies.append(Body([pose.ellipsoid(at(42, 53), (21, 8, 24))], 0.6 * Tissue.SPONGY_BONE))
    for side in SIDES:
        anatomy.bodies.append(Body([pose.ellipsoid(at(42, 32, 26 * side), (14, 11, 12))], Tissue.AIR))
        ridge = pose.chain([at(44, 42, 32 * side), at(42, 30, 40 * side), at(40, 14, 44 * side)], (3, 3.4, 2.4))
        anatomy.bodies += bone(ridge, compact_mm=1.2)
    anatomy.bodies.append(Body([pose.ellipsoid(at(48, 30), (20, 13, 9), 0)], Tissue.AIR))

    slant = rng.normal(0, 2.0)
    incisors = [pose.cone(at(61, 53, z), 2.2, at(72.5 + slant, 75, z), 0.8) for z in (-4.0, 4.0)]
    if rng.random() > 0.05:
        anatomy.bodies.append(Body(incisors, Tissue.TOOTH))
        anatomy.mark("upper_incisal_incision", *(i.support(pose.towards((0.4, 1, 0))) for i in incisors))
    for number in range(5):
        for side in SIDES:
            x, z = 58 - 8.5 * number, (17 + 2.2 * number) * side
            _draw_tooth(anatomy, pose, rng, at(x, 55, z), at(x + 1, 69.5 - 0.4 * number, z))


def _draw_lower_jaw(
    anatomy: Anatomy, pose: Pose, rng: np.random.Generator, jaw: Place, petrous: list[Ellipsoid]
) -> None:
    """Mandible and lower teeth; the articulare is where the ramus leaves the petrous bone's shadow."""
    chin = pose.ellipsoid(jaw(57.5, 107), (6.8, 11, 12), 20)
    concavity = pose.ellipsoid(jaw(57.5, 93), (4.6, 8, 12))
    crest = pose.ellipsoid(jaw(61.5, 84), (3.2, 5.5, 12), 15)
    anatomy.bodies += bone([chin, concavity, crest], compact_mm=1.6)
    anatomy.mark("pogonion", chin.support(pose.towards((1, 0, 0))))
    anatomy.mark("gnathion", chin.support(pose.towards((1, 1, 0))))
    anatomy.mark("menton", chin.support(pose.towards((0, 1, 0))))
    anatomy.mark("supramentale", concavity.support(pose.towards((1, 0, 0))))

    angles, joints = [], []
    for side, temporal in zip(SIDES, petrous, strict=True):
        body = pose.chain([jaw(56, 107, 9 * side), jaw(38, 103, 30 * side), jaw(4, 87, 45 * side)], (9, 9, 9))
        body += pose.chain([jaw(52, 97, 14 * side), jaw(34, 90, 30 * side), jaw(8, 76, 44 * side)], (8, 9, 10))
        angle = pose.cone(jaw(2, 82, 46 * side), 8.5, jaw(-3.5, 48, 48 * side), 5.0)
        ramus = [
            angle,
            pose.cone(jaw(-3.5, 48, 48 * side), 5.0, jaw(-9, 24, 50 * side), 4.2),
            pose.cone(jaw(14, 74, 46 * side), 8.0, jaw(17, 38, 46 * side), 2.5),
            pose.cone(jaw(6, 76, 46 * side), 8.0, jaw(6, 52, 47 * side), 6.0),
        ]
        anatomy.bodies += bone([*body, *ramus], compact_mm=1.6)
        angles.append(angle.support(pose.towards((-1, 1, 0))))
        joints.append(outline_crossing(temporal, ramus[1:2], 160, 30))
    anatomy.mark("gonion", *angles)
    anatomy.mark("articulare", *joints)

    slant = rng.normal(0, 2.0)
    incisors = [pose.cone(jaw(59, 94, z), 2.0, jaw(69 + slant, 72.5, z), 0.7) for z in (-3.0, 3.0)]
    anatomy.bodies.append(Body(incisors, Tissue.TOOTH))
    anatomy.mark("lower_incisal_incision", *(i.support(pose.towards((0.4, -1, 0))) for i in incisors))
    for number in range(5):
        for side in SIDES:
            x, z = 55 - 8.5 * number, (16 + 2.4 * number) * side
            _draw_tooth(anatomy, pose, rng, jaw(x - 1, 89 - 1.5 * number, z), jaw(x, 75 - 0.6 * number, z))


def _draw_tooth(anatomy: Anatomy, pose: Pose, rng: np.random.Generator, root: Floats, crown: Floats) -> None:
    """A molar, sometimes filled, sometimes missing."""
    if rng.random() < 0.06:
        return
    middle = 0.4 * root + 0.6 * crown
    anatomy.bodies.append(Body(pose.chain([root, middle, crown], (1.4, 3.0, 3.6)), 0.7 * Tissue.TOOTH))
    if rng.random() < 0.15:
        anatomy.bodies.append(Body([pose.ellipsoid(crown, (rng.uniform(1.5, 3), 1.8, 2.5))], Tissue.METAL))


def _draw_spine(anatomy: Anatomy, pose: Pose, rng: np.random.Generator) -> None:
    """Cervical vertebrae and hyoid: structures without a landmark."""
    bend = rng.normal(0, 0.12)
    for number in range(6):
        y = 48 + 17 * number
        x = -27 + bend * (y - 48) + 0.0012 * (y - 48) ** 2
        anatomy.bodies += bone([pose.cone((x - 4.5, y - 0.5, 0), 6.2, (x + 4.5, y + 0.5, 0), 6.2)], compact_mm=1.3)
        anatomy.bodies += bone(pose.chain([(x - 12, y + 2, 9), (x - 30, y + 8, 0)], (4, 3)), compact_mm=1.2)
        anatomy.bodies += bone(pose.chain([(x - 12, y + 2, -9), (x - 30, y + 8, 0)], (4, 3)), compact_mm=1.2)
    hyoid = (20 + rng.normal(0, 3), 118 + rng.normal(0, 4), 0.0)
    horns = pose.chain([(4, hyoid[1] - 3, 18), hyoid, (4, hyoid[1] - 3, -18)], (1.5, 3, 1.5))
    anatomy.bodies.append(Body(horns, Tissue.SPONGY_BONE))
    if rng.random() < 0.5:
        ruler = rng.uniform(104, 112)
        anatomy.bodies.append(Body(pose.chain([(ruler, -80, 0), (ruler, -10, 0)], (1.6, 1.6)), 0.3))


def _draw_soft_tissue(anatomy: Anatomy, pose: Pose, rng: np.random.Generator, at: Place, jaw: Place) -> None:
    """The profile from forehead to neck, and the airway."""
    nose = np.array([rng.normal(0, 2.5), rng.normal(0, 2.0), 0.0])
    full = rng.normal(0, 1.2)
    upper_lip = pose.ellipsoid(at(73 + full, 63), (12, 10, 22), 15)
    lower_lip = pose.ellipsoid(jaw(71 + full, 81), (11, 8.5, 20), -10)
    chin = pose.ellipsoid(jaw(60, 106), (15.5, 14.5, 20), 12)
    columella = pose.cone(at(93, 40) + nose, 5.0, at(72, 51), 4.0)
    forward = pose.towards((1, 0, 0))
    anatomy.mark("upper_lip", upper_lip.support(forward))
    anatomy.mark("lower_lip", lower_lip.support(forward))
    anatomy.mark("soft_tissue_pogonion", chin.support(forward))
    anatomy.mark("subnasale", outline_crossing(upper_lip, [columella], 10, -130))
    face: list[Solid] = [
        pose.ellipsoid((-16, -42, 0), (100, 77, 79)),
        pose.cone((20, 0, 0), 56.0, (26, 62, 0), 44.0),
        pose.cone((26, 62, 0), 44.0, (40, 88, 0), 30.0),
        pose.cone((62, -10, 0), 12.0, at(93, 40) + nose, 6.0),
        pose.cone((64, 2, 0), 11.0, at(66, 45), 11.0),
        pose.cone((66, 20, 0), 10.0, at(84, 39) + nose, 8.0),
        pose.cone(at(66, 45), 11.0, at(67, 68), 11.0),
        columella,
        upper_lip,
        lower_lip,
        pose.cone(jaw(63, 80), 12.0, jaw(58, 98), 13.0),
        chin,
        pose.cone(jaw(40, 92), 30.0, jaw(56, 107), 14.0),
        pose.cone((-28, 30, 0), 58.0, (-26, 190, 0), 58.0),
        pose.cone((0, 80, 0), 40.0, (-6, 190, 0), 42.0),
    ]
    anatomy.bodies.append(Body(face, Tissue.SOFT))
    airway = pose.chain([(8, 46, 0), (0, 75, 0), (2, 110, 0), (2, 180, 0)], (7, 5, 6, 8))
    anatomy.bodies.append(Body(airway, Tissue.AIR))
    anatomy.bodies.append(Body([pose.ellipsoid(at(50, 74), (16, 3, 14), 0)], Tissue.AIR))
