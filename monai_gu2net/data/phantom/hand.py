# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An articulated left hand on the detector, palm down: 37 landmarks in the manner of the Digital Hand Atlas.

The patient's coordinates: x towards the thumb, y towards the elbow, z into the detector, origin at the wrist.
Source: lengths of the segments after Buryanov and Kotiuk, International Journal of Morphology 28 (2010).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .anatomy import Anatomy, Point, Pose, Tissue, bone, gap_between
from .solids import Body, Ellipsoid, Floats, Solid

__all__ = ["LANDMARKS", "REFERENCE_MM", "draw_hand"]

WRIST = (
    "wrist_ulnar_end",
    "ulnar_styloid",
    "distal_radioulnar_joint",
    "radius_ulnar_corner",
    "wrist_radial_end",
    "radial_styloid",
    "triquetrum_proximal_end",
    "radiolunate_joint",
    "radioscaphoid_joint",
    "capitolunate_joint",
    "scaphocapitate_joint",
    "scaphotrapezoid_joint",
    "scaphotrapezium_joint",
)
FINGERS = ("little", "ring", "middle", "index", "thumb")
FINGER_JOINTS = ("metacarpophalangeal", "proximal_interphalangeal", "distal_interphalangeal", "tip")
THUMB_JOINTS = ("metacarpophalangeal", "interphalangeal", "tip")
LANDMARKS = (
    WRIST
    + tuple(f"{finger}_carpometacarpal" for finger in FINGERS)
    + tuple(f"thumb_{joint}" for joint in THUMB_JOINTS)
    + tuple(
        f"{finger}_{joint}" for finger in ("index", "middle", "ring", "little") for joint in FINGER_JOINTS
    )
)
REFERENCE_MM = 50.0
"""Distance of the two wrist ends, the first and the fifth landmark, in every hand."""

BASES: dict[str, Point] = {
    "little": (-17, -41, 0),
    "ring": (-8, -43, 0),
    "middle": (3.5, -44, 0),
    "index": (15, -42, 0),
    "thumb": (33, -37, 0),
}
LENGTHS = {
    "little": (54, 33, 18, 16),
    "ring": (58, 41, 26, 17),
    "middle": (65, 45, 26, 17),
    "index": (68, 40, 22, 16),
    "thumb": (46, 32, 22),
}
SPLAY_DEG = {"little": -17.0, "ring": -8.0, "middle": 0.0, "index": 6.0, "thumb": 40.0}
THICKNESS = {"little": 0.82, "ring": 0.92, "middle": 1.0, "index": 1.0, "thumb": 1.0}
# Radii in mm at the base, the waist and the head of a metacarpal and the phalanges after it.
RADII = ((7.0, 4.0, 6.4), (6.4, 3.5, 4.6), (5.2, 2.9, 3.8), (4.4, 2.0, 2.6))


def draw_hand(rng: np.random.Generator) -> Anatomy:
    """A random hand whose wrist ends are `REFERENCE_MM` apart on the detector.

    Growth (lengths and thickness against the width of the wrist, open or closed growth plates), spread and
    flexion of the fingers and the turn of the hand vary. One hand in sixteen has lost a finger's end.
    """
    anatomy = Anatomy()
    pose = Pose.draw(rng, in_plane_deg=12, tilt_deg=7)
    flesh = _draw_wrist(anatomy, pose, rng)
    lost = rng.choice(FINGERS[:4]) if rng.random() < 1 / 16 else None
    growth, thickness, spread = rng.uniform(0.84, 1.08), rng.uniform(0.9, 1.1), rng.uniform(0.5, 1.6)
    open_plates = bool(rng.random() < 0.4)
    for finger in FINGERS:
        lengths = (
            np.array(LENGTHS[finger])
            * growth
            * rng.normal(1, 0.02)
            * rng.normal(1, 0.015, len(LENGTHS[finger]))
        )
        joints = _joints(finger, lengths, spread, rng)
        width = THICKNESS[finger] * thickness
        kept = len(joints) - 1 if finger != lost else len(joints) - 2
        flesh += _draw_finger(anatomy, pose, finger, joints[: kept + 1], width=width, open_plates=open_plates)
        names = ("carpometacarpal", *(THUMB_JOINTS if finger == "thumb" else FINGER_JOINTS))
        for name, joint in zip(names[:kept], joints, strict=False):
            anatomy.mark(f"{finger}_{name}", pose.point(joint))
        if finger != lost:
            # The last sphere's centre lies one radius before the tip: the tip is the end of the bone itself.
            anatomy.mark(f"{finger}_tip", pose.point(joints[-1]))
    anatomy.bodies.append(Body(flesh, Tissue.SOFT))
    ends = anatomy.landmarks[LANDMARKS[0]] - anatomy.landmarks[LANDMARKS[4]]
    return anatomy.scaled(REFERENCE_MM / float(np.hypot(*ends)))


