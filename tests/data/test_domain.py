# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_gu2net.data import Domain, ReferenceLength
from monai_gu2net.landmarks.anatomical_names import SPINE_LANDMARKS
from monai_gu2net.measurements import CEPHALOMETRY, Measurement, default_measurements

FIELDS: dict[str, Any] = {"name": "hand", "landmarks": ("a", "b", "c"), "size": (384, 512)}
VOLUME: dict[str, Any] = {"size": (8, 8, 8), "target_spacing": (1.0, 1.0, 2.0)}
SHAPE = ((0.0, 0, 0), (4.0, 0, 0), (0, 3.0, 1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, r"name must be letters, digits, '_' or '-'; got ''"),
        ({"name": "a/b"}, r"name must be letters, .*; got 'a/b'\. Rename the domain"),
        ({"name": "-_"}, r"name must be letters"),
        ({"landmarks": ()}, r"'hand': landmarks must be a list of at least one name; got \(\)"),
        ({"landmarks": ("a", "")}, r"landmarks must be a list of at least one name"),
        ({"landmarks": ("a", 3)}, r"landmarks must be a list of at least one name"),
        ({"landmarks": ("a", "b", "a")}, r"'hand': landmarks must be all different; got \['a'\]"),
        ({"size": (384,)}, r"'hand': size must be 2 or 3 positive whole numbers; got \(384,\)"),
        ({"size": (1, 2, 3, 4)}, r"size must be 2 or 3"),
        ({"size": (384, 0)}, r"size must be 2 or 3 positive"),
        ({"size": (384, 512.0)}, r"size must be 2 or 3 positive whole"),
        (
            {**VOLUME, "mean_shape": SHAPE, "target_spacing": None},
            r"'hand': mean_shape must come with a target_spacing",
        ),
        ({**VOLUME, "mean_shape": SHAPE, "orientation": "LAS"}, r"orientation must be right-handed .*; got 'LAS'"),
        ({**VOLUME, "mean_shape": SHAPE, "orientation": "ARS"}, r"orientation must be right-handed .*; got 'ARS'"),
        ({**VOLUME, "mean_shape": SHAPE[:2]}, r"mean_shape must be 3 points of 3 numbers"),
        ({**VOLUME, "mean_shape": ((0, 0, float("nan")), *SHAPE[1:])}, r"mean_shape must be 3 points of 3 numbers"),
        ({**VOLUME, "orientation": "RAA"}, r"orientation must be three letters, .*; got 'RAA'"),
        ({"orientation": "RAS"}, r"orientation must be three letters, .* of a domain of volumes; got 'RAS'"),
        ({"target_spacing": (1.0, 0.0)}, r"target_spacing must be one positive number per axis"),
        ({"spacing": (0.1,)}, r"'hand': spacing must be one positive number per axis of size; got \(0\.1,\)"),
        ({"spacing": (0.1, 0.0)}, r"spacing must be one positive number"),
        ({"spacing": (0.1, float("nan"))}, r"spacing must be one positive number"),
        ({"spacing": (0.1, float("inf"))}, r"spacing must be one positive number"),
        (
            {"spacing": (0.1, 0.1), "reference": ReferenceLength("a", "b", 50)},
            r"'hand': reference must be given without spacing; got Ref.*Keep one of the two",
        ),
        ({"reference": ReferenceLength("a", "b", 0)}, r"reference must be two landmarks a positive length"),
        ({"reference": ReferenceLength("a", "b", float("nan"))}, r"reference must be two landmarks"),
        ({"reference": ReferenceLength("a", "b", float("inf"))}, r"reference must be two landmarks"),
        ({"reference": ReferenceLength("a", "a", 50)}, r"reference must be two landmarks"),
        (
            {"reference": ReferenceLength("a", "x", 50)},
            r"reference must name landmarks among \['a', 'b', 'c'\]; got \['x'\]",
        ),
        ({"mirror": (("a", "x"),)}, r"'hand': mirror must name landmarks among .*; got \['x'\]"),
        ({"mirror": (("a", "b", "c"),)}, r"mirror must be pairs of landmark names; got \('a', 'b', 'c'\)"),
        ({"mirror": (("a", "b"), ("b", "c"))}, r"mirror must name each landmark in one place; got \['b'\]"),
        ({"mirror": (("a", "a"),)}, r"mirror must name each landmark in one place; got \['a'\]"),
        ({"levels": (("a", "b"),)}, r"'hand': levels must be two or more, each a list of at least one landmark; got"),
        ({"levels": (("a",), ())}, r"levels must be two or more, each a list of at least one landmark"),
        ({"levels": (("a",), ("x",))}, r"'hand': levels must name landmarks among .*; got \['x'\]"),
        ({"levels": (("a", "b"), ("b",))}, r"'hand': levels must name each landmark in one place; got \['b'\]"),
        ({"in_channels": 0}, r"'hand': in_channels must be a whole number, at least 1; got 0"),
        ({"in_channels": 1.5}, r"in_channels must be a whole number, at least 1; got 1\.5"),
        (
            {"measurements": (Measurement("width", "distance", ("a", "x")),)},
            r"Domain 'hand': measurement 'width': landmarks must be among .*; got \['x'\]",
        ),
    ],
)
def test_a_broken_field_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Domain(**(FIELDS | change))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": [4, 4]}, r"Domain 'hand' must have 'landmarks'; got \['size'\]"),
        ({"landmarks": ["a"]}, r"Domain 'hand' must have 'size'; got \['landmarks'\]"),
        (
            {"landmarks": ["a"], "size": [4, 4], "spacings": 1},
            r"must have fields among .*; got \['spacings'\]",
        ),
        ({"landmarks": None, "size": [4, 4]}, r"Domain 'hand' must have 'landmarks'; got \['size'\]"),
        ({"landmarks": "abc", "size": [4, 4]}, r"'hand': landmarks must be a list; got 'abc'"),
        ({"landmarks": ["a"], "size": 4}, r"'hand': size must be a list; got 4"),
        (
            {"landmarks": ["a"], "size": [4, 4], "spacing": [None, 1]},
            r"'hand': spacing must be numbers; got \[None, 1\]",
        ),
        ({"landmarks": ["a"], "size": [4, 4], "target_spacing": ["x", 1]}, r"'hand': target_spacing must be numbers"),
        (
            {"landmarks": ["a"], "size": [4, 4], "mean_shape": [1, 2]},
            r"'hand': mean_shape must be 1 points of 2 numbers",
        ),
        ({"landmarks": ["a"], "size": [4, 4], "mean_shape": [["a", 1]]}, r"'hand': mean_shape must be numbers"),
        ({"landmarks": ["a"], "size": [4, 4], "mean_shape": [[[1], 1]]}, r"'hand': mean_shape must be"),
        ({"landmarks": ["a"], "size": [4, 4], "spacing": 0.1}, r"'hand': spacing must be a list; got 0\.1"),
        (
            {"landmarks": ["a", "b"], "size": [4, 4], "reference": ["a", "b"]},
            r"'hand': reference must be \{'between': \[landmark, landmark\], 'mm': length\}; got \['a'",
        ),
        ({"landmarks": ["a", "b"], "size": [4, 4], "reference": {"mm": 5}}, r"reference must be \{'between'"),
        (
            {"landmarks": ["a"], "size": [4, 4], "reference": {"between": ["a"], "mm": 5}},
            r"reference must be \{'between'",
        ),
        (
            {"landmarks": ["a", "b"], "size": [4, 4], "reference": {"between": ["a", "b"], "mm": "x"}},
            r"reference must be \{'between'",
        ),
        ({"landmarks": ["a", "b"], "size": [4, 4], "levels": "ab"}, r"'hand': levels must be a list; got 'ab'"),
        (
            {"landmarks": ["a", "b"], "size": [4, 4], "levels": ["a", "b"]},
            r"'hand': each of the levels must be a list of landmarks; got 'a'\. Put it in brackets",
        ),
        (
            {"landmarks": ["a", "b"], "size": [4, 4], "measurements": [{"name": "width", "kind": "area"}]},
            r"Domain 'hand': measurement 'width': .*kind must be among",
        ),
    ],
)
def test_a_broken_json_form_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Domain.from_dict("hand", fields)


