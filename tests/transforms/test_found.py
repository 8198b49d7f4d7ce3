# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.transforms import LandmarksToJsond

DOMAINS = {"knee": Domain("knee", ("a", "b"), (32, 32)), "solid": Domain("solid", ("a",), (8, 8, 8))}


def sample(**changes: Any) -> dict[str, Any]:
    """Pixels of 0.5 x 0.25 mm; one landmark at pixel (4, 8), the other absent."""
    return {
        "domain": "knee",
        "file_affine": torch.diag(torch.tensor([0.5, 0.25, 1.0, 1.0], dtype=torch.float64)),
        "unit": "mm",
        "spacing_source": "detector",
        "pred_landmarks": torch.tensor([[2.0, 2.0], [math.nan, math.nan]]),
        "pred_confidence": torch.tensor([0.75, 0.125]),
        **changes,
    }


def test_a_landmark_has_pixels_and_lps_mm_and_an_absent_one_none() -> None:
    told = LandmarksToJsond(domains=DOMAINS, model={"name": "GU2Net", "version": "1"})(sample())["result"]
    assert told == {
        "landmarks": [
            {"name": "a", "index": 0, "x": 4.0, "y": 8.0, "lps": [2.0, 2.0, 0.0], "confidence": 0.75},
            {"name": "b", "index": 1, "x": None, "y": None, "lps": None, "confidence": 0.125},
        ],
        "unit": "mm",
        "spacing_source": "detector",
        "domain": "knee",
        "model": {"name": "GU2Net", "version": "1"},
    }
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_without_spacing_there_is_nothing_in_mm() -> None:
    pixels = sample(
        file_affine=torch.eye(4), unit="px", spacing_source="none", pred_radius=torch.tensor([3.0, math.nan])
    )
    told = LandmarksToJsond(domains=DOMAINS)(pixels)["result"]
    first, second = told["landmarks"]
    assert first == {"name": "a", "index": 0, "x": 2.0, "y": 2.0, "confidence": 0.75, "radius_90": 3.0}
    assert second["radius_90"] is None
    assert (told["unit"], told["spacing_source"]) == ("px", "none")


def test_a_calibrated_model_gives_radius_in_both_units_and_presence() -> None:
    calibrated = sample(
        file_affine=torch.diag(torch.tensor([0.5, 0.5, 1.0, 1.0])),
        pred_radius=torch.tensor([2.0, math.inf]),
        pred_presence=torch.tensor([0.5, 0.0]),
    )
    first, second = LandmarksToJsond(domains=DOMAINS)(calibrated)["result"]["landmarks"]
    assert (first["radius_90"], first["radius_90_mm"], first["presence"]) == (4.0, 2.0, 0.5)
    assert (second["radius_90"], second["radius_90_mm"], second["presence"]) == (None, None, 0.0)


def test_a_volumes_world_is_turned_from_ras_to_lps() -> None:
    affine = torch.diag(torch.tensor([2.0, 2.0, 4.0, 1.0]))
    affine[:3, 3] = torch.tensor([10.0, 20.0, 30.0])
    solid = sample(
        domain="solid",
        file_affine=affine,
        pred_landmarks=torch.tensor([[12.0, 24.0, 38.0]]),
        pred_confidence=torch.tensor([1.0]),
    )
    (found,) = LandmarksToJsond(domains=DOMAINS)(solid)["result"]["landmarks"]
    assert (found["x"], found["y"], found["z"]) == pytest.approx((1, 2, 2))
    assert found["lps"] == [-12.0, -24.0, 38.0]


def test_the_sample_given_is_left_as_it_is() -> None:
    given = sample()
    LandmarksToJsond(domains=DOMAINS)(given)
    assert "result" not in given
