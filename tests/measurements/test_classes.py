# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import (
    CEPHALOMETRY,
    CHALLENGE_CLASSES,
    ChallengeClass,
    ClassAgreement,
    class_agreement,
    classify,
    measure,
)

UNITS = {each.name: each.unit("mm") for each in CEPHALOMETRY}


def class_of(name: str, value: float, unit: str | None = None) -> ChallengeClass | None:
    return classify(name, value, unit or UNITS[name])


# Types and ranges as in the table of Wang et al. 2016.
@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        *(("ANB", value, number) for value, number in ((3.1, 3), (3.2, 1), (5.7, 1), (5.8, 2))),
        *(("SNB", value, number) for value, number in ((74.5, 2), (74.6, 1), (78.7, 1), (78.8, 3))),
        *(("SNA", value, number) for value, number in ((79.3, 3), (79.4, 1), (83.2, 1), (83.3, 2))),
        *(("ODI", value, number) for value, number in ((68.3, 3), (68.4, 1), (80.5, 1), (80.6, 2))),
        *(("APDI", value, number) for value, number in ((77.5, 2), (77.6, 1), (85.2, 1), (85.3, 3))),
        *(("FHI", value, number) for value, number in ((0.64, 3), (0.65, 1), (0.75, 1), (0.76, 2))),
        *(("SN-GoGn", value, number) for value, number in ((26.7, 3), (26.8, 1), (31.4, 1), (31.5, 2))),
        *(("MW", value, number) for value, number in ((-0.1, 3), (0.0, 2), (2.0, 1), (4.5, 1), (4.6, 4))),
    ],
)
def test_types_are_those_of_the_challenge(name: str, value: float, number: int) -> None:
    found = class_of(name, value)
    assert found is not None
    assert found.number == number


def test_what_has_no_class_has_none() -> None:
    assert class_of("MW", 1.0) is None
    assert class_of("MW", 3.0, "px") is None
    assert class_of("SNA", math.nan) is None
    assert class_of("FMA", 28.0) is None


def test_the_challenge_scores_eight_measurements() -> None:
    assert len(CHALLENGE_CLASSES) == 8
    assert set(CHALLENGE_CLASSES) <= {each.name for each in CEPHALOMETRY}


def anb(sna: float, snb: float = 80.0) -> LandmarkSet:
    """The landmarks of ANB, and the incisors with an overjet of 3 mm along a level Frankfort plane."""

    def below(degrees: float) -> list[float]:
        return [70 - 50 * math.cos(math.radians(degrees)), 50 * math.sin(math.radians(degrees))]

    points = {
        "sella": [0.0, 0.0],
        "nasion": [70.0, 0.0],
        "subspinale": below(sna) if sna == sna else [math.nan] * 2,
        "supramentale": below(snb),
        "porion": [0.0, 20.0],
        "orbitale": [60.0, 20.0],
        "lower_incisal_incision": [60.0, 70.0],
        "upper_incisal_incision": [63.0, 70.0],
    }
    return LandmarkSet(tuple(points), list(points.values()), "mm")


def agreement_on(name: str, predicted: list[LandmarkSet], reference: list[LandmarkSet]) -> ClassAgreement:
    """Of the landmarks of images, in the unit of their frame."""
    chosen = [each for each in CEPHALOMETRY if each.name == name]
    found, truth = (
        [measure(chosen, image, unit="mm" if image.frame == "mm" else "px")[0] for image in images]
        for images in (predicted, reference)
    )
    return class_agreement(
        name, [(ours.value, theirs.value, ours.unit) for ours, theirs in zip(found, truth, strict=True)]
    )


def test_the_rate_counts_images_whose_class_is_the_reference_s() -> None:
    reference = [anb(84), anb(84), anb(88), anb(80), anb(math.nan)]  # ANB 4, 4, 8, 0: types 1, 1, 2, 3
    predicted = [anb(85), anb(88), anb(87), anb(math.nan), anb(84)]  # types 1, 2, 2, not found

    agreement = agreement_on("ANB", predicted, reference)

    assert agreement.count == 4  # an image without reference does not count
    assert agreement.confusion.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    assert agreement.rate == 0.5


def test_an_overjet_between_the_classes_does_not_count() -> None:
    edge = anb(84)
    points = edge.points.copy()
    points[-1] = [61.0, 70.0]  # 1 mm ahead
    between = LandmarkSet(edge.names, points, "mm")
    agreement = agreement_on("MW", [anb(84), between], [between, anb(84)])
    assert (agreement.count, agreement.unclassed) == (1, 1)
    assert agreement.confusion[0].tolist() == [0, 0, 0, 0, 1]


def test_without_any_reference_the_rate_is_nan() -> None:
    assert all(math.isnan(class_agreement(name, []).rate) for name in CHALLENGE_CLASSES)


def test_pixels_give_the_classes_of_angles_alone() -> None:
    in_pixels = [LandmarkSet(anb(84).names, anb(84).points, "index")]
    assert agreement_on("ANB", in_pixels, in_pixels).count == 1
    in_mm = agreement_on("MW", in_pixels, in_pixels)
    assert (in_mm.count, in_mm.unclassed) == (0, 0)
