# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Cephalometric analysis of the 19 landmarks of the ISBI 2015 challenge.

The mandibular plane is gonion-menton, Steiner's is gonion-gnathion; the Frankfort horizontal is porion-orbitale; the
palatal plane is posterior to anterior nasal spine. Lines to the tip of the nose and axes of teeth need landmarks that
the nineteen lack, and are left out.
"""

from __future__ import annotations

from monai_gu2net.measurements.measurement import Measurement

__all__ = ["CEPHALOMETRY"]

_S, _N, _OR, _PO, _A, _B = "sella", "nasion", "orbitale", "porion", "subspinale", "supramentale"
_POG, _ME, _GN, _GO, _AR = "pogonion", "menton", "gnathion", "gonion", "articulare"
_L1, _U1, _PNS, _ANS = (
    "lower_incisal_incision",
    "upper_incisal_incision",
    "posterior_nasal_spine",
    "anterior_nasal_spine",
)
_UPPER_LIP, _LOWER_LIP, _SN, _POG_SOFT = "upper_lip", "lower_lip", "subnasale", "soft_tissue_pogonion"
_FRANKFORT = (_PO, _OR)
_MANDIBULAR = (_GO, _ME)

_WANG = "Wang et al., Medical Image Analysis 31 (2016) 63"
_RIEDEL = "Riedel, Angle Orthodontist 22 (1952) 142; Steiner, American Journal of Orthodontics 39 (1953) 729"
_DOWNS = "Downs, American Journal of Orthodontics 34 (1948) 812"
_KIM = "Kim, American Journal of Orthodontics 65 (1974) 586"
_KIM_VIETAS = "Kim and Vietas, American Journal of Orthodontics 73 (1978) 619"
_MCNAMARA = "McNamara, American Journal of Orthodontics 86 (1984) 449"
_BURSTONE = "Burstone, American Journal of Orthodontics 53 (1967) 262"
_HEIGHTS = "Siriwat and Jarabak, Angle Orthodontist 55 (1985) 127"

_SNA = Measurement("SNA", "angle", (_S, _N, _A), source=f"{_RIEDEL}; {_WANG}")
_SNB = Measurement("SNB", "angle", (_S, _N, _B), source=f"{_RIEDEL}; {_WANG}")
# Kim's signs: the palatal plane is positive where it falls forwards, the A-B plane where B lies ahead of A.
_PALATAL = Measurement(
    "palatal plane to Frankfort", "signed_angle", (*_FRANKFORT, _PNS, _ANS), positive=_ME, source=_KIM
)
_AB_TO_FACIAL = Measurement("A-B plane to facial plane", "signed_angle", (_N, _POG, _A, _B), negative=_S, source=_DOWNS)
_FACIAL_ANGLE = Measurement("facial angle", "line_angle", (_OR, _PO, _N, _POG), source=_DOWNS)
_AB_TO_MANDIBULAR = Measurement("A-B plane to mandibular plane", "line_angle", (_ME, _GO, _B, _A), source=_KIM)

CEPHALOMETRY: tuple[Measurement, ...] = (
    _SNA,
    _SNB,
    Measurement("ANB", "sum", terms=((1, _SNA), (-1, _SNB)), source=f"{_RIEDEL}; {_WANG}"),
    Measurement(
        "SN-MP",
        "line_angle",
        (_S, _N, *_MANDIBULAR),
        source="angle of Riedel's sella-nasion line to the mandibular plane gonion-menton",
    ),
    Measurement(
        "SN-GoGn",
        "line_angle",
        (_S, _N, _GO, _GN),
        source=f"Steiner, American Journal of Orthodontics 39 (1953) 729; {_WANG}, there called FMA",
    ),
    Measurement("FMA", "line_angle", (*_FRANKFORT, *_MANDIBULAR), source="Tweed, Angle Orthodontist 24 (1954) 121"),
    _FACIAL_ANGLE,
    Measurement("angle of convexity", "signed_angle", (_N, _A, _A, _POG), positive=_S, source=_DOWNS),
    _AB_TO_FACIAL,
    Measurement("Y-axis", "line_angle", (*_FRANKFORT, _S, _GN), source=_DOWNS),
    Measurement(
        "gonial angle",
        "angle",
        (_AR, _GO, _ME),
        source="articulare-gonion-menton, after Björk, The Face in Profile (1947)",
    ),
    _PALATAL,
    Measurement(
        "palatal plane to mandibular plane",
        "line_angle",
        (_PNS, _ANS, *_MANDIBULAR),
        source="angle of the two planes",
    ),
    Measurement("A to N perpendicular", "projected_distance", (_N, _A, *_FRANKFORT), source=_MCNAMARA),
    Measurement("Pog to N perpendicular", "projected_distance", (_N, _POG, *_FRANKFORT), source=_MCNAMARA),
    Measurement("anterior face height", "distance", (_N, _ME), source=_HEIGHTS),
    Measurement("posterior face height", "distance", (_S, _GO), source=_HEIGHTS),
    Measurement("upper face height", "distance", (_N, _ANS), source="distance nasion to anterior nasal spine"),
    Measurement("lower face height", "distance", (_ANS, _ME), source=_MCNAMARA),
    Measurement(
        "lower to anterior face height",
        "ratio",
        (_ANS, _ME, _N, _ME),
        source="ratio of the two distances",
    ),
    Measurement("upper lip to Sn-Pog'", "signed_distance", (_UPPER_LIP, _SN, _POG_SOFT), negative=_S, source=_BURSTONE),
    Measurement("lower lip to Sn-Pog'", "signed_distance", (_LOWER_LIP, _SN, _POG_SOFT), negative=_S, source=_BURSTONE),
    Measurement("ODI", "sum", terms=((1, _AB_TO_MANDIBULAR), (1, _PALATAL)), source=f"{_KIM}; {_WANG}"),
    Measurement(
        "APDI",
        "sum",
        terms=((1, _FACIAL_ANGLE), (1, _AB_TO_FACIAL), (1, _PALATAL)),
        source=f"{_KIM_VIETAS}; {_WANG}",
    ),
    Measurement("FHI", "ratio", (_S, _GO, _N, _ME), source=f"{_HEIGHTS}; {_WANG}"),
    # The challenge takes the sign from the picture's x; along Frankfort it does not depend on where the face looks.
    Measurement("MW", "directed_distance", (_L1, _U1, *_FRANKFORT), source=_WANG),
)