def _joints(finger: str, lengths: Floats, spread: float, rng: np.random.Generator) -> list[Floats]:
    """Carpometacarpal joint to tip: each segment turns from the last one, in the plane and out of it."""
    is_thumb = finger == "thumb"
    splay = SPLAY_DEG[finger] + rng.normal(0, 4 if is_thumb else 1)
    flexion = rng.uniform(5, 25) if is_thumb else rng.uniform(0, 6)
    joints = [np.array(BASES[finger], dtype=np.float64)]
    for number, length in enumerate(lengths):
        turn, lift = np.deg2rad([splay, flexion])
        direction = np.array([np.sin(turn) * np.cos(lift), -np.cos(turn) * np.cos(lift), -np.sin(lift)])
        joints.append(joints[-1] + length * direction)
        if is_thumb:
            splay += rng.uniform(-16, 4)
        elif number == 0:
            splay += (spread - 0.6) * SPLAY_DEG[finger] * 0.8 + rng.normal(0, 3)
        else:
            splay += rng.normal(0, 2.5)
        flexion += rng.uniform(-4, 14)
    return joints


def _draw_finger(
    anatomy: Anatomy, pose: Pose, finger: str, joints: list[Floats], *, width: float, open_plates: bool
) -> list[Solid]:
    """The bones of one finger; returns the flesh around them."""
    gap = 0.8
    flesh: list[Solid] = []
    # The thumb has one phalanx less, and its first is as thin as the others' second.
    radii = RADII if finger != "thumb" else (RADII[0], *RADII[2:])
    for number, (start, end) in enumerate(pairwise(joints)):
        base, waist, head = (r * width for r in radii[number])
        is_tip = number == len(LENGTHS[finger]) - 1
        step = (end - start) / np.linalg.norm(end - start)
        begin = start + gap * step
        if open_plates and (number > 0 or finger == "thumb"):
            anatomy.bodies += bone([_disc(pose, begin + 1.2 * step, step, 1.3, base)], compact_mm=0.6)
            begin = begin + 3.4 * step
        stop = end - (head if is_tip else head + gap) * step
        shaft: list[Solid] = [_disc(pose, begin + 0.5 * base * step, step, 0.5 * base, base)]
        shaft += pose.chain(
            [begin + 0.7 * base * step, start + 0.5 * (end - start), stop], (0.7 * base, waist, head)
        )
        anatomy.bodies += bone(shaft, compact_mm=1.1 if number else 1.5)
        around = (
            (11.5, 11.0) if number == 0 else (width * (11.4 - 1.3 * number), width * (10.2 - 1.2 * number))
        )
        flesh += pose.chain([start, end - (0.35 * around[1] * step if is_tip else 0)], around)
    return flesh


def _disc(pose: Pose, centre: Floats, axis: Floats, thickness: float, radius: float) -> Ellipsoid:
    """A flat ellipsoid across `axis`, its semi-axes `thickness` along it and `radius` across."""
    return pose.ellipsoid(
        centre, (thickness, radius, radius), float(np.rad2deg(np.arctan2(axis[1], axis[0])))
    )


