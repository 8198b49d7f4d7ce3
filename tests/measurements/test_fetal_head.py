# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from pydicom.sr.codedict import codes
from scipy.integrate import quad
from scipy.special import ellipe

from monai_gu2net.data import Domain
from monai_gu2net.evaluation import compare_measurements, measure_rows
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import FETAL_HEAD, Measured, Measurement, default_measurements, measure

NAMES = ("ofd_a", "ofd_b", "bpd_a", "bpd_b")


def head(ofd: float, bpd: float, *, turn: float = 0.3) -> LandmarkSet:
    """Diameters at right angles with the same middle."""
    along = np.array([math.cos(turn), math.sin(turn)])
    across = np.array([-along[1], along[0]])
    middle = np.array([150.0, 90.0])
    points = [middle - ofd / 2 * along, middle + ofd / 2 * along, middle - bpd / 2 * across, middle + bpd / 2 * across]
    return LandmarkSet(NAMES, points, "mm")


def measured(landmarks: LandmarkSet, radius: float | None = None) -> dict[str, Measured]:
    radii = None if radius is None else np.full(4, radius)
    return {each.name: each for each in measure(FETAL_HEAD, landmarks, unit="mm", radius=radii)}


def perimeter(first: float, second: float) -> float:
    """Of an ellipse with these axes, as the length of its line."""
    x, y = first / 2, second / 2
    return quad(lambda t: math.hypot(x * math.sin(t), y * math.cos(t)), 0, 2 * math.pi, limit=500)[0]


def test_a_head_of_the_usual_size() -> None:
    found = measured(head(115.0, 92.0))
    assert found["occipitofrontal diameter"].value == pytest.approx(115)
    assert found["biparietal diameter"].value == pytest.approx(92)
    assert found["head circumference"].value == pytest.approx(perimeter(115, 92), rel=1e-9)
    # Ramanujan's second approximation, worked out by hand for half axes 57.5 and 46: h = (11.5 / 103.5)^2
    h = (11.5 / 103.5) ** 2
    assert found["head circumference"].value == pytest.approx(
        math.pi * 103.5 * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h))), rel=1e-8
    )
    assert {each.unit for each in found.values()} == {"mm"}


@pytest.mark.parametrize("ratio", [1.0, 0.999999, 0.8, 0.5, 0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("longer", ["ofd", "bpd"])
def test_the_circumference_is_that_of_the_elliptic_integral_whatever_the_shape(ratio: float, longer: str) -> None:
    sizes = (100.0, 100.0 * ratio) if longer == "ofd" else (100.0 * ratio, 100.0)
    found = measured(head(*sizes))["head circumference"].value
    assert found == pytest.approx(4 * 50 * float(ellipe(1 - ratio**2)), rel=1e-9)


def test_a_round_head_is_a_circle() -> None:
    assert measured(head(80.0, 80.0))["head circumference"].value == pytest.approx(80 * math.pi, rel=1e-12)


def test_which_end_is_which_and_where_the_axes_cross_do_not_matter() -> None:
    points = head(115.0, 92.0).points
    swapped = LandmarkSet(NAMES, points[[1, 0, 3, 2]], "mm")
    beside = LandmarkSet(NAMES, points + np.array([[0, 0], [0, 0], [9, 4], [9, 4]]), "mm")
    expected = {name: each.value for name, each in measured(head(115.0, 92.0)).items()}
    for landmarks in (swapped, beside):
        assert {name: each.value for name, each in measured(landmarks).items()} == pytest.approx(expected)


def test_a_head_of_no_width_has_no_circumference() -> None:
    found = measured(head(115.0, 0.0))
    assert found["biparietal diameter"].value == 0
    assert math.isnan(found["head circumference"].value)


def test_the_error_of_the_circumference_is_that_of_its_two_diameters() -> None:
    """Derivatives by difference of the elliptic integral; a diameter's error is sqrt(2) sigma."""
    sigma, step = 1.5, 1e-4
    by_ofd = (perimeter(115 + step, 92) - perimeter(115 - step, 92)) / (2 * step)
    by_bpd = (perimeter(115, 92 + step) - perimeter(115, 92 - step)) / (2 * step)
    error = measured(head(115.0, 92.0), radius=sigma * math.sqrt(2 * math.log(10)))["head circumference"].error
    assert error == pytest.approx(math.sqrt(2) * sigma * math.hypot(by_ofd, by_bpd), rel=1e-4)


def test_codes_are_those_of_dicom_s_fetal_biometry() -> None:
    group = codes.cid12005
    terms = (group.BiparietalDiameter, group.OccipitalFrontalDiameter, group.HeadCircumference)
    expected = [(term.value, term.scheme_designator, term.meaning) for term in terms]
    assert [each.code for each in FETAL_HEAD] == expected


def test_they_are_built_in_by_the_names_of_the_landmarks() -> None:
    assert default_measurements(NAMES) == FETAL_HEAD
    assert [each.name for each in default_measurements(NAMES[2:])] == ["biparietal diameter"]
    assert Domain("fetal_head", NAMES, (64, 64)).all_measurements == FETAL_HEAD


def test_a_domain_may_declare_the_perimeter_of_an_ellipse() -> None:
    fields = {"name": "pupil", "kind": "ellipse_perimeter", "landmarks": ["l", "r", "t", "b"]}
    domain = Domain.from_dict("eye", {"landmarks": ["l", "r", "t", "b"], "size": [8, 8], "measurements": [fields]})
    assert domain.measurements == (Measurement("pupil", "ellipse_perimeter", ("l", "r", "t", "b")),)
    assert Domain.from_dict("eye", domain.to_dict()) == domain


def test_a_report_has_the_mean_absolute_difference_in_millimetres() -> None:
    rows = []
    for case, (ofd, bpd) in {"1": (110.0, 90.0), "2": (118.0, 95.0)}.items():
        reference, found = head(115.0, 92.0).points / (0.1, 0.2), head(ofd, bpd).points / (0.1, 0.2)
        for name, place, other in zip(NAMES, reference.tolist(), found.tolist(), strict=True):
            row = {"case": case, "domain": "fetal_head", "landmark": name, "error": 1.0, "unit": "mm"}
            row |= {"reference_x": place[0], "reference_y": place[1], "predicted_x": other[0], "predicted_y": other[1]}
            rows.append(row | {"spacing_x": 0.1, "spacing_y": 0.2})
    compared = compare_measurements(measure_rows(rows)).set_index("measurement")
    truth, first, second = perimeter(115, 92), perimeter(110, 90), perimeter(118, 95)
    assert compared.loc["head circumference", "mae"] == pytest.approx((truth - first + second - truth) / 2)
    assert compared.loc["biparietal diameter", "mae"] == pytest.approx(2.5)
    assert compared.loc["occipitofrontal diameter", "mae"] == pytest.approx(4)
    assert set(compared["unit"]) == {"mm"}
