# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the millimetres of an image come from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from monai_gu2net.data.domain import Domain

__all__ = [
    "SPACING_SOURCES",
    "accepts",
    "case_spacing",
    "check_axes",
    "checked_sources",
    "checked_spacing",
    "reference_length_spacing",
]

SPACING_SOURCES = (
    "given",
    "case",
    "domain",
    "calibrated",
    "detector",
    "scanned-film",
    "unknown",
    "file",
    "reference-length",
)
"""What a spacing source begins with, see :func:`case_spacing`."""

_MEASURED = ("calibrated", "detector", "scanned-film")  # what DICOM says with its meaning; "unknown" lacks it

Spacing = tuple[float, ...]


def reference_length_spacing(points: np.ndarray, domain: Domain) -> float | None:
    """Isotropic spacing from the two landmarks whose distance is known.

    Args:
        points: (N, D) points in pixels of the image file, in the domain's order; NaN: absent.
        domain: a domain with a reference length.

    Returns:
        mm per pixel; None when one of the two landmarks is absent or both are in one place.

    Source: Payer et al., Medical Image Analysis 54 (2019), the 50 mm wrist of the hand radiographs.
    """
    if domain.reference is None:
        raise ValueError(f"Domain {domain.name!r} must have a reference length; got none. Declare 'reference'.")
    first, second = (points[domain.landmarks.index(name)] for name in (domain.reference.first, domain.reference.second))
    distance = float(np.linalg.norm(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)))
    return domain.reference.mm / distance if np.isfinite(distance) and distance > 0 else None


def case_spacing(
    case: Mapping[str, Any],
    domain: Domain,
    *,
    file: tuple[Spacing, str] | None = None,
    given: Sequence[float] | None = None,
    accepted: Sequence[str] | None = None,
) -> tuple[Spacing | None, str]:
    """Spacing of one case and where it comes from: the first of these that is known and accepted.

    1. "given": to the whole run;
    2. "case": stated by the case itself;
    3. "domain": stated by its domain;
    4. the file, where DICOM tags say what was measured ("detector", "detector/ERMF", "calibrated:TYPE",
       "scanned-film");
    5. "reference-length": the distance of two of the case's landmarks, where the domain declares it;
    6. the file, where its number comes without a meaning ("unknown": DICOM's PixelSpacing alone in a radiograph;
       "file": NIfTI, NRRD, MetaImage, or a DICOM series).

    A reference length is a protocol that the data's author chose (a hand's wrist is 50 mm wide), and an assumption
    about the patient: so it goes before a number of unknown origin and after a measured one.

    Args:
        case: a datalist case; ``landmarks`` (N, D) in pixels of the image file, rows of None or NaN for absent ones,
            serve the reference length.
        domain: the case's domain.
        file: spacing that the image file states, and its source; None: it states none.
        given: mm per pixel along each axis, for all cases.
        accepted: what the source must begin with, such as "detector"; None: any will do. What is given is accepted.

    Returns:
        (mm per pixel along each axis or None, source). Without a spacing the source is "none", or "refused: SOURCE" for
        the first one that was known and not accepted.

    Raises:
        ValueError: the spacing given has not one number per axis.
    """
    refused = None
    for spacing, source in _candidates(case, domain, file, given):
        if source == "given" or accepts(source, accepted):
            return spacing, source
        refused = refused or source
    return None, "none" if refused is None else f"refused: {refused}"


def accepts(source: str, accepted: Sequence[str] | None) -> bool:
    """Whether a spacing source begins with one of those accepted; None accepts all."""
    return accepted is None or source.startswith(tuple(accepted))


def checked_sources(accepted: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """The sources to accept, each the beginning or the continuation of a known one; None: all.

    Raises:
        ValueError: one is misspelt, or there is none.
    """
    if accepted is None:
        return None
    wanted = (accepted,) if isinstance(accepted, str) else tuple(accepted)
    strange = [
        source
        for source in wanted
        if not source or not any(k.startswith(source) or source.startswith(k) for k in SPACING_SOURCES)
    ]
    if strange or not wanted:
        raise ValueError(
            f"accept_spacing_source must be among {list(SPACING_SOURCES)}; got {strange}. Correct the spelling."
        )
    return wanted


def checked_spacing(spacing: Sequence[float] | None) -> tuple[float, ...] | None:
    """The mm per pixel given for all images; None: none is.

    Raises:
        ValueError: it is not a positive number for each axis.
    """
    if spacing is None:
        return None
    try:
        lengths = tuple(map(float, spacing))
    except (TypeError, ValueError):
        lengths = ()
    if isinstance(spacing, str) or not lengths or not all(0 < length < math.inf for length in lengths):
        raise ValueError(
            f"spacing must be positive numbers, mm per pixel along each axis; got {spacing!r}. Give one per axis, "
            "such as (0.1, 0.1)."
        )
    return lengths


def check_axes(spacing: Sequence[float], domain: Domain) -> None:
    """Refuse a spacing that has not one number for each axis of a domain's images, with a ValueError that names it."""
    dims = domain.dims
    if len(spacing) != dims:
        raise ValueError(
            f"spacing must be {dims} numbers for domain {domain.name!r}; got {tuple(spacing)}. Give one per axis."
        )


def points_of(landmarks: Any, dims: int) -> np.ndarray:
    """(N, D) float64 points from a datalist's list, with NaN rows where it says None."""
    absent = [float("nan")] * dims
    return np.array([absent if point is None else point for point in landmarks], dtype=np.float64).reshape(-1, dims)


def _candidates(
    case: Mapping[str, Any],
    domain: Domain,
    file: tuple[Spacing, str] | None,
    given: Sequence[float] | None,
) -> Iterator[tuple[Spacing, str]]:
    """What is known of the spacing, the most reliable first."""
    dims = domain.dims
    if given is not None:
        check_axes(given, domain)
        yield tuple(map(float, given)), "given"
    if case.get("spacing") is not None:
        yield tuple(map(float, case["spacing"])), "case"
    if domain.spacing is not None:
        yield domain.spacing, "domain"
    measured = file is not None and file[1].startswith(_MEASURED)
    if file is not None and measured:
        yield file
    if domain.reference is not None and case.get("landmarks") is not None:
        spacing = reference_length_spacing(points_of(case["landmarks"], dims), domain)
        if spacing is not None:
            yield (spacing,) * dims, "reference-length"
    if file is not None and not measured:
        yield file
