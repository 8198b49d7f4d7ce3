# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The landmarks' names of the datasets that this package reads and draws, in the order of their annotations."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "CHEST_LANDMARKS",
    "HAND_LANDMARKS",
    "HEAD_CT_LANDMARKS",
    "HEAD_LANDMARKS",
    "SPINE_LANDMARKS",
    "VERTEBRAE",
    "current_hand_names",
    "vertebral_levels",
]

HEAD_LANDMARKS = (
    "sella",
    "nasion",
    "orbitale",
    "porion",
    "subspinale",
    "supramentale",
    "pogonion",
    "menton",
    "gnathion",
    "gonion",
    "lower_incisal_incision",
    "upper_incisal_incision",
    "upper_lip",
    "lower_lip",
    "subnasale",
    "soft_tissue_pogonion",
    "posterior_nasal_spine",
    "anterior_nasal_spine",
    "articulare",
)

# Those that are points in space; subnasale and articulare are where outlines cross in a radiograph.
HEAD_CT_LANDMARKS = (
    "sella",
    "nasion",
    "right_orbitale",
    "left_orbitale",
    "right_porion",
    "left_porion",
    "subspinale",
    "supramentale",
    "pogonion",
    "menton",
    "gnathion",
    "right_gonion",
    "left_gonion",
    "right_lower_incisal_incision",
    "left_lower_incisal_incision",
    "right_upper_incisal_incision",
    "left_upper_incisal_incision",
    "upper_lip",
    "lower_lip",
    "soft_tissue_pogonion",
    "posterior_nasal_spine",
    "anterior_nasal_spine",
)

# The annotation has no names. These are ours, for what its points lie at in the pictures, palm down: the corners of
# ulna and radius at the growth plate and their styloids, the ends of the carpals towards the forearm, the bases of the
# metacarpals from the little finger to the thumb, and the joints of the fingers from the thumb to the little one.
HAND_LANDMARKS = (
    "wrist_ulnar",
    "ulnar_styloid",
    "ulna_radial_corner",
    "radius_ulnar_corner",
    "wrist_radial",
    "radial_styloid",
    *(
        f"{carpal}_proximal_end"
        for carpal in ("triquetrum", "lunate", "scaphoid", "hamate", "capitate", "trapezoid", "trapezium")
    ),
    *(f"{finger}_cmc" for finger in ("little", "ring", "middle", "index", "thumb")),
    "thumb_mcp",
    "thumb_ip",
    "thumb_tip",
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "little")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
# Until version 0.1.0 places 2 to 4 and 6 to 18 had their number alone.
_NUMBERED = tuple(
    f"landmark_{place:02d}" if place in (2, 3, 4, *range(6, 19)) else name
    for place, name in enumerate(HAND_LANDMARKS, start=1)
)

CHEST_LANDMARKS = tuple(
    f"{side}_{place}"
    for side in ("right", "left")
    for place in ("lung_apex", "costophrenic_angle", "cardiophrenic_angle")
)

VERTEBRAE = (*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6)))
# the corners of their bodies: top and bottom, left and right as the image shows them
_CORNERS = ("tl", "tr", "bl", "br")
SPINE_LANDMARKS = tuple(f"{vertebra}_{corner}" for vertebra in VERTEBRAE for corner in _CORNERS)


def current_hand_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of landmarks, in their order; those that the atlas's points had until version 0.1.0 are today's.

    Args:
        names: of a domain. The earlier ones are known by the whole list, for ``landmark_02`` may be anything elsewhere.

    Example:
        >>> current_hand_names(["sella", "landmark_02"])
        ('sella', 'landmark_02')
    """
    return HAND_LANDMARKS if tuple(names) == _NUMBERED else tuple(names)


def vertebral_levels(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The landmarks of each vertebra from T1 to L5, of those with all four corners ``T1_tl`` to ``L5_br``.

    Args:
        names: of a domain, in any order.

    Returns:
        From the uppermost to the lowest; empty where there are less than two.

    Example:
        >>> vertebral_levels(["L5_tl", "L5_tr", "L5_bl", "L5_br", "L4_br", "L4_bl", "L4_tr", "L4_tl", "L3_tl"])
        (('L4_tl', 'L4_tr', 'L4_bl', 'L4_br'), ('L5_tl', 'L5_tr', 'L5_bl', 'L5_br'))
    """
    corners = (tuple(f"{vertebra}_{corner}" for corner in _CORNERS) for vertebra in VERTEBRAE)
    present = set(names)
    levels = tuple(level for level in corners if present.issuperset(level))
    return levels if len(levels) > 1 else ()
