# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.prediction import result_rows
from monai_gu2net.transforms import Found

NAN = math.nan
DOMAINS = {
    "head": Domain("head", ("a", "b", "c"), (8, 8), spacing=(0.5, 2.0)),
    "knee": Domain("knee", ("p",), (8, 8, 8)),
}


def collect(*samples: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the samples."""
    found = [(Found.of_sample(sample, DOMAINS[sample["domain"]]), sample.get("landmarks")) for sample in samples]
    return [row for each in found for row in result_rows(*each)]


@pytest.fixture
def sample() -> dict[str, Any]:
    """Pixels of 0.5 x 2 mm: "a" lies 3 mm right of and 4 mm below its reference, "b" is missed, "c" not annotated."""
    return {
        "case": "001",
        "domain": "head",
        "landmarks": torch.tensor([[1.0, 2.0], [3.0, 4.0], [NAN, NAN]], dtype=torch.float64),
        "file_affine": torch.diag(torch.tensor([0.5, 2.0, 1.0, 1.0], dtype=torch.float64)),
        "file_size": torch.tensor([30, 20]),
        "unit": "mm",
        "spacing_source": "domain",
        "pred_landmarks": torch.tensor([[4.0, 6.0], [NAN, NAN], [5.0, 8.0]]),
        "pred_confidence": torch.tensor([0.75, 0.0, 0.25]),
    }


def test_positions_are_pixels_of_the_file_and_errors_in_the_unit(sample: dict[str, Any]) -> None:
    row = collect(sample)[0]
    assert row == {
        "case": "001",
        "domain": "head",
        "landmark": "a",
        "reference_x": 2.0,
        "reference_y": 1.0,
        "predicted_x": 8.0,
        "predicted_y": 3.0,
        "error": 5.0,
        "unit": "mm",
        "spacing_source": "domain",
        "domain_doubt": "",
        "confidence": 0.75,
        "image_x": 30.0,
        "image_y": 20.0,
        "spacing_x": 0.5,
        "spacing_y": 2.0,
    }


def test_a_missed_landmark_is_inf_and_one_without_annotation_nan(sample: dict[str, Any]) -> None:
    _, missed, unknown = collect(sample)
    assert missed["error"] == math.inf
    assert math.isnan(missed["predicted_x"])
    assert missed["reference_y"] == 2.0
    assert math.isnan(unknown["error"])
    assert math.isnan(unknown["reference_x"])
    assert unknown["predicted_x"] == 10.0


def test_a_case_without_annotations_has_rows_all_the_same(sample: dict[str, Any]) -> None:
    del sample["landmarks"]
    rows = collect(sample)
    assert [row["predicted_x"] for row in rows] == [8.0, pytest.approx(NAN, nan_ok=True), 10.0]
    assert all(math.isnan(row["error"]) for row in rows)


def test_a_volume_has_a_third_coordinate_and_its_axes_may_be_oblique() -> None:
    # x and y turned by 90 degrees, 2 mm apart, origin at (10, 20, 30): world = (10 - 2 j, 20 + 2 i, 30 + 2 k)
    affine = torch.tensor(
        [[0.0, -2.0, 0.0, 10.0], [2.0, 0.0, 0.0, 20.0], [0.0, 0.0, 2.0, 30.0], [0.0, 0.0, 0.0, 1.0]],
        dtype=torch.float64,
    )
    volume = {
        "case": "k",
        "domain": "knee",
        "landmarks": torch.tensor([[4.0, 22.0, 38.0]]),
        "file_affine": affine,
        "file_size": torch.tensor([9, 9, 9]),
        "unit": "mm",
        "spacing_source": "file",
        "pred_landmarks": torch.tensor([[4.0, 22.0, 40.0]]),
        "pred_confidence": torch.tensor([1.0]),
    }
    (row,) = collect(volume)
    assert [row[f"reference_{axis}"] for axis in "xyz"] == pytest.approx([1, 3, 4])
    assert [row[f"predicted_{axis}"] for axis in "xyz"] == pytest.approx([1, 3, 5])
    assert row["error"] == pytest.approx(2)
    assert [row[f"spacing_{axis}"] for axis in "xyz"] == pytest.approx([2, 2, 2])
    assert [row[f"image_{axis}"] for axis in "xyz"] == [9, 9, 9]
    # the world is RAS; to the left and to the back change sign
    assert [row[f"reference_{axis}_lps_mm"] for axis in "xyz"] == [-4, -22, 38]
    assert [row[f"predicted_{axis}_lps_mm"] for axis in "xyz"] == [-4, -22, 40]
    pixels = volume | {"unit": "px", "file_affine": torch.eye(4, dtype=torch.float64)}
    assert not [column for column in collect(pixels)[0] if column.endswith("_mm")]


def test_pixels_of_unknown_spacing_have_none(sample: dict[str, Any]) -> None:
    row = collect(sample | {"unit": "px", "file_affine": torch.eye(4, dtype=torch.float64)})[0]
    assert math.isnan(row["spacing_x"])
    assert math.isnan(row["spacing_y"])


def test_what_is_known_of_the_uncertainty_goes_with_the_row(sample: dict[str, Any]) -> None:
    known = {"pred_spread": torch.tensor([1.5, NAN, 2.0]), "pred_presence": torch.tensor([0.5, 0.25, 1.0])}
    first, missed, _ = collect(sample | known | {"pred_radius": torch.tensor([3.0, NAN, 4.0])})
    assert (first["spread"], first["radius"], first["presence"]) == (1.5, 3.0, 0.5)
    assert math.isnan(missed["radius"])
    assert "radius" not in collect(sample | known)[0]
