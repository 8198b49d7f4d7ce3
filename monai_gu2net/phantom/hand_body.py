# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""An articulated left hand on the detector, palm down: 37 landmarks in the manner of the Digital Hand Atlas.

The patient's coordinates in mm: x towards the thumb, y towards the elbow, z into the detector; the origin is
where the axis of the middle metacarpal meets the radius.

Wrist and palm stand on a regular layout with round measures of an adult man, traced from no radiograph:

- Lengths of metacarpals and phalanges: Buryanov and Kotiuk, International Journal of Morphology 28 (2010).
- Carpal height 0.53 of the middle metacarpal, radius inclined by 24 degrees, ulna 0.9 mm shorter than the
  radius: Schuind et al., Journal of Bone and Joint Surgery 74-A (1992), means of 120 adults.
- Length of the capitate, the carpal height / 1.57: Nattrass et al., Journal of Bone and Joint Surgery 76-A
  (1994).
- Styloid of the ulna 5 mm long: Singapore Medical Journal 52 (2011) 673, mean of 100 ulnae.
- The metacarpals' bases touch on an arc, the metacarpals at right angles to it. The arc's radius gives the
  hand its breadth, 90 mm with the flesh: Gordon et al., US Army Anthropometric Survey (1989).
- The widths of the metacarpals' bases, of radius (33 mm) and ulna (17 mm), the sizes and places of the other
  carpals and the joint spaces are round numbers of the usual order.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS
from monai_gu2net.phantom.anatomy import Anatomy, Point, Pose, Tissue, bone
from monai_gu2net.phantom.solids import Body, Ellipsoid, Floats, Solid

__all__ = ["REFERENCE_MM", "draw_hand"]

FINGERS = ("little", "ring", "middle", "index", "thumb")
FINGER_JOINTS = ("mcp", "pip", "dip", "tip")
THUMB_JOINTS = ("mcp", "ip", "tip")
REFERENCE_MM = 50.0
"""Distance of the two wrist ends, the first and the fifth landmark, in every hand."""

LENGTHS = {
    "little": (54, 33, 18, 16),
    "ring": (58, 41, 26, 17),
    "middle": (65, 45, 26, 17),
    "index": (68, 40, 22, 16),
    "thumb": (46, 32, 22),
}
CARPAL_HEIGHT = 0.53 * LENGTHS["middle"][0]
CAPITATE_LENGTH = CARPAL_HEIGHT / 1.57
JOINT_SPACE = 1.5
RADIUS_WIDTH, ULNA_WIDTH, ULNA_SHORTER, ULNAR_STYLOID = 33.0, 17.0, 0.9, 5.0
INCLINATION_DEG = 24.0
ARC = 90.0
# Along the arc from the middle metacarpal, from base widths of 17, 14, 12 and 13 mm (index to little).
ARC_POSITIONS = {"index": 15.5, "middle": 0.0, "ring": -13.0, "little": -25.5}
THUMB_DEG = 40.0


def _on_arc(position: float, depth: float = 0.0) -> Point:
    """The point `depth` mm proximal to the arc of the metacarpals' bases."""
    angle = position / ARC
    return (
        (ARC - depth) * float(np.sin(angle)),
        ARC - CARPAL_HEIGHT - (ARC - depth) * float(np.cos(angle)),
        0.0,
    )


def _on_radius(across: float, depth: float = 0.0) -> Point:
    """The point `across` mm radial along the radius's joint surface and `depth` mm into the bone."""
    tilt = np.deg2rad(INCLINATION_DEG)
    return (
        float(across * np.cos(tilt) + depth * np.sin(tilt)),
        float(depth * np.cos(tilt) - across * np.sin(tilt)),
        0.0,
    )


