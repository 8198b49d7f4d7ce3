# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from monai_gu2net.landmarks import mirror_pairs
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS, HEAD_LANDMARKS, SPINE_LANDMARKS


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("left_hip", "right_hip"),
        ("Hip Left", "Hip Right"),
        ("L_apex", "R_apex"),
        ("T12_bl", "T12_br"),
        ("T12-TL", "T12-TR"),
        ("eye.l", "eye.r"),
        ("Knee L1", "Knee R1"),
        ("left L1", "right L1"),
    ],
)
def test_names_that_differ_in_left_and_right_are_a_pair(left: str, right: str) -> None:
    assert mirror_pairs([right, "sella", left]) == ((left, right),)


@pytest.mark.parametrize("names", [["left_hip"], ["clavicle", "cravicre"], ["la", "ra"], ["sella", "nasion"]])
def test_other_names_are_none(names: list[str]) -> None:
    assert mirror_pairs(names) == ()


def test_those_of_the_built_in_domains() -> None:
    assert len(mirror_pairs(SPINE_LANDMARKS)) == 34
    assert len(mirror_pairs(CHEST_LANDMARKS)) == 3
    assert mirror_pairs(HEAD_LANDMARKS) == ()