@pytest.mark.parametrize(
    ("fields", "unit"),
    [
        ({}, "px"),
        ({"spacing": (0.1, 0.1)}, "mm"),
        ({"reference": ReferenceLength("a", "b", 50)}, "mm"),
        ({"target_spacing": (0.5, 0.5)}, "mm"),
    ],
)
def test_the_unit_is_mm_where_the_scale_is_known(fields: dict[str, Any], unit: str) -> None:
    assert Domain(**(FIELDS | fields)).unit == unit


def test_the_mirror_order_swaps_the_pairs_and_keeps_the_midline() -> None:
    landmarks = ("nose", "left_eye", "left_ear", "right_ear", "right_eye")
    pairs = (("left_eye", "right_eye"), ("left_ear", "right_ear"))
    assert Domain("face", landmarks, (4, 4), mirror=pairs).mirror_order == (0, 4, 3, 2, 1)


def test_without_pairs_the_mirror_order_is_the_order() -> None:
    assert Domain(**FIELDS).mirror_order == (0, 1, 2)


def test_a_resized_domain_differs_in_size_alone() -> None:
    domain = Domain(**FIELDS, spacing=(0.1, 0.2))
    assert domain.resized([30, 40]) == Domain(**(FIELDS | {"size": (30, 40)}), spacing=(0.1, 0.2))


