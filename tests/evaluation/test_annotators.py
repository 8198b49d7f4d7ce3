# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import pytest

from monai_gu2net.data import Domain
from monai_gu2net.evaluation import annotator_rows, summarize_rows

NAN = math.nan
DOMAINS = {"head": Domain("head", ("a", "b"), (8, 8)), "knee": Domain("knee", ("p",), (8, 8, 8))}


def row(case: str, landmark: str, reference: tuple[float, float], **fields: Any) -> dict[str, Any]:
    return {
        "case": case,
        "domain": "head",
        "landmark": landmark,
        "reference_x": reference[0],
        "reference_y": reference[1],
        "predicted_x": 0.0,
        "predicted_y": 0.0,
        "error": NAN if math.isnan(reference[0]) else 9.0,
        "unit": "mm",
        "radius": 1.0,
        "spacing_x": 0.5,
        "spacing_y": 2.0,
    } | fields


def case(name: str, **annotators: Any) -> dict[str, Any]:
    return {"case": name, "domain": "head", "annotators": annotators}


def test_two_annotators_differ_as_worked_out_by_hand():
    """6 pixels of 0.5 mm and 2 pixels of 2 mm are 3 and 4 mm; their mean is half as far from each."""
    rows = [row("1", "a", (13.0, 21.0))]
    cases = [case("1", senior=[[10.0, 20.0], None], junior=[[16.0, 22.0], [1.0, 1.0]])]

    compared = annotator_rows(rows, cases, DOMAINS)

    assert {name: found["error"].tolist() for name, found in compared.items()} == {
        "senior against the ground truth": [2.5],
        "junior against the ground truth": [2.5],
        "senior against junior": [5.0],
    }
    (pair,) = compared["senior against junior"].to_dict("records")
    assert (pair["predicted_x"], pair["reference_x"], pair["unit"]) == (10.0, 16.0, "mm")
    assert math.isnan(pair["radius"])


def test_a_landmark_that_one_left_out_does_not_count():
    rows = [row("1", "a", (1.0, 1.0)), row("1", "b", (2.0, 1.0))]
    cases = [case("1", senior=[[1.0, 1.0], None], junior=[[1.0, 1.0], [2.0, 2.0]])]

    compared = annotator_rows(rows, cases, DOMAINS)

    assert summarize_rows(compared["senior against junior"])["count"][0] == 1
    assert compared["junior against the ground truth"]["error"].tolist() == [0.0, 2.0]


def test_a_landmark_without_ground_truth_does_not_count_against_it():
    cases = [case("1", senior=[[1.0, 1.0], None], junior=[[3.0, 1.0], None])]

    compared = annotator_rows([row("1", "a", (NAN, NAN))], cases, DOMAINS)

    assert math.isnan(compared["senior against the ground truth"]["error"][0])
    assert compared["senior against junior"]["error"][0] == 1.0


def test_pixels_are_the_unit_where_the_spacing_is_unknown():
    rows = [row("1", "a", (0.0, 0.0), unit="px", spacing_x=NAN, spacing_y=NAN)]

    compared = annotator_rows(rows, [case("1", x=[[3.0, 4.0], None], y=[[0.0, 0.0], None])], DOMAINS)

    assert compared["x against y"][["error", "unit"]].values.tolist() == [[5.0, "px"]]


def test_cases_with_one_annotator_or_without_result_are_left_out():
    cases = [
        case("1", senior=[[1.0, 1.0], None]),
        {"case": "2", "domain": "head"},
        case("3", senior=[[1.0, 1.0], None], junior=[[1.0, 1.0], None]),
    ]

    assert annotator_rows([row("1", "a", (1.0, 1.0)), row("2", "a", (1.0, 1.0))], cases, DOMAINS) == {}


def test_three_annotators_are_compared_in_pairs():
    cases = [case("1", **{name: [[n, 0.0], None] for n, name in enumerate("xyz")})]

    compared = annotator_rows([row("1", "a", (1.0, 0.0))], cases, DOMAINS)

    assert {name: found["error"][0] for name, found in compared.items() if "truth" not in name} == {
        "x against y": 0.5,
        "x against z": 1.0,
        "y against z": 0.5,
    }


def test_a_volume_has_a_third_axis():
    rows = [row("v", "p", (0.0, 0.0), domain="knee", reference_z=0.0, predicted_z=1.0, spacing_z=3.0)]
    cases = [{"case": "v", "domain": "knee", "annotators": {"x": [[0.0, 0.0, 1.0]], "y": [[8.0, 0.0, 0.0]]}}]

    assert annotator_rows(rows, cases, DOMAINS)["x against y"]["error"][0] == 5.0
    lost = [rows[0] | {"predicted_x": None, "predicted_y": None, "predicted_z": None, "error": math.inf}]
    assert annotator_rows(lost, cases, DOMAINS)["x against y"]["error"][0] == 5.0


def test_millimetres_need_the_spacing():
    with pytest.raises(ValueError, match="Case '1' of domain 'head' must have spacing_x and spacing_y; got none"):
        annotator_rows(
            [row("1", "a", (1.0, 1.0), spacing_x=NAN)], [case("1", x=[[1.0, 1.0], None], y=[None, None])], DOMAINS
        )
