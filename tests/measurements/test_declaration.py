# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HEAD_LANDMARKS
from monai_gu2net.measurements import (
    CEPHALOMETRY,
    default_measurements,
    measure,
    measurement_to_dict,
    read_measurements,
)

LANDMARKS = ("a", "b", "c", "d")
WIDTH = {"name": "width", "kind": "distance", "landmarks": ["a", "b"]}
DECLARED = [
    WIDTH,
    {
        "name": "height",
        "kind": "distance",
        "landmarks": ["c", "d"],
        "source": "by hand",
        "code": ["1", "99X", "height"],
    },
    {"name": "turn", "kind": "signed_angle", "landmarks": ["a", "b", "c", "d"], "negative": "d"},
    {"name": "around", "kind": "sum", "terms": [[2, "width"], [2.5, "height"]]},
]


def test_declared_measurements_measure_what_they_say() -> None:
    read = read_measurements(DECLARED, landmarks=LANDMARKS, where="Domain 'knee'")
    points = [[0, 0], [3, 4], [0, 0], [0, 2]]
    values = {each.name: each.value for each in measure(read, LandmarkSet(LANDMARKS, points, "mm"), unit="mm")}
    assert (values["width"], values["height"], values["around"]) == (5, 2, 15)
    assert read[1].code == ("1", "99X", "height")


def test_the_json_form_gives_the_same_measurements_again() -> None:
    read = read_measurements(DECLARED, landmarks=LANDMARKS, where="x")
    written = json.loads(json.dumps([measurement_to_dict(each) for each in read]))
    assert read_measurements(written, landmarks=LANDMARKS, where="x") == read


def test_a_sum_may_use_a_built_in_measurement() -> None:
    declared = [{"name": "half ANB", "kind": "sum", "terms": [[0.5, "ANB"]]}]
    (read,) = read_measurements(declared, landmarks=HEAD_LANDMARKS, where="x")
    assert set(read.needs) == {"sella", "nasion", "subspinale", "supramentale"}


def test_built_in_measurements_are_those_whose_landmarks_are_all_there() -> None:
    assert default_measurements(HEAD_LANDMARKS) == CEPHALOMETRY
    without_sella = [name for name in HEAD_LANDMARKS if name != "sella"]
    names = [each.name for each in default_measurements(without_sella)]
    assert "SNA" not in names
    assert "FMA" in names
    assert default_measurements(["wrist_ulnar", "wrist_radial"]) == ()


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (WIDTH, r"^Domain 'knee': measurements must be a list of objects; got \{.*Put them in brackets"),
        (["width"], r"^Domain 'knee': measurements\[0\] must be an object with a name; got 'width'"),
        ([{"kind": "distance"}], r"measurements\[0\] must be an object with a name"),
        ([WIDTH, WIDTH], r"^Domain 'knee': measurement 'width' must stand in the list once; got it twice"),
        (
            [{**WIDTH, "landmark": "a"}],
            r"measurement 'width': it must have fields among .*; got \['landmark'\]\. Did",
        ),
        ([{**WIDTH, "landmarks": ["a", "x"]}], r"measurement 'width': landmarks must be among .*; got \['x'\]"),
        ([{**WIDTH, "landmarks": "ab"}], r"measurement 'width': landmarks must be a list; got 'ab'"),
        ([{**WIDTH, "kind": 3}], r"measurement 'width': kind must be text; got 3"),
        ([{**WIDTH, "kind": "area"}], r"^Domain 'knee': measurement 'width': kind must be among"),
        (
            [{**WIDTH, "landmarks": ["a", "a"]}],
            r"^Domain 'knee': measurement 'width': a line must run between different",
        ),
        ([{**WIDTH, "name": "w\nx"}], r"measurement 'w\\nx': the name must be one line; got 'w\\nx'"),
        (
            [WIDTH, {"name": "s", "kind": "sum", "terms": [[1, ["width"]]]}],
            r"^Domain 'knee': measurement 's': a term must",
        ),
        ([WIDTH, {"name": "s", "kind": "sum", "terms": [[1, {}]]}], r"^Domain 'knee': measurement 's': a term must"),
        ([{**WIDTH, "code": ["1"]}], r"measurement 'width': code must be value, scheme and meaning; got \['1'\]"),
        ([{**WIDTH, "source": 3}], r"measurement 'width': source must be text; got 3"),
        (
            [{"name": "s", "kind": "sum", "terms": [[1, "width"]]}, WIDTH],
            r"measurement 's': a term must be a factor and the name of a measurement, among \[\]; got \[1, 'width'\]",
        ),
        ([WIDTH, {"name": "s", "kind": "sum", "terms": [["1", "width"]]}], r"measurement 's': a term must be a factor"),
    ],
)
def test_a_broken_declaration_names_domain_and_measurement(declared: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_measurements(declared, landmarks=LANDMARKS, where="Domain 'knee'")


def test_a_side_in_space_is_refused() -> None:
    with pytest.raises(ValueError, match=r"measurement 'turn': a kind with a side must be of a picture; got"):
        read_measurements(DECLARED, landmarks=LANDMARKS, where="Domain 'knee'", dims=3)
