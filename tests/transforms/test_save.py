# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monai_gu2net.data import Domain
from monai_gu2net.data.case_names import FileNames
from monai_gu2net.data.domain import ReferenceLength
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.measurements import Measurement
from monai_gu2net.transforms import SaveLandmarksd, ScaleByPredictiond
from monai_gu2net.transforms.result_formats import FORMATS

NAN = math.nan
DOMAINS = {
    "head": Domain("head", ("a", "b", "c"), (8, 8)),
    "hand": Domain("hand", ("a", "b", "c"), (8, 8), reference=ReferenceLength("a", "b", 50.0)),
}


def found(*, spacing: tuple[float, float] | None, domain: str = "head") -> dict[str, Any]:
    """A sample with landmarks found at (8, 3), (4, 0) and nowhere, in pixels of the file."""
    scale = torch.tensor(spacing or (1.0, 1.0), dtype=torch.float64)
    return {
        "case": "001",
        "domain": domain,
        "unit": "mm" if spacing else "px",
        "spacing_source": "case" if spacing else "none",
        "file_affine": torch.diag(torch.cat([scale, torch.ones(2, dtype=torch.float64)])),
        "pred_landmarks": (torch.tensor([[8.0, 3.0], [4.0, 0.0], [NAN, NAN]]) * scale).float(),
        "pred_confidence": torch.tensor([0.5, 0.25, 0.0]),
    }


PIXELS = [[8.0, 3.0], [4.0, 0.0], [NAN, NAN]]


@pytest.mark.parametrize(
    ("spacing", "extension", "frame", "points"),
    [
        ((0.5, 2.0), "json", "index", PIXELS),
        ((0.5, 2.0), "csv", "index", PIXELS),
        ((0.5, 2.0), "mrk.json", "mm", [[4.0, 6.0], [2.0, 0.0], [NAN, NAN]]),
        (None, "json", "index", PIXELS),
        (None, "csv", "index", PIXELS),
        (None, "mrk.json", "mm", PIXELS),  # Slicer's own frame: 1 mm per pixel where spacing is not known
    ],
)
def test_files_hold_what_was_found(
    tmp_path: Path, spacing: tuple[float, float] | None, extension: str, frame: str, points: list[list[float]]
) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path / "made", domains=DOMAINS)(found(spacing=spacing))
    landmarks = read_landmarks(tmp_path / "made" / f"001.{extension}", dims=2)
    assert landmarks.names == ("a", "b", "c")
    assert landmarks.frame == frame
    np.testing.assert_allclose(landmarks.points, points, atol=1e-6)


SOLID = {"solid": Domain("solid", ("a", "b"), (8, 8, 8))}