TRAPEZIUM: Point = (27.0, -22.5, 0.0)
BASES: dict[str, Point] = {finger: _on_arc(position) for finger, position in ARC_POSITIONS.items()} | {
    "thumb": (
        TRAPEZIUM[0] + (6.5 + JOINT_SPACE) * float(np.sin(np.deg2rad(THUMB_DEG))),
        TRAPEZIUM[1] - (6.5 + JOINT_SPACE) * float(np.cos(np.deg2rad(THUMB_DEG))),
        0.0,
    )
}
SPLAY_DEG = {finger: float(np.rad2deg(position / ARC)) for finger, position in ARC_POSITIONS.items()} | {
    "thumb": THUMB_DEG
}
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
        lengths = np.array(LENGTHS[finger]) * growth * rng.normal(1, 0.02) * rng.normal(1, 0.015, len(LENGTHS[finger]))
        joints = _joints(finger, lengths, spread, rng)
        width = THICKNESS[finger] * thickness
        kept = len(joints) - 1 if finger != lost else len(joints) - 2
        flesh += _draw_finger(anatomy, pose, finger, joints[: kept + 1], width=width, open_plates=open_plates)
        names = ("cmc", *(THUMB_JOINTS if finger == "thumb" else FINGER_JOINTS))
        for name, joint in zip(names[:kept], joints, strict=False):
            anatomy.mark(f"{finger}_{name}", pose.point(joint))
        if finger != lost:
            # The last sphere's centre lies one radius before the tip: the tip is the end of the bone itself.
            anatomy.mark(f"{finger}_tip", pose.point(joints[-1]))
    anatomy.bodies.append(Body(flesh, Tissue.SOFT))
    ends = anatomy.landmarks[HAND_LANDMARKS[0]] - anatomy.landmarks[HAND_LANDMARKS[4]]
    return anatomy.scaled(REFERENCE_MM / float(np.hypot(*ends)))


def _joints(finger: str, lengths: Floats, spread: float, rng: np.random.Generator) -> list[Floats]:
    """Carpometacarpal joint (cmc) to tip: each segment turns from the last, in the plane and out of it."""
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
        shaft += pose.chain([begin + 0.7 * base * step, start + 0.5 * (end - start), stop], (0.7 * base, waist, head))
        anatomy.bodies += bone(shaft, compact_mm=1.1 if number else 1.5)
        around = (11.5, 11.0) if number == 0 else (width * (11.4 - 1.3 * number), width * (10.2 - 1.2 * number))
        flesh += pose.chain([start, end - (0.35 * around[1] * step if is_tip else 0)], around)
    return flesh


def _disc(pose: Pose, centre: Floats, axis: Floats, thickness: float, radius: float) -> Ellipsoid:
    """A flat ellipsoid across `axis`, its semi-axes `thickness` along it and `radius` across."""
    return pose.ellipsoid(centre, (thickness, radius, radius), float(np.rad2deg(np.arctan2(axis[1], axis[0]))))


