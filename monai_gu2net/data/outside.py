# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks that lie outside of their images: absent for the network, and accounted for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from monai_gu2net.data.datalist import SPLITS, Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import LeftOut

__all__ = ["ALLOWED_OUTSIDE", "cases_in_frame", "check_outside", "datalist_in_frame", "in_frame", "outside_landmarks"]

ALLOWED_OUTSIDE = 0.05
"""Share of a domain's annotated landmarks that may lie outside of their images where nobody says otherwise."""


def in_frame(case: Mapping[str, Any], names: Sequence[str], size: Sequence[int]) -> dict[str, Any]:
    """The case with None for its landmarks outside of the image, and their names under ``outside``.

    Args:
        case: a datalist case with ``landmarks``.
        names: of its landmarks.
        size: of the image in pixels along each axis of a point. The first pixel reaches from -0.5 to 0.5, the last one
            to size - 0.5.
    """
    points = case["landmarks"]
    outside = [
        point is not None and not all(-0.5 <= p <= n - 0.5 for p, n in zip(point, size, strict=False))
        for point in points
    ]
    if not any(outside):
        return dict(case)
    found = [name for name, out in zip(names, outside, strict=True) if out]
    kept = [None if out else point for point, out in zip(points, outside, strict=True)]
    return {**case, "landmarks": kept, "outside": [*case.get("outside", ()), *found]}


def cases_in_frame(
    cases: Sequence[Mapping[str, Any]], domains: Mapping[str, Domain], *, allow_outside: float = ALLOWED_OUTSIDE
) -> list[dict[str, Any]]:
    """The cases without the landmarks that lie outside of their images, whose sizes are read from the files' headers.

    An image that cannot be read keeps its landmarks: it fails where it is loaded.

    Args:
        cases: datalist cases. Landmarks that are under ``outside`` already have been allowed before.
        domains: by name.
        allow_outside: share of the annotated landmarks of a domain.

    Raises:
        ValueError: the share of a domain's landmarks that are newly found to lie outside is larger.
    """
    made, found = [], []
    for case in cases:
        domain = domains[case["domain"]]
        annotated = any(point is not None for point in case.get("landmarks") or ())
        size = _size(case, domain.dims) if annotated else None
        made.append(dict(case) if size is None else in_frame(case, domain.landmarks, size))
        found.append({**made[-1], "outside": made[-1].get("outside", [])[len(case.get("outside", ())) :]})
    check_outside(found, allow_outside=allow_outside)
    return made


def datalist_in_frame(data: Datalist, *, allow_outside: float = ALLOWED_OUTSIDE) -> Datalist:
    """The datalist without the landmarks that lie outside of their images, see :func:`cases_in_frame`."""
    cases = iter(cases_in_frame(data.cases("all"), data.domains, allow_outside=allow_outside))
    splits: dict[str, Any] = {split: [next(cases) for _ in getattr(data, split)] for split in SPLITS}
    return replace(data, **splits)


def check_outside(cases: Sequence[Mapping[str, Any]], *, allow_outside: float) -> None:
    """Refuse cases of whose landmarks too many lie outside of the images.

    Args:
        cases: datalist cases, with ``outside`` where landmarks do.
        allow_outside: share of the annotated landmarks of a domain, 0 to 1.

    Raises:
        ValueError: the share of a domain is larger, or ``allow_outside`` is none.
    """
    if not 0 <= allow_outside <= 1:
        raise ValueError(f"allow_outside must be a share from 0 to 1; got {allow_outside}. Correct it.")
    for domain in dict.fromkeys(case["domain"] for case in cases):
        own = [case for case in cases if case["domain"] == domain]
        outside = outside_landmarks(own)
        inside = sum(point is not None for case in own for point in case.get("landmarks") or ())
        share = len(outside) / max(1, len(outside) + inside)
        if share > allow_outside:
            shown = ", ".join(item.name for item in outside[:3]) + (", ..." if len(outside) > 3 else "")
            raise ValueError(
                f"Landmarks of domain {domain!r} must lie inside of their images but for a share of {allow_outside:g}; "
                f"got {len(outside)} of {len(outside) + inside} outside ({shown}). Check that they are in pixels of "
                f"these files, or allow it: --allow-outside {math.ceil(100 * share) / 100:g} (allow_outside of a "
                "bundle)."
            )


def outside_landmarks(cases: Sequence[Mapping[str, Any]]) -> list[LeftOut]:
    """The landmarks of cases that are left out because they lie outside of the image."""
    return [
        LeftOut("landmark", f"{case['domain']} {case['case']}: {name}", "outside the image")
        for case in cases
        for name in case.get("outside", ())
    ]


def _size(case: Mapping[str, Any], dims: int) -> Sequence[int] | None:
    """Of the case's image along the axes of a point; None where nothing says it."""
    from monai_gu2net.data.reader import image_shape

    try:
        shape = image_shape(Path(case["image"]))
    except (OSError, ValueError):
        return None
    return shape[:dims] if shape is not None and len(shape) >= dims else None
