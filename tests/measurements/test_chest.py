# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS
from monai_gu2net.measurements import CHEST, measure

POINTS = [[70.0, 30.0], [30.0, 230.0], [90.0, 230.0], [150.0, 30.0], [210.0, 110.0], [130.0, 90.0]]


@pytest.mark.parametrize(
    ("name", "expected", "unit"),
    [
        ("right lung height", (40**2 + 200**2) ** 0.5, "mm"),
        ("left lung height", 100.0, "mm"),
        ("right lung medial height", (20**2 + 200**2) ** 0.5, "mm"),
        ("right lung base width", 60.0, "mm"),
        ("left lung base width", (80**2 + 20**2) ** 0.5, "mm"),
        ("costophrenic width", (180**2 + 120**2) ** 0.5, "mm"),
        ("cardiophrenic width", (40**2 + 140**2) ** 0.5, "mm"),
        ("apex distance", 80.0, "mm"),
        ("left to right lung height", 100 / (40**2 + 200**2) ** 0.5, "1"),
        ("left to right lung base width", (80**2 + 20**2) ** 0.5 / 60, "1"),
    ],
)
def test_sizes_are_distances_and_their_ratios(name: str, expected: float, unit: str) -> None:
    measured = {each.name: each for each in measure(CHEST, LandmarkSet(CHEST_LANDMARKS, POINTS, "mm"), unit="mm")}
    assert measured[name].value == pytest.approx(expected)
    assert measured[name].unit == unit