def _draw_wrist(anatomy: Anatomy, pose: Pose, rng: np.random.Generator) -> list[Solid]:
    """Forearm and carpal bones with their landmarks; returns the flesh of forearm, wrist and palm."""

    def near(point: Point) -> Floats:
        return np.asarray(point) + rng.normal(0, 0.5, 3)

    ulna_head, styloid = near((-20, 6, 0)), near((-27, -5, 0))
    ulna = pose.chain([(-16, 110, 0), (-18, 35, 0), ulna_head], (6.0, 5.5, 8.0))
    ulna_styloid = pose.cone(ulna_head + np.array([-3.5, -2, 0]), 3.6, styloid, 2.2)
    radius = pose.chain([(9, 110, 0), (9, 35, 0), (10, 14, 0)], (8.0, 7.5, 10.0))
    plate = pose.cone(near((2.5, 7, 0)), 8.0, near((19, 4, 0)), 9.0)
    radius_styloid = pose.cone((22, -1, 0), 5.0, near((25, -9, 0)), 2.2)
    anatomy.bodies += bone([*ulna, ulna_styloid], compact_mm=1.3)
    anatomy.bodies += bone([*radius, plate, radius_styloid], compact_mm=1.3)

    carpals = {
        "lunate": pose.ellipsoid(near((-2, -11.5, 0)), (8.2, 7.4, 8), 15),
        "scaphoid": pose.ellipsoid(near((14.5, -17.5, 0)), (12.2, 6.6, 7), -38),
        "triquetrum": pose.ellipsoid(near((-16.5, -16, 0)), (6.8, 8.2, 7), -25),
        "pisiform": pose.ellipsoid(near((-20, -19, 7)), (4, 4.8, 4), 0),
        "capitate": pose.ellipsoid(near((1.5, -31, 0)), (7.2, 11.6, 8), 5),
        "hamate": pose.ellipsoid(near((-12, -31.5, 0)), (7.2, 9.8, 8), -12),
        "trapezoid": pose.ellipsoid(near((14.5, -34.5, 0)), (6, 6.6, 7), 10),
        "trapezium": pose.ellipsoid(near((26, -32.5, 0)), (6.6, 7.8, 7), 35),
    }
    for carpal in carpals.values():
        anatomy.bodies += bone([carpal], compact_mm=1.0)

    out, proximal = pose.towards((-1, 0, 0)), pose.towards((-0.4, 1, 0))
    head = pose.cone(ulna_head, 8.0, ulna_head, 8.0)
    anatomy.mark("wrist_ulnar_end", head.support(out))
    anatomy.mark("ulnar_styloid", ulna_styloid.support(pose.towards((-0.4, -1, 0))))
    anatomy.mark("distal_radioulnar_joint", head.support(-out), plate.support(out))
    anatomy.mark("radius_ulnar_corner", plate.support(pose.towards((-0.7, -0.7, 0))))
    anatomy.mark("wrist_radial_end", plate.support(-out))
    anatomy.mark("radial_styloid", radius_styloid.support(pose.towards((0.35, -1, 0))))
    anatomy.mark("triquetrum_proximal_end", carpals["triquetrum"].support(proximal))
    up, down = pose.towards((0, -1, 0)), pose.towards((0, 1, 0))
    anatomy.mark(
        "radiolunate_joint", carpals["lunate"].support(down), plate.support(pose.towards((-0.3, -1, 0)))
    )
    anatomy.mark("radioscaphoid_joint", carpals["scaphoid"].support(down), plate.support(up))
    anatomy.mark("capitolunate_joint", gap_between(carpals["capitate"], carpals["lunate"]))
    anatomy.mark("scaphocapitate_joint", gap_between(carpals["scaphoid"], carpals["capitate"]))
    anatomy.mark("scaphotrapezoid_joint", gap_between(carpals["scaphoid"], carpals["trapezoid"]))
    anatomy.mark("scaphotrapezium_joint", gap_between(carpals["scaphoid"], carpals["trapezium"]))

    return [
        pose.cone((-10, 120, 0), 24.0, (-9, 5, 0), 21.0),
        pose.cone((10, 120, 0), 24.0, (9, 5, 0), 21.0),
        pose.cone((-9, 5, 0), 21.0, (-11, -45, 0), 17.0),
        pose.cone((9, 5, 0), 21.0, (14, -45, 0), 18.0),
        pose.cone((-13, -45, 0), 16.0, (-22, -92, 0), 12.0),
        pose.cone((2, -45, 0), 17.0, (3, -104, 0), 13.0),
        pose.cone((14, -45, 0), 16.0, (20, -102, 0), 12.0),
        pose.cone((22, -25, 0), 15.0, (44, -62, 0), 12.0),
        pose.cone((22, -55, 0), 11.0, (46, -66, 0), 9.0),
    ]
