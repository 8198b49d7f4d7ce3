# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Cephalometric analysis of the 19 landmarks of the ISBI 2015 challenge.

The mandibular plane is gonion-menton, Steiner's is gonion-gnathion; the Frankfort horizontal is porion-orbitale; the
palatal plane is posterior to anterior nasal spine. Lines to the tip of the nose and axes of teeth need landmarks that
the nineteen lack, and are left out.
"""

from __future__ import annotations

from monai_gu2net.landmarks.anatomical_names import HEAD_LANDMARKS
from monai_gu2net.measurements.measurement import Measurement

__all__ = ["CEPHALOMETRY"]

_SHORT = "S N Or Po A B Pog Me Gn Go L1 U1 UL LL Sn Pog' PNS ANS Ar"
_POINTS = dict(zip(_SHORT.split(), HEAD_LANDMARKS, strict=True))

_WANG = "Wang et al., Medical Image Analysis 31 (2016) 63"
_STEINER = "Steiner, American Journal of Orthodontics 39 (1953) 729"
_RIEDEL = f"Riedel, Angle Orthodontist 22 (1952) 142; {_STEINER}"
_DOWNS = "Downs, American Journal of Orthodontics 34 (1948) 812"
_KIM = "Kim, American Journal of Orthodontics 65 (1974) 586"
_KIM_VIETAS = "Kim and Vietas, American Journal of Orthodontics 73 (1978) 619"
_MCNAMARA = "McNamara, American Journal of Orthodontics 86 (1984) 449"
_BURSTONE = "Burstone, American Journal of Orthodontics 53 (1967) 262"
_HEIGHTS = "Siriwat and Jarabak, Angle Orthodontist 55 (1985) 127"


def _of(
    name: str, kind: str, points: str, source: str, *, positive: str | None = None, negative: str | None = None
) -> Measurement:
    """A measurement of points by their abbreviations."""
    places = tuple(_POINTS[point] for point in points.split())
    above, below = (None if side is None else _POINTS[side] for side in (positive, negative))
    return Measurement(name, kind, places, positive=above, negative=below, source=source)


_SNA = _of("SNA", "angle", "S N A", f"{_RIEDEL}; {_WANG}")
_SNB = _of("SNB", "angle", "S N B", f"{_RIEDEL}; {_WANG}")
# Kim's signs: the palatal plane is positive where it falls forwards, the A-B plane where B lies ahead of A.
_PALATAL = _of("palatal plane to Frankfort", "signed_angle", "Po Or PNS ANS", _KIM, positive="Me")
_AB_TO_FACIAL = _of("A-B plane to facial plane", "signed_angle", "N Pog A B", _DOWNS, negative="S")
_FACIAL_ANGLE = _of("facial angle", "line_angle", "Or Po N Pog", _DOWNS)
_AB_TO_MANDIBULAR = _of("A-B plane to mandibular plane", "line_angle", "Me Go B A", _KIM)
_ODI = ((1, _AB_TO_MANDIBULAR), (1, _PALATAL))
_APDI = ((1, _FACIAL_ANGLE), (1, _AB_TO_FACIAL), (1, _PALATAL))

CEPHALOMETRY: tuple[Measurement, ...] = (
    _SNA,
    _SNB,
    Measurement("ANB", "sum", terms=((1, _SNA), (-1, _SNB)), source=f"{_RIEDEL}; {_WANG}"),
    _of(
        "SN-MP", "line_angle", "S N Go Me", "angle of Riedel's sella-nasion line to the mandibular plane gonion-menton"
    ),
    _of("SN-GoGn", "line_angle", "S N Go Gn", f"{_STEINER}; {_WANG}, there called FMA"),
    _of("FMA", "line_angle", "Po Or Go Me", "Tweed, Angle Orthodontist 24 (1954) 121"),
    _FACIAL_ANGLE,
    _of("angle of convexity", "signed_angle", "N A A Pog", _DOWNS, positive="S"),
    _AB_TO_FACIAL,
    _of("Y-axis", "line_angle", "Po Or S Gn", _DOWNS),
    _of("gonial angle", "angle", "Ar Go Me", "articulare-gonion-menton, after Björk, The Face in Profile (1947)"),
    _PALATAL,
    _of("palatal plane to mandibular plane", "line_angle", "PNS ANS Go Me", "angle of the two planes"),
    _of("A to N perpendicular", "projected_distance", "N A Po Or", _MCNAMARA),
    _of("Pog to N perpendicular", "projected_distance", "N Pog Po Or", _MCNAMARA),
    _of("anterior face height", "distance", "N Me", _HEIGHTS),
    _of("posterior face height", "distance", "S Go", _HEIGHTS),
    _of("upper face height", "distance", "N ANS", "distance nasion to anterior nasal spine"),
    _of("lower face height", "distance", "ANS Me", _MCNAMARA),
    _of("lower to anterior face height", "ratio", "ANS Me N Me", "ratio of the two distances"),
    _of("upper lip to Sn-Pog'", "signed_distance", "UL Sn Pog'", _BURSTONE, negative="S"),
    _of("lower lip to Sn-Pog'", "signed_distance", "LL Sn Pog'", _BURSTONE, negative="S"),
    Measurement("ODI", "sum", terms=_ODI, source=f"{_KIM}; {_WANG}"),
    Measurement("APDI", "sum", terms=_APDI, source=f"{_KIM_VIETAS}; {_WANG}"),
    _of("FHI", "ratio", "S Go N Me", f"{_HEIGHTS}; {_WANG}"),
    # The challenge takes the sign from the picture's x; along Frankfort it does not depend on where the face looks.
    _of("MW", "directed_distance", "L1 U1 Po Or", _WANG),
)
