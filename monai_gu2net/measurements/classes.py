# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The eight classes that the ISBI 2015 challenge scored, and how often two sets of landmarks agree on them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["CHALLENGE_CLASSES", "ChallengeClass", "ClassAgreement", "class_agreement", "classify"]


@dataclass(frozen=True)
class ChallengeClass:
    """A range of a measurement that has a number and a name.

    Args:
        number: the challenge's type.
        name: what the type is called.
        low, high: of the range.
        closed: whether the two ends belong to it.
    """

    number: int
    name: str
    low: float = -math.inf
    high: float = math.inf
    closed: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value lies in the range; NaN does not."""
        return self.low <= value <= self.high if self.closed else self.low < value < self.high


def _three(normal: str, low: float, high: float, *, above: str, below: str, up: int = 2) -> tuple[ChallengeClass, ...]:
    """Type 1 from low to high, and beyond them types 2 and 3, of which `up` is the one above."""
    beyond = (ChallengeClass(up, above, low=high), ChallengeClass(5 - up, below, high=low))
    return (ChallengeClass(1, normal, low, high, closed=True), *sorted(beyond, key=lambda each: each.number))


CHALLENGE_CLASSES: dict[str, tuple[ChallengeClass, ...]] = {
    "ANB": _three("class I", 3.2, 5.7, above="class II", below="class III"),
    "SNB": _three("normal mandible", 74.6, 78.7, above="prognathic mandible", below="retrognathic mandible", up=3),
    "SNA": _three("normal maxilla", 79.4, 83.2, above="prognathic maxilla", below="retrognathic maxilla"),
    "ODI": _three("normal", 68.4, 80.5, above="deep bite tendency", below="open bite tendency"),
    "APDI": _three("normal", 77.6, 85.2, above="class III tendency", below="class II tendency", up=3),
    "FHI": _three("normal", 0.65, 0.75, above="short face tendency", below="long face tendency"),
    "SN-GoGn": _three("normal", 26.8, 31.4, above="high angle tendency", below="low angle tendency"),
    "MW": (
        ChallengeClass(1, "normal", 2.0, 4.5, closed=True),
        ChallengeClass(2, "edge to edge", 0.0, 0.0, closed=True),
        ChallengeClass(3, "anterior cross bite", high=0.0),
        ChallengeClass(4, "large overjet", low=4.5),
    ),
}
"""By measurement of :data:`~monai_gu2net.measurements.CEPHALOMETRY`. SN-GoGn is what the challenge calls FMA. MW
is in mm; between 0 and 2 mm the challenge defines no class.

Source: Wang et al., Medical Image Analysis 31 (2016) 63, table of the clinical measurements.
"""


@dataclass(frozen=True, eq=False)
class ClassAgreement:
    """How predicted classes agree with those of a reference.

    Args:
        name: of the measurement.
        count: images whose reference has a class.
        unclassed: images whose reference was measured and has none, which only MW knows.
        confusion: (T, T + 1) images by reference class and predicted class; the last column is without class, because
            a landmark was not found or the value lies in no range.
    """

    name: str
    count: int
    unclassed: int
    confusion: np.ndarray

    @property
    def rate(self) -> float:
        """Share of ``count`` whose class is the reference's, 0 to 1; NaN without any."""
        return float(np.trace(self.confusion)) / self.count if self.count else math.nan


def classify(name: str, value: float, unit: str) -> ChallengeClass | None:
    """The challenge's class of a measurement, by its name and unit.

    Returns:
        The class; None where the measurement has no classes, no value, or a value in no range, or is in pixels.
    """
    if unit == "px":
        return None
    return next((each for each in CHALLENGE_CLASSES.get(name, ()) if each.holds(value)), None)


def class_agreement(name: str, values: Iterable[tuple[float, float, str]]) -> ClassAgreement:
    """Agreement on one measurement.

    Args:
        name: among :data:`CHALLENGE_CLASSES`.
        values: predicted value, reference value and unit of each image. One without a reference value does not count,
            and one without a predicted value is a failure.

    Source: Wang et al., Medical Image Analysis 31 (2016) 63, success classification rate.
    """
    types = len(CHALLENGE_CLASSES[name])
    table, unclassed = np.zeros((types, types + 1), dtype=int), 0
    for ours, theirs, unit in values:
        expected, given = classify(name, theirs, unit), classify(name, ours, unit)
        if expected is not None:
            table[expected.number - 1, -1 if given is None else given.number - 1] += 1
        elif unit != "px" and not math.isnan(theirs):
            unclassed += 1
    return ClassAgreement(name, int(table.sum()), unclassed, table)