def test_declared_measurements_come_after_the_built_in_ones_and_before_their_namesakes() -> None:
    landmarks = tuple(dict.fromkeys(name for each in CEPHALOMETRY for name in each.needs))
    own = (
        Measurement("SNA", "angle", ("sella", "nasion", "anterior_nasal_spine")),
        Measurement("cranial base", "distance", ("sella", "nasion")),
    )
    domain = Domain("head", landmarks, (4, 4), measurements=own)
    assert domain.all_measurements[-2:] == own
    assert len(domain.all_measurements) == len(CEPHALOMETRY) + 1
    assert Domain("head", landmarks, (4, 4)).all_measurements == default_measurements(landmarks)
    assert Domain("head", landmarks, (4, 4, 4)).all_measurements == ()


def test_levels_are_those_declared_or_the_vertebrae_that_the_names_tell() -> None:
    assert Domain(**FIELDS).all_levels == ()
    assert Domain(**FIELDS, levels=(("c", "a"), ("b",))).all_levels == (("c", "a"), ("b",))
    corners = ("tl", "tr", "bl", "br")
    # as a table may have them: not in order, and a sacrum of two corners
    names = (*(f"{level}_{corner}" for level in ("L1", "T12", "T11") for corner in corners), "S1_tl", "S1_tr")
    known = tuple(tuple(f"{level}_{corner}" for corner in corners) for level in ("T11", "T12", "L1"))
    assert Domain("spine", names, (4, 4)).all_levels == known
    assert Domain("spine", names[:7], (4, 4)).all_levels == ()
    assert Domain("spine", names, (4, 4), levels=(names[:2], names[2:4])).all_levels == (names[:2], names[2:4])
    assert len(Domain("spine", SPINE_LANDMARKS, (4, 4)).all_levels) == 17


@st.composite
def any_domains(draw: st.DrawFn) -> Domain:
    landmarks = draw(st.lists(st.text(min_size=1, max_size=6), min_size=2, max_size=9, unique=True))
    dims = draw(st.sampled_from([2, 3]))
    length = st.floats(1e-3, 1e3)
    spacing = draw(st.none() | st.tuples(*[length] * dims))
    reference = None
    if spacing is None and draw(st.booleans()):
        reference = ReferenceLength(landmarks[0], landmarks[-1], draw(length))
    order = draw(st.permutations(landmarks))
    pairs = draw(st.integers(0, len(order) // 2))
    return Domain(
        name=draw(st.from_regex(r"[a-zA-Z0-9_-]{0,5}[a-z]", fullmatch=True)),
        landmarks=tuple(landmarks),
        size=draw(st.tuples(*[st.integers(1, 4096)] * dims)),
        spacing=spacing,
        reference=reference,
        mirror=tuple((order[2 * n], order[2 * n + 1]) for n in range(pairs)),
        in_channels=draw(st.integers(1, 4)),
        ground_truth=draw(st.none() | st.just("mean of senior and junior")),
        measurements=draw(st.sampled_from([(), (Measurement("width", "distance", (landmarks[0], landmarks[-1])),)])),
        levels=draw(st.sampled_from([(), tuple((name,) for name in order), (tuple(order[1:]), (order[0],))])),
    )


@given(any_domains())
def test_a_domain_comes_back_from_its_json_form(domain: Domain) -> None:
    assert Domain.from_dict(domain.name, json.loads(json.dumps(domain.to_dict()))) == domain


@given(any_domains())
def test_mirroring_twice_gives_the_order_back(domain: Domain) -> None:
    order = domain.mirror_order
    assert [order[n] for n in order] == list(range(len(domain.landmarks)))
    assert sum(a != b for a, b in enumerate(order)) == 2 * len(domain.mirror)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "ASR", "PIR", "ALS"])
def test_with_a_mean_shape_any_turn_of_the_axes_is_taken(orientation: str) -> None:
    """nibabel says where the axes lead; they are right-handed if the determinant is positive."""
    axes = nibabel.orientations.axcodes2ornt(orientation)
    matrix = nibabel.orientations.inv_ornt_aff(axes, (1, 1, 1))[:3, :3]
    assert np.linalg.det(matrix) > 0
    domain = Domain(**FIELDS | VOLUME | {"mean_shape": SHAPE, "orientation": orientation})
    assert Domain.from_dict("hand", json.loads(json.dumps(domain.to_dict()))) == domain


def test_a_landmark_without_a_partner_has_none_in_its_place_after_mirroring() -> None:
    domain = Domain("face", ("left", "nose", "right", "mole"), (4, 4), mirror=(("left", "right"), ("mole", None)))
    assert domain.mirror_order == (2, 1, 0, -1)
    assert Domain.from_dict("face", json.loads(json.dumps(domain.to_dict()))) == domain
