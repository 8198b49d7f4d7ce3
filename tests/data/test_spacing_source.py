# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monai_gu2net.data import Domain, ReferenceLength, case_spacing, checked_sources, reference_length_spacing

NAN = float("nan")
PLAIN = Domain("d", ("a", "b", "c"), (6, 5))
KNOWN = Domain("d", ("a", "b", "c"), (6, 5), spacing=(0.5, 2.0))
WRIST = Domain("d", ("a", "b", "c"), (6, 5), reference=ReferenceLength("a", "c", 50.0))
# 3-4-5 triangle, ten times
POINTS = [[10.0, 20.0], [7.0, 7.0], [40.0, 60.0]]


@pytest.mark.parametrize(
    ("domain", "case", "expected"),
    [
        (KNOWN, {"spacing": [3, 4], "landmarks": POINTS}, ((3.0, 4.0), "case")),
        (WRIST, {"spacing": [3, 4], "landmarks": POINTS}, ((3.0, 4.0), "case")),
        (KNOWN, {"spacing": None, "landmarks": POINTS}, ((0.5, 2.0), "domain")),
        (KNOWN, {}, ((0.5, 2.0), "domain")),
        (WRIST, {"landmarks": POINTS}, ((1.0, 1.0), "reference-length")),
        (WRIST, {"landmarks": [POINTS[0], None, POINTS[2]]}, ((1.0, 1.0), "reference-length")),
        (WRIST, {"landmarks": [None, POINTS[1], POINTS[2]]}, (None, "none")),
        (WRIST, {"landmarks": [POINTS[0], POINTS[1], [NAN, NAN]]}, (None, "none")),
        (WRIST, {"landmarks": [POINTS[0]] * 3}, (None, "none")),
        (WRIST, {"landmarks": None}, (None, "none")),
        (WRIST, {}, (None, "none")),
        (PLAIN, {"landmarks": POINTS}, (None, "none")),
    ],
)
def test_the_case_goes_before_its_domain_and_that_before_a_reference_length(
    domain: Domain, case: dict[str, Any], expected: tuple[tuple[float, float] | None, str]
) -> None:
    assert case_spacing(case, domain) == expected


DETECTOR, UNKNOWN, FILE = (((0.3, 0.3), source) for source in ("detector/ERMF", "unknown", "file"))
WITH_POINTS = {"landmarks": POINTS}


@pytest.mark.parametrize(
    ("domain", "case", "options", "expected"),
    [
        (KNOWN, {"spacing": [3, 4]}, {"given": (9, 8), "file": DETECTOR}, ((9.0, 8.0), "given")),
        (KNOWN, {"spacing": [3, 4]}, {"file": DETECTOR}, ((3.0, 4.0), "case")),
        (KNOWN, {}, {"file": DETECTOR}, ((0.5, 2.0), "domain")),
        (WRIST, WITH_POINTS, {"file": DETECTOR}, DETECTOR),
        (WRIST, WITH_POINTS, {"file": UNKNOWN}, ((1.0, 1.0), "reference-length")),
        (WRIST, WITH_POINTS, {"file": FILE}, ((1.0, 1.0), "reference-length")),
        (WRIST, {}, {"file": UNKNOWN}, UNKNOWN),
        (PLAIN, {}, {"file": FILE}, FILE),
        (PLAIN, {}, {"file": UNKNOWN, "accepted": ("detector", "calibrated")}, (None, "refused: unknown")),
        (PLAIN, {}, {"file": DETECTOR, "accepted": ("detector",)}, DETECTOR),
        (PLAIN, {}, {"file": DETECTOR, "accepted": ("calibrated",)}, (None, "refused: detector/ERMF")),
        (KNOWN, {}, {"file": DETECTOR, "accepted": ("detector",)}, DETECTOR),
        (KNOWN, {}, {"accepted": ("detector",)}, (None, "refused: domain")),
        (WRIST, WITH_POINTS, {"file": UNKNOWN, "accepted": ("unknown",)}, UNKNOWN),
        (PLAIN, {}, {"given": (9, 8), "accepted": ("detector",)}, ((9.0, 8.0), "given")),
        (PLAIN, {}, {"accepted": ("detector",)}, (None, "none")),
    ],
)
def test_the_first_source_that_is_known_and_accepted_counts(
    domain: Domain, case: dict[str, Any], options: dict[str, Any], expected: tuple[Any, str]
) -> None:
    assert case_spacing(case, domain, **options) == expected


def test_a_spacing_with_too_few_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"spacing must be 2 numbers for domain 'd'; got \(1,\)"):
        case_spacing({}, PLAIN, given=(1,))


@pytest.mark.parametrize("wrong", [["detctor"], [""], [], ["detector", "mm"]])
def test_a_source_that_there_is_none_of_is_refused(wrong: list[str]) -> None:
    with pytest.raises(ValueError, match="accept_spacing_source must be among"):
        checked_sources(wrong)


def test_sources_are_named_by_their_beginning_or_in_full() -> None:
    assert checked_sources(["detector/ERMF", "calibrated:FIDUCIAL", "scan"]) == (
        "detector/ERMF",
        "calibrated:FIDUCIAL",
        "scan",
    )
    assert checked_sources("detector") == ("detector",)
    assert checked_sources(None) is None


def test_a_reference_length_is_measured_in_space() -> None:
    domain = Domain("d", ("a", "b"), (6, 5, 4), reference=ReferenceLength("a", "b", 14.0))
    assert case_spacing({"landmarks": [[0, 0, 0], [2, 3, 6]]}, domain) == ((2.0,) * 3, "reference-length")


def test_a_wrist_of_one_hundred_pixels_has_half_a_millimetre_each() -> None:
    points = np.array([[0.0, 0], [NAN, NAN], [60, 80]])
    assert reference_length_spacing(points, WRIST) == 0.5


def test_a_domain_without_reference_length_is_refused() -> None:
    with pytest.raises(ValueError, match="Domain 'd' must have a reference length; got none"):
        reference_length_spacing(np.array(POINTS), PLAIN)
