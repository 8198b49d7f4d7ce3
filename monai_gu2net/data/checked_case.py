# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The rules of a case of a datalist."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sized
from numbers import Integral
from pathlib import Path
from typing import Any

from monai_gu2net.data.case_names import image_name
from monai_gu2net.data.domain import Domain
from monai_gu2net.files import check_fields

__all__ = ["checked_case"]

_CASE_FIELDS = {"image", "domain", "case", "patient", "landmarks", "outside", "doubtful", "annotators", "spacing"}


def checked_case(case: Mapping[str, Any], domains: Mapping[str, Domain], where: str) -> dict[str, Any]:
    """A datalist's case with its defaults filled in.

    Args:
        case: as it is declared, see :class:`~monai_gu2net.data.Datalist`.
        domains: by name.
        where: it stands, for messages.

    Raises:
        ValueError: it breaks a rule.
    """
    check_fields(case, _CASE_FIELDS, where=where)
    case = {key: value for key, value in case.items() if value is not None}
    case |= {key: _identity(case[key], f"{where}: {key}") for key in ("case", "patient") if key in case}
    if "image" not in case:
        raise ValueError(f"{where} must have 'image'; got {sorted(case)}. Add the file.")
    if case.get("domain") is None and len(domains) == 1:
        case = {**case, "domain": next(iter(domains))}
    if case.get("domain") not in domains:
        raise ValueError(
            f"{where}: domain must be among {list(domains)}; got {case.get('domain')!r}. Declare it under 'domains'."
        )
    domain = domains[case["domain"]]
    dims = domain.dims
    name = str(case.get("case") or image_name(Path(case["image"])))
    checked = {**case, "case": name, "patient": case.get("patient", name)}
    where = f"{where} (case {name!r})"
    if case.get("landmarks") is not None:
        checked["landmarks"] = _points(case["landmarks"], domain, where)
    for field in {"outside", "doubtful"} & set(case):
        named = case[field] if isinstance(case[field], list) else [None]
        if not set(map(str, named)) <= set(domain.landmarks):
            raise ValueError(
                f"{where}: {field} must be a list of landmarks among {list(domain.landmarks)}; got "
                f"{case[field]!r}. Leave it out."
            )
    if "annotators" in case:
        annotators = case["annotators"]
        if not isinstance(annotators, Mapping) or not all(isinstance(who, str) and who for who in annotators):
            raise ValueError(
                f"{where}: annotators must be an object of points by name; got {annotators!r}. Name each one."
            )
        checked["annotators"] = {
            who: _points(points, domain, f"{where}, annotator {who!r}") for who, points in annotators.items()
        }
    if "spacing" in case:
        spacing = _numbers(case["spacing"])
        if spacing is None or len(spacing) != dims or not all(0 < s < math.inf for s in spacing):
            raise ValueError(
                f"{where}: spacing must be {dims} positive numbers; got {case['spacing']!r}. Leave it out if unknown."
            )
        checked["spacing"] = spacing
    return checked


def _identity(value: Any, what: str) -> str:
    """What identifies a case or a patient, as words: 1 and "1" are the same, and so are both Unicode forms."""
    if isinstance(value, bool) or not isinstance(value, str | Integral) or not str(value).strip():
        raise ValueError(f"{what} must be words or a whole number; got {value!r}. Leave it out if it is not known.")
    return unicodedata.normalize("NFC", str(value).strip())


def _points(landmarks: Any, domain: Domain, where: str) -> list[list[float] | None]:
    """The landmarks of one annotation in the domain's order."""
    if isinstance(landmarks, Mapping):
        strange = [key for key in landmarks if key not in domain.landmarks]
        if strange:
            raise ValueError(
                f"{where}: landmarks must be named among {list(domain.landmarks)}; got {strange}. Correct them."
            )
        landmarks = [landmarks.get(key) for key in domain.landmarks]
    count = len(landmarks) if isinstance(landmarks, Sized) else landmarks
    if count != len(domain.landmarks):
        raise ValueError(
            f"{where}: landmarks must be {len(domain.landmarks)} points, as in domain {domain.name!r}; "
            f"got {count!r}. Write null for an absent one."
        )
    return [
        _point(point, domain.dims, f"{where}: landmark {name!r}")
        for name, point in zip(domain.landmarks, landmarks, strict=True)
    ]


def _point(point: Any, dims: int, where: str) -> list[float] | None:
    """A point as numbers; None where it is absent."""
    if point is None:
        return None
    numbers = _numbers(point)
    if numbers is None or len(numbers) != dims or any(math.isinf(p) for p in numbers):
        raise ValueError(f"{where} must be {dims} numbers or null; got {point!r}. Correct it.")
    return None if any(math.isnan(p) for p in numbers) else numbers


def _numbers(values: Any) -> list[float] | None:
    """A list of floats; None where it is not one, as a word is, or has True or False in it."""
    if isinstance(values, str | Mapping):
        return None
    try:
        if any(isinstance(value, bool) for value in values):
            return None
        return [float(value) for value in values]
    except (TypeError, ValueError):
        return None