def _draw_wrist(anatomy: Anatomy, pose: Pose, rng: np.random.Generator) -> list[Solid]:
    """Forearm and carpal bones with their landmarks; returns the flesh of forearm, wrist and palm."""

    def near(point: Point) -> Floats:
        return np.asarray(point) + rng.normal(0, 0.5, 3)

    ulna_x = -0.45 * RADIUS_WIDTH - 1.0 - ULNA_WIDTH / 2
    ulna_end = _on_radius(-0.45 * RADIUS_WIDTH)[1] + ULNA_SHORTER
    ulna_head = near((ulna_x, ulna_end + ULNA_WIDTH / 2, 0))
    ulna = pose.chain([(ulna_x + 4, 115, 0), (ulna_x + 2, 38, 0), ulna_head], (6.0, 5.5, ULNA_WIDTH / 2))
    tip = near((ulna_x - 5.5, ulna_end - ULNAR_STYLOID + 2, 0))
    ulna_styloid = pose.cone(ulna_head + np.array([-4.5, -3, 0]), 3.6, tip, 2.0)

    # 0.45 of the radius's width lies on the ulnar side of the middle metacarpal's axis.
    ulnar_side, radial_side = near((7 - 0.45 * RADIUS_WIDTH, 14, 0)), near((0.55 * RADIUS_WIDTH - 9, 10, 0))
    shaft = [
        pose.cone((2, 115, 0), 8.0, (2, 36, 0), 7.5),
        pose.cone((2, 36, 0), 7.5, ulnar_side, 7.0),
        pose.cone((2, 36, 0), 7.5, radial_side, 9.0),
    ]
    block = pose.cone(ulnar_side, 7.0, radial_side, 9.0)
    lunate_facet = pose.ellipsoid(near(_on_radius(-6.5, 5)), (9, 5, 7), -INCLINATION_DEG)
    scaphoid_facet = pose.ellipsoid(near(_on_radius(9, 5)), (9, 5, 7), -INCLINATION_DEG)
    rim = pose.cone(near(_on_radius(-12.5, 3.5)), 3.0, near(_on_radius(12, 3.5)), 3.0)
    radius_styloid = pose.cone(_on_radius(13, 6), 4.5, near(_on_radius(16.5, 1)), 2.0)
    anatomy.bodies += bone([*ulna, ulna_styloid], compact_mm=1.3)
    anatomy.bodies += bone([*shaft, block, lunate_facet, scaphoid_facet, rim, radius_styloid], compact_mm=1.3)

    def distal(position: float, width: float, length: float, turn_deg: float = 0.0) -> Ellipsoid:
        """A carpal of the distal row: its end one joint space below the arc of the metacarpals' bases."""
        centre = near(_on_arc(position, 0.5 * JOINT_SPACE + length / 2))
        return pose.ellipsoid(centre, (width / 2, length / 2, 7), float(np.rad2deg(position / ARC)) + turn_deg)

    carpals = {
        "scaphoid": pose.ellipsoid(near(_on_radius(15, -JOINT_SPACE - 6.8)), (10.5, 5.5, 7), -50),
        "lunate": pose.ellipsoid(near(_on_radius(-5.5, -JOINT_SPACE - 7)), (8, 7, 7), -10),
        "triquetrum": pose.ellipsoid(near((-22.2, -10.7, 0)), (5.5, 7, 7), -35),
        "pisiform": pose.ellipsoid(near((-24, -13, 7)), (4.5, 5.5, 4), 0),
        "capitate": distal(0, 14, CAPITATE_LENGTH),
        "hamate": distal(-17.5, 15, 16.5, -15),
        "trapezoid": distal(15, 12, 10),
        "trapezium": pose.ellipsoid(near(TRAPEZIUM), (7.5, 6.5, 7), THUMB_DEG),
    }
    for carpal in carpals.values():
        anatomy.bodies += bone([carpal], compact_mm=1.0)

    out = pose.towards((-1, 0, 0))
    head = pose.cone(ulna_head, ULNA_WIDTH / 2, ulna_head, ULNA_WIDTH / 2)
    anatomy.mark(HAND_LANDMARKS[0], head.support(out))
    anatomy.mark("ulnar_styloid", ulna_styloid.support(pose.towards((-0.4, -1, 0))))
    anatomy.mark("ulna_radial_corner", head.support(-out))
    anatomy.mark("radius_ulnar_corner", rim.support(pose.towards((-1, -0.4, 0))))
    anatomy.mark(HAND_LANDMARKS[4], block.support(-out))
    anatomy.mark("radial_styloid", radius_styloid.support(pose.towards((0.5, -1, 0))))
    for name in ("triquetrum", "lunate", "scaphoid", "hamate", "capitate", "trapezoid", "trapezium"):
        aside = -0.2 if name == "triquetrum" else 0.0
        anatomy.mark(f"{name}_proximal_end", carpals[name].support(pose.towards((aside, 1, 0))))

    # The wrist 62 mm across; the palm out to the metacarpals' heads and the thumb's ball.
    return [
        pose.cone((-12, 125, 0), 25.0, (-13, 14, 0), 22.0),
        pose.cone((8, 125, 0), 25.0, (6, 10, 0), 21.0),
        pose.cone((-13, 14, 0), 22.0, (-13, -30, 0), 18.0),
        pose.cone((6, 10, 0), 21.0, (14, -30, 0), 18.0),
        pose.cone((-14, -30, 0), 18.0, (-28, -78, 0), 13.0),
        pose.cone((0, -30, 0), 18.0, (0, -92, 0), 13.0),
        pose.cone((13, -30, 0), 17.0, (21, -90, 0), 13.0),
        pose.cone((20, -20, 0), 15.0, (44, -52, 0), 12.0),
        pose.cone((20, -48, 0), 12.0, (44, -58, 0), 9.0),
    ]