def found_in_a_volume(**changes: Any) -> dict[str, Any]:
    """A sample with a landmark at the voxel (1, 2, 2), which is RAS (12, 24, 38) mm, and one found nowhere."""
    affine = torch.diag(torch.tensor([2.0, 2.0, 4.0, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([10.0, 20.0, 30.0])
    return {
        "case": "001",
        "domain": "solid",
        "unit": "mm",
        "spacing_source": "file",
        "file_affine": affine,
        "pred_landmarks": torch.tensor([[12.0, 24.0, 38.0], [NAN, NAN, NAN]]),
        "pred_confidence": torch.tensor([1.0, 0.0]),
    } | changes


def test_a_volumes_point_list_is_in_lps(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=SOLID)(found_in_a_volume())
    content = json.loads((tmp_path / "001.mrk.json").read_text())["markups"][0]
    assert (content["coordinateSystem"], content["coordinateUnits"]) == ("LPS", "mm")
    assert content["controlPoints"][0]["position"] == [-12.0, -24.0, 38.0]
    assert content["controlPoints"][1]["positionStatus"] == "undefined"
    assert "position" not in content["controlPoints"][1]
    np.testing.assert_array_equal(read_landmarks(tmp_path / "001.json").points, [[1, 2, 2], [NAN] * 3])


def test_json_and_csv_of_a_volume_say_that_their_millimetres_are_lps(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=SOLID)(found_in_a_volume())
    content = json.loads((tmp_path / "001.json").read_text())
    voxels = {"name": "a", "x": 1.0, "y": 2.0, "z": 2.0, "confidence": 1.0}
    assert (content["frame"], content["unit"]) == ("index", "px")
    assert content["landmarks"][0] == voxels | {"x_lps_mm": -12.0, "y_lps_mm": -24.0, "z_lps_mm": 38.0}
    assert content["landmarks"][1]["z_lps_mm"] is None
    header, first, second = (tmp_path / "001.csv").read_text().splitlines()
    assert header == "landmark,x,y,z,frame,confidence,x_lps_mm,y_lps_mm,z_lps_mm"
    assert first == "a,1.0,2.0,2.0,index,1.0,-12.0,-24.0,38.0"
    assert second == "b,,,,index,0.0,,,"
    assert read_landmarks(tmp_path / "001.csv").points[0].tolist() == [1, 2, 2]


def test_a_volume_of_unknown_scale_has_voxels_alone_and_no_point_list(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    voxels = found_in_a_volume(unit="px", spacing_source="none", file_affine=torch.eye(4, dtype=torch.float64))
    SaveLandmarksd("pred", output_dir=tmp_path, domains=SOLID)(voxels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["001.csv", "001.json"]
    assert "mm" not in (tmp_path / "001.csv").read_text() + (tmp_path / "001.json").read_text()
    assert [record.getMessage() for record in caplog.records] == [
        "001.mrk.json left out: the scale of the volume is not known, nor where Slicer shows it"
    ]


@pytest.mark.parametrize("format", ["gsps"])
def test_a_format_of_pictures_is_refused_for_volumes(tmp_path: Path, format: str) -> None:
    with pytest.raises(ValueError, match=rf"must not be of pictures; got \['{format}'\] for domain 'solid'"):
        SaveLandmarksd("pred", output_dir=tmp_path, domains=SOLID, formats=["json", format])


def test_json_has_millimetres_beside_the_pixels_and_says_their_source(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS)(found(spacing=(0.5, 2.0)))
    content = json.loads((tmp_path / "001.json").read_text())
    assert (content["case"], content["domain"], content["spacing_source"]) == ("001", "head", "case")
    assert content["landmarks"][0] == {"name": "a", "x": 8.0, "y": 3.0, "x_mm": 4.0, "y_mm": 6.0, "confidence": 0.5}
    assert content["landmarks"][2]["x_mm"] is None


def test_without_a_spacing_no_file_says_mm(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS)(found(spacing=None))
    files = sorted(tmp_path.iterdir())
    assert len(files) == len(FORMATS)
    assert not [path.name for path in files if "mm" in path.read_text()]


def test_only_the_formats_asked_for_are_written(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS, formats=["csv"])(found(spacing=None))
    assert [path.name for path in tmp_path.iterdir()] == ["001.csv"]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"formats must be among .*; got \['xml'\]"):
        SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS, formats=["json", "xml"])


@pytest.mark.parametrize(
    ("case", "name"),
    [("001", "001"), ("a/b c.png", "a_b_c.png"), ("../up", "__up"), ("é", "_"), ("", "_"), ("a_b-c.d", "a_b-c.d")],
)
def test_a_case_is_a_file_of_the_output_folder_whatever_its_name(case: str, name: str) -> None:
    assert FileNames()(("d", case)) == name


def test_a_reference_length_found_gives_the_millimetres() -> None:
    """The pair lies 5 px apart and is 50 mm long: 10 mm per pixel."""
    sample = found(spacing=None, domain="hand")
    scaled = ScaleByPredictiond("pred", domains=DOMAINS)(sample)
    expected = torch.tensor([[80.0, 30.0], [40.0, 0.0], [NAN, NAN]])
    torch.testing.assert_close(scaled["pred_landmarks"], expected, equal_nan=True)
    assert scaled["unit"] == "mm"
    assert scaled["spacing_source"] == "reference-length of the prediction"
    assert scaled["file_affine"].diagonal().tolist() == [10.0, 10.0, 10.0, 1.0]
    assert sample["unit"] == "px"
    assert sample["file_affine"].diagonal().tolist() == [1.0] * 4


def test_scaled_landmarks_are_saved_at_the_same_pixels(tmp_path: Path) -> None:
    scaled = ScaleByPredictiond("pred", domains=DOMAINS)(found(spacing=None, domain="hand"))
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS)(scaled)
    np.testing.assert_allclose(read_landmarks(tmp_path / "001.json").points, PIXELS, atol=1e-6)
    markups = read_landmarks(tmp_path / "001.mrk.json", dims=2).points
    np.testing.assert_allclose(markups, np.multiply(PIXELS, 10.0), atol=1e-5)


def without_the_pair(sample: dict[str, Any]) -> dict[str, Any]:
    return sample | {"pred_landmarks": torch.tensor([[NAN, NAN], [4.0, 0.0], [1.0, 1.0]])}


@pytest.mark.parametrize(
    "sample",
    [
        found(spacing=(0.5, 2.0), domain="hand"),
        found(spacing=None, domain="head"),
        without_the_pair(found(spacing=None, domain="hand")),
    ],
    ids=["known spacing", "no reference", "pair not found"],
)
def test_other_samples_keep_their_scale(sample: dict[str, Any]) -> None:
    scaled = ScaleByPredictiond("pred", domains=DOMAINS)(sample)
    torch.testing.assert_close(scaled["pred_landmarks"], sample["pred_landmarks"], equal_nan=True)
    assert (scaled["unit"], scaled["spacing_source"]) == (sample["unit"], sample["spacing_source"])
    assert torch.equal(scaled["file_affine"], sample["file_affine"])


WIDE = {
    "head": replace(
        DOMAINS["head"],
        measurements=(
            Measurement("width", "distance", ("a", "b"), source="by hand"),
            Measurement("height", "distance", ("a", "c")),
        ),
    )
}


@pytest.mark.parametrize(("spacing", "value", "unit"), [(None, 5.0, "px"), ((0.5, 2.0), 40**0.5, "mm")])
def test_json_has_the_measurements_of_the_domain(
    tmp_path: Path, spacing: tuple[float, float] | None, value: float, unit: str
) -> None:
    sample = found(spacing=spacing) | {"pred_radius": torch.tensor([2.0, 2.0, NAN])}
    SaveLandmarksd("pred", output_dir=tmp_path, domains=WIDE, formats=["json"])(sample)
    width, height = json.loads((tmp_path / "001.json").read_text())["measurements"]
    # two landmarks of sigma 2 / sqrt(2 ln 10) along the line between them
    error = math.sqrt(2) * 2 / math.sqrt(2 * math.log(10))
    assert (width["name"], width["unit"], width["source"]) == ("width", unit, "by hand")
    assert (width["value"], width["error"]) == (pytest.approx(value, rel=1e-6), pytest.approx(error, rel=1e-6))
    assert (height["value"], height["error"]) == (None, None)


CALIBRATED = {"pred_radius": torch.tensor([2.0, 1.0, NAN]), "pred_presence": torch.tensor([0.75, 0.5, 0.25])}


def test_a_calibrated_radius_is_in_pixels_of_the_file_and_in_mm(tmp_path: Path) -> None:
    """Pixels of 0.5 x 2 mm are as large as those of 1 mm."""
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS)(found(spacing=(0.5, 2.0)) | CALIBRATED)
    first, _, absent = json.loads((tmp_path / "001.json").read_text())["landmarks"]
    assert (first["radius_90"], first["radius_90_mm"], first["presence"]) == (2.0, 2.0, 0.75)
    assert (absent["radius_90"], absent["radius_90_mm"], absent["presence"]) == (None, None, 0.25)
    header, line, *_ = (tmp_path / "001.csv").read_text().splitlines()
    assert header == "landmark,x,y,frame,confidence,radius_90,presence"
    assert line == "a,8.0,3.0,index,0.5,2.0,0.75"
    assert read_landmarks(tmp_path / "001.csv").names == ("a", "b", "c")


def test_square_pixels_of_half_a_millimetre_double_the_radius(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS)(found(spacing=(0.5, 0.5)) | CALIBRATED)
    first, *_ = json.loads((tmp_path / "001.json").read_text())["landmarks"]
    assert (first["radius_90"], first["radius_90_mm"]) == (4.0, 2.0)


def test_a_calibrated_radius_without_a_spacing_is_in_pixels_alone(tmp_path: Path) -> None:
    SaveLandmarksd("pred", output_dir=tmp_path, domains=DOMAINS)(found(spacing=None) | CALIBRATED)
    first, *_ = json.loads((tmp_path / "001.json").read_text())["landmarks"]
    assert first["radius_90"] == 2.0
    assert "radius_90_mm" not in first
