# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Measurements that a user declares, and those that are built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_gu2net.files import check_fields
from monai_gu2net.measurements.cephalometry import CEPHALOMETRY
from monai_gu2net.measurements.chest import CHEST
from monai_gu2net.measurements.fetal_head import FETAL_HEAD
from monai_gu2net.measurements.measurement import Measurement
from monai_gu2net.measurements.spine import SPINE

__all__ = ["default_measurements", "measurement_to_dict", "read_measurements"]

_MEANT_FOR = {
    2: ("a kind with a plane must be of a volume", "Choose a kind without a plane"),
    3: (
        "a kind with a side must be of a picture",
        "Choose one without: line_angle or plane_angle, line_distance or plane_distance",
    ),
}
_FIELDS = {"name", "kind", "landmarks", "positive", "negative", "terms", "source", "code"}


def default_measurements(names: Sequence[str]) -> tuple[Measurement, ...]:
    """The built-in measurements of a picture whose landmarks are all among these.

    Args:
        names: of landmarks.

    Returns:
        Of the head, the chest, the spine and the fetal head, as far as their landmarks are there; often none.

    Example:
        >>> [each.name for each in default_measurements(["sella", "nasion", "subspinale"])]
        ['SNA']
    """
    present = set(names)
    return tuple(each for each in (*CEPHALOMETRY, *CHEST, *SPINE, *FETAL_HEAD) if present.issuperset(each.needs))


def read_measurements(declared: Any, *, landmarks: Sequence[str], where: str, dims: int = 2) -> tuple[Measurement, ...]:
    """Measurements of their JSON form.

    Args:
        declared: a list of objects with ``name``, ``kind`` and ``landmarks``, see
            :class:`~monai_gu2net.measurements.Measurement`; optionally ``positive`` or ``negative``, ``source``, and
            ``code`` (value, scheme and meaning). A sum has ``terms`` instead, pairs of a factor and the name of a
            built-in measurement or of one that stands before it.
        landmarks: names that may be used.
        where: what the measurements belong to, for messages.
        dims: coordinates of a point; kinds with a side need 2, those with a plane 3.

    Returns:
        The measurements in order.

    Raises:
        ValueError: the form or a name is not right; the message names ``where`` and the measurement.

    Example:
        >>> declared = [{"name": "width", "kind": "distance", "landmarks": ["left", "right"]}]
        >>> read_measurements(declared, landmarks=["left", "right"], where="Domain 'knee'")[0].needs
        ('left', 'right')
    """
    if not isinstance(declared, list | tuple):
        raise ValueError(f"{where}: measurements must be a list of objects; got {declared!r}. Put them in brackets.")
    by_name = {each.name: each for each in (default_measurements(landmarks) if dims == 2 else ())}
    read: dict[str, Measurement] = {}
    for position, fields in enumerate(declared):
        name = fields.get("name") if isinstance(fields, Mapping) else None
        place = f"{where}: measurement {name!r}" if isinstance(name, str) else f"{where}: measurements[{position}]"
        if not isinstance(fields, Mapping) or not isinstance(name, str):
            raise ValueError(f"{place} must be an object with a name; got {fields!r}. Name it.")
        if name in read:
            raise ValueError(f"{place} must stand in the list once; got it twice. Rename one of them.")
        try:
            measurement = _read(fields, by_name, landmarks, dims)
        except ValueError as error:
            raise ValueError(f"{place}: {str(error).removeprefix(f'Measurement {name!r}: ')}") from error
        read[name] = by_name[name] = measurement
    return tuple(read.values())


def measurement_to_dict(measurement: Measurement) -> dict[str, Any]:
    """The JSON form that :func:`read_measurements` reads; the terms of a sum by their names."""
    fields: dict[str, Any] = {"name": measurement.name, "kind": measurement.kind}
    if measurement.terms:
        fields["terms"] = [[factor, term.name] for factor, term in measurement.terms]
    else:
        fields["landmarks"] = list(measurement.landmarks)
    for field in ("positive", "negative", "source"):
        if getattr(measurement, field):
            fields[field] = getattr(measurement, field)
    if measurement.code is not None:
        fields["code"] = list(measurement.code)
    return fields


def _read(
    fields: Mapping[str, Any], by_name: Mapping[str, Measurement], landmarks: Sequence[str], dims: int
) -> Measurement:
    check_fields(fields, _FIELDS, where="it")
    for field in sorted(_FIELDS - {"name"}):
        is_list = field in ("landmarks", "terms", "code")
        if fields.get(field) is not None and not isinstance(fields[field], list | tuple if is_list else str):
            raise ValueError(f"{field} must be {'a list' if is_list else 'text'}; got {fields[field]!r}. Correct it.")
    code = fields.get("code")
    if code is not None and (len(code) != 3 or not all(isinstance(part, str) and part for part in code)):
        raise ValueError(f"code must be value, scheme and meaning; got {code!r}. Leave it out if there is none.")
    measurement = Measurement(
        name=fields["name"],
        kind=fields.get("kind", ""),
        landmarks=tuple(fields.get("landmarks") or ()),
        positive=fields.get("positive"),
        negative=fields.get("negative"),
        terms=tuple(_term(term, by_name) for term in fields.get("terms") or ()),
        source=fields.get("source") or "",
        code=None if code is None else (code[0], code[1], code[2]),
    )
    unknown = [name for name in measurement.needs if name not in landmarks]
    if unknown:
        raise ValueError(
            f"landmarks must be among those of the domain, {list(landmarks)}; got {unknown}. Correct the spelling."
        )
    if dims not in measurement.dims:
        rule, advice = _MEANT_FOR[dims]
        raise ValueError(f"{rule}; got {measurement.kind!r} of points with {dims} coordinates. {advice}.")
    return measurement


def _term(term: Any, by_name: Mapping[str, Measurement]) -> tuple[float, Measurement]:
    if (
        not isinstance(term, list | tuple)
        or len(term) != 2
        or isinstance(term[0], bool)
        or not isinstance(term[0], int | float)
        or not isinstance(term[1], str)
        or term[1] not in by_name
    ):
        raise ValueError(
            f"a term must be a factor and the name of a measurement, among {sorted(by_name)}; got {term!r}. Declare "
            "the measurement before its sum."
        )
    return float(term[0]), by_name[term[1]]
