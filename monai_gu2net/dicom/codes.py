# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Coded concepts of the results: those of DICOM and SNOMED CT where they have one, else those of a private scheme.

A code is (value, scheme, meaning). Codes of a standard are copied from DICOM PS3.16, none is made up.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = [
    "ANATOMICAL_POINT",
    "CERTAINTY",
    "COMMENT",
    "CONFIDENCE",
    "FINDINGS",
    "LANDMARKS_FOUND",
    "NOTHING_FOUND_TITLE",
    "PRIVATE_SCHEME",
    "RADIUS_90",
    "READABLE_TITLE",
    "SOURCE_IMAGE",
    "SPATIAL_RESAMPLING",
    "UNITS",
    "Code",
    "finding_site",
    "private_code",
]

Code = tuple[str, str, str]
"""Value, scheme, meaning."""

PRIVATE_SCHEME = "99MONAIGU2NET"

ANATOMICAL_POINT: Code = ("711101009", "SCT", "Anatomical point")
CERTAINTY: Code = ("111012", "DCM", "Certainty of Finding")
COMMENT: Code = ("121106", "DCM", "Comment")
FINDINGS: Code = ("121070", "DCM", "Findings")
# Viewers write the meanings over the image, so they are short.
CONFIDENCE: Code = ("confidence", PRIVATE_SCHEME, "Confidence")
RADIUS_90: Code = ("radius_90", PRIVATE_SCHEME, "Radius of 90 %")
LANDMARKS_FOUND: Code = ("landmarks_found", PRIVATE_SCHEME, "Landmarks found")
READABLE_TITLE: Code = ("readable", PRIVATE_SCHEME, "Landmarks and measurements, to be read")
NOTHING_FOUND_TITLE: Code = ("nothing_found", PRIVATE_SCHEME, "Landmarks, none found")
SPATIAL_RESAMPLING: Code = ("113085", "DCM", "Spatial resampling")
SOURCE_IMAGE: Code = ("121322", "DCM", "Source image for image processing operation")

UNITS: dict[str, Code] = {
    "mm": ("mm", "UCUM", "mm"),
    "px": ("{pixels}", "UCUM", "pixels"),
    "deg": ("deg", "UCUM", "degree"),
    "1": ("1", "UCUM", "no units"),
    "landmarks": ("{landmarks}", "UCUM", "landmarks"),
}
"""Units of results by the names this package gives them."""

_MANDIBLE: Code = ("91609006", "SCT", "Mandible")
_MAXILLA: Code = ("70925003", "SCT", "Maxilla")
_LIP: Code = ("48477009", "SCT", "Lip")
_SITES: dict[str, Code] = {
    "sella": ("42575006", "SCT", "Sella turcica"),
    "orbitale": ("363654007", "SCT", "Orbital structure"),
    "porion": ("84301002", "SCT", "External auditory canal"),
    "subspinale": _MAXILLA,
    "anterior_nasal_spine": _MAXILLA,
    "supramentale": _MANDIBLE,
    "pogonion": _MANDIBLE,
    "menton": _MANDIBLE,
    "gnathion": _MANDIBLE,
    "gonion": _MANDIBLE,
    "posterior_nasal_spine": ("51283005", "SCT", "Palatine bone"),
    "upper_incisal_incision": ("442100006", "SCT", "Maxillary incisor teeth"),
    "lower_incisal_incision": ("442274007", "SCT", "Mandibular incisor teeth"),
    "upper_lip": _LIP,
    "lower_lip": _LIP,
}


def finding_site(landmark: str) -> Code | None:
    """The structure that a landmark of the head lies on, as SNOMED CT names it; None where none is known for certain.

    Args:
        landmark: its name, as in the ISBI 2015 dataset.

    Example:
        >>> finding_site("sella")
        ('42575006', 'SCT', 'Sella turcica')

    Source: DICOM PS3.16, CID 4 and CID 4028.
    """
    return _SITES.get(landmark)


def private_code(name: str) -> Code:
    """The private code of a landmark or a measurement, which no standard has a term for.

    Args:
        name: of it.

    Returns:
        A name of up to 16 plain characters is its own value; of others it is 7 of them and 8 digits of a hash, so that
        different names have different values (SH). The meaning is the name, cut to 64 characters (LO). Neither has a
        backslash (PS3.5, 6.2).

    Example:
        >>> private_code("sella")
        ('sella', '99MONAIGU2NET', 'sella')
        >>> len(private_code("soft_tissue_pogonion")[0])
        16
    """
    meaning = name.replace("\\", "/")[:64].strip() or "unnamed"
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,16}", name):
        return name, PRIVATE_SCHEME, meaning
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    start = re.sub(r"[^A-Za-z0-9.-]+", "_", plain)[:7]
    return f"{start}_{hashlib.sha256(name.encode()).hexdigest()[:8]}", PRIVATE_SCHEME, meaning
