# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Sizes of the lungs in a frontal chest radiograph, from six points.

They are distances between the points as the picture shows them. No norm and no clinical meaning is claimed for them: a
radiograph's scale at the lungs, the depth of breath and the turn of the body all change them.
"""

from __future__ import annotations

from monai_gu2net.measurements.measurement import Measurement

__all__ = ["CHEST"]

_SOURCE = "distance between two points of this package's chest landmarks; geometric, without published norm"
_RATIO = "ratio of two such distances; geometric, without published norm"


def _side(side: str) -> tuple[Measurement, ...]:
    apex, costophrenic, cardiophrenic = (
        f"{side}_{place}" for place in ("lung_apex", "costophrenic_angle", "cardiophrenic_angle")
    )
    return (
        Measurement(f"{side} lung height", "distance", (apex, costophrenic), source=_SOURCE),
        Measurement(f"{side} lung medial height", "distance", (apex, cardiophrenic), source=_SOURCE),
        Measurement(f"{side} lung base width", "distance", (costophrenic, cardiophrenic), source=_SOURCE),
    )


_ENDS = ("right_costophrenic_angle", "left_costophrenic_angle")
_INNER = ("right_cardiophrenic_angle", "left_cardiophrenic_angle")

CHEST: tuple[Measurement, ...] = (
    *_side("right"),
    *_side("left"),
    Measurement("costophrenic width", "distance", _ENDS, source=_SOURCE),
    Measurement("cardiophrenic width", "distance", _INNER, source=_SOURCE),
    Measurement("apex distance", "distance", ("right_lung_apex", "left_lung_apex"), source=_SOURCE),
    Measurement("cardiophrenic to costophrenic width", "ratio", (*_INNER, *_ENDS), source=_RATIO),
    Measurement(
        "left to right lung height",
        "ratio",
        ("left_lung_apex", "left_costophrenic_angle", "right_lung_apex", "right_costophrenic_angle"),
        source=_RATIO,
    ),
    Measurement(
        "left to right lung base width",
        "ratio",
        tuple(f"{side}_{place}_angle" for side in ("left", "right") for place in ("costophrenic", "cardiophrenic")),
        source=_RATIO,
    ),
)
