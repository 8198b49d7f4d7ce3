# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Where the millimetres of an image come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from monai_gu2net.data.domain import Domain

__all__ = ["case_spacing", "reference_length_spacing"]


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


def case_spacing(case: Mapping[str, Any], domain: Domain) -> tuple[tuple[float, ...] | None, str]:
    """Spacing of one case and where it comes from: the case itself, its domain, or a reference length.

    Args:
        case: a datalist case; ``spacing`` in it goes before the domain's; ``landmarks`` (N, D) in pixels of
            the image file, rows of None or NaN for absent ones, serve the reference length.
        domain: the case's domain.

    Returns:
        (mm per pixel along each axis or None, source). Source is "case", "domain", "reference-length" or
        "none".
    """
    dims = len(domain.size)
    if case.get("spacing") is not None:
        return tuple(map(float, case["spacing"])), "case"
    if domain.spacing is not None:
        return domain.spacing, "domain"
    if domain.reference is not None and case.get("landmarks") is not None:
        spacing = reference_length_spacing(points_of(case["landmarks"], dims), domain)
        if spacing is not None:
            return (spacing,) * dims, "reference-length"
    return None, "none"


def points_of(landmarks: Any, dims: int) -> np.ndarray:
    """(N, D) float64 points from a datalist's list, with NaN rows where it says None."""
    absent = [float("nan")] * dims
    return np.array([absent if point is None else point for point in landmarks], dtype=np.float64).reshape(-1, dims)
