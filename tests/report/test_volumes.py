# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a report says of volumes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from monai_gu2net.evaluation import compare_rows
from monai_gu2net.measurements import Measurement
from monai_gu2net.report import write_comparison, write_report

VOXEL = (0.5, 0.25, 0.5)
AFFINE = np.array([[-0.5, 0, 0, 5], [0, 0.25, 0, -3], [0, 0, 0.5, 2], [0, 0, 0, 1]])  # to the left, front, head
REFERENCE = np.array([[8.0, 8, 8], [4, 12, 8], [10, 4, 6]])
OFF = np.array([[1.0, 0, 0], [0, 4, 0], [0, 0, -2]])  # voxels: 0.5 mm to the left, 1 mm to the front, 1 mm down


def volume_rows(case: str, *, times: float = 1.0, unit: str = "mm") -> list[dict[str, Any]]:
    """Three landmarks, each off along another axis."""
    found = REFERENCE + times * OFF
    lengths = np.array(VOXEL) if unit == "mm" else np.ones(3)
    rows = []
    for number in range(3):
        row: dict[str, Any] = {"case": case, "domain": "mouse", "landmark": f"p{number + 1}", "unit": unit}
        row |= {"error": float(np.linalg.norm(times * OFF[number] * lengths)), "radius": 1.2, "confidence": 0.5}
        row |= {"spacing_source": "file" if unit == "mm" else "none"}
        for kind, points in (("reference", REFERENCE), ("predicted", found)):
            lps = nibabel.affines.apply_affine(AFFINE, points[number]) * (-1, -1, 1)
            for axis, voxel, mm in zip("xyz", points[number], lps, strict=True):
                row |= {f"{kind}_{axis}": voxel}
                row |= {f"{kind}_{axis}_lps_mm": mm} if unit == "mm" else {}
        row |= {f"spacing_{axis}": length for axis, length in zip("xyz", VOXEL, strict=True)} if unit == "mm" else {}
        rows.append(row)
    return rows


@pytest.fixture
def image(tmp_path: Path, rng: np.random.Generator) -> Path:
    path = tmp_path / "v.nii.gz"
    nibabel.save(nibabel.Nifti1Image(rng.integers(0, 200, (16, 20, 14)).astype(np.int16), AFFINE), path)
    return path


MEASUREMENTS = {"mouse": (Measurement("width", "distance", ("p1", "p2")),)}


@pytest.fixture
def report(image: Path, tmp_path: Path) -> Path:
    rows = [row for number in range(4) for row in volume_rows(f"m{number}", times=1 + number)]
    images = {("mouse", f"m{number}"): image for number in range(4)}
    write_report(tmp_path / "r", rows, images=images, measurements=MEASUREMENTS, worst=2)
    return tmp_path / "r"


def test_worst_and_median_volumes_are_drawn(report: Path) -> None:
    shown = set(re.findall(r"\]\(([^)]+)\)", (report / "report.md").read_text()))
    assert {f"overlays/mouse_{name}.png" for name in ("m3", "m2", "m1")} | {"overlays.png"} < shown
    with Image.open(report / "overlays" / "mouse_m3.png") as page, Image.open(report / "overlays.png") as sheet:
        assert page.width == 1200  # a page of the report shows pictures of at most 1200 x 1200
        assert page.height <= 1200
        assert sheet.width > page.width


def test_thresholds_of_volumes_are_voxels(report: Path) -> None:
    """A cube as large as a voxel has a side of (0.5 * 0.25 * 0.5) ** (1/3) = 0.397 mm."""
    text = (report / "report.md").read_text()
    line = next(line for line in text.splitlines() if "| Unit |" in line)
    assert line.endswith("| SDR ≤ 0.4 | SDR ≤ 0.79 | SDR ≤ 1.2 | SDR ≤ 1.6 |")
    assert "Thresholds of volumes" in text
    summary = json.loads((report / "summary.json").read_text())
    # errors of 0.5, 1 and 1 mm, times 1 to 4
    assert summary["summaries"][0]["sdr"] == {
        "0.4": 0,
        "0.79": pytest.approx(100 / 12),
        "1.2": pytest.approx(400 / 12),
        "1.6": pytest.approx(500 / 12),
    }
    assert summary["scoring"]["thresholds"]["mouse"] == [0.4, 0.79, 1.2, 1.6]


def test_each_landmark_has_its_error_and_interval_in_mm(report: Path) -> None:
    lines = (report / "report.md").read_text().splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines if re.match(r"\| \d \| p\d \|", line)]
    assert [cell[1:3] + cell[6:7] for cell in cells[:3]] == [
        ["p1", "mm", "1.25"],  # 0.5 times the mean of 1 to 4
        ["p2", "mm", "2.50"],
        ["p3", "mm", "2.50"],
    ]
    low, high = map(float, cells[0][7].split(" to "))
    assert 0.5 <= low < 1.25 < high <= 2.0


def test_directions_of_the_errors_are_those_of_the_patient(report: Path) -> None:
    table = pd.read_csv(report / "axis_errors.csv").set_index("landmark")
    ways = ["left_mean", "back_mean", "up_mean"]
    assert table.loc["p1", ways].tolist() == pytest.approx([1.25, 0, 0])
    assert table.loc["p2", ways].tolist() == pytest.approx([0, -2.5, 0])
    assert table.loc["p3", ways].tolist() == pytest.approx([0, 0, -2.5])
    assert table.loc["p1", "left_std"] == pytest.approx(0.5 * np.std([1, 2, 3, 4]))
    text = (report / "report.md").read_text()
    assert "## Directions of the errors of mouse (mm)" in text
    assert "| p2 | 4 | +0.00 | 0.00 | -2.50 |" in text


def test_directions_have_the_order_of_the_landmarks_also_where_one_is_not_in_every_volume(tmp_path: Path) -> None:
    """p1 is in the second volume alone, and p2 in none."""
    rows = [*volume_rows("m0"), *volume_rows("m1", times=2), *volume_rows("bare", unit="px")]
    for row in rows:
        if row["landmark"] == "p2" or (row["landmark"], row["case"]) == ("p1", "m0"):
            row |= {f"reference_{axis}": np.nan for axis in ("x", "y", "z", "x_lps_mm", "y_lps_mm", "z_lps_mm")}
            row["error"] = None
    write_report(tmp_path / "r", rows, images={}, worst=0)
    table = pd.read_csv(tmp_path / "r" / "axis_errors.csv")
    assert table["landmark"].fillna("all").tolist() == ["all", "p1", "p2", "p3"]
    assert table["count"].tolist() == [3, 1, 0, 2]
    assert table["left_mean"].tolist() == pytest.approx([1 / 3, 1, np.nan, 0], nan_ok=True)  # 2 voxels of 0.5 mm
    assert "| p2 | 0 | - | - | - | - | - | - |" in (tmp_path / "r" / "report.md").read_text()


def test_radii_and_measurements_of_volumes_are_reported(report: Path) -> None:
    assert "## Uncertainty" in (report / "report.md").read_text()
    measured = pd.read_csv(report / "measurements.csv")
    # reference: 4 voxels of 0.5 mm and 4 of 0.25 mm apart
    assert measured["reference"].tolist() == pytest.approx([np.hypot(2, 1)] * 4)
    # found: (9, 8, 8) and (4, 16, 8)
    assert measured["value"][0] == pytest.approx(np.hypot(2.5, 2))
    assert measured["error"][0] == pytest.approx(np.sqrt(2) * 1.2 / 2.5002777108094353)


def test_volumes_of_unknown_scale_are_in_voxels(image: Path, tmp_path: Path) -> None:
    rows = volume_rows("m", unit="px")
    path = write_report(tmp_path / "r", rows, images={("mouse", "m"): image}).path
    assert "SDR ≤ 1 | SDR ≤ 2 | SDR ≤ 3 | SDR ≤ 4 |" in path.read_text()
    assert (tmp_path / "r" / "overlays" / "mouse_m.png").is_file()
    assert not (tmp_path / "r" / "axis_errors.csv").exists()


def test_volumes_of_unknown_scale_beside_others_are_scored_in_their_voxels(tmp_path: Path) -> None:
    """In voxels the three are 1, 4 and 2 off, in mm 0.5, 1 and 1."""
    rows = [*volume_rows("known"), *volume_rows("unknown", unit="px")]
    result = write_report(tmp_path, rows, images={}, worst=0)
    rates = result.by_domain.set_index("unit").filter(regex="^sdr_")
    mm, px = (rates.loc[unit].dropna().to_dict() for unit in ("mm", "px"))
    assert mm == {"sdr_0.4": 0, "sdr_0.79": pytest.approx(100 / 3), "sdr_1.2": 100, "sdr_1.6": 100}
    assert px == {"sdr_1": pytest.approx(100 / 3), "sdr_2": pytest.approx(200 / 3), "sdr_3": px["sdr_2"], "sdr_4": 100}
    compared = compare_rows(rows, rows).summaries
    shares = compared[compared["landmark"].isna()].set_index("unit")["sdr_2_a"]
    assert np.isnan(shares["mm"])
    assert shares["px"] == px["sdr_2"]
    assert (tmp_path / "report.md").is_file()
    scoring = json.loads((tmp_path / "summary.json").read_text())["scoring"]
    assert scoring["thresholds"]["mouse"] == {"mm": [0.4, 0.79, 1.2, 1.6], "px": [1, 2, 3, 4]}


def test_a_picture_in_place_of_a_volume_is_said(tmp_path: Path) -> None:
    Image.new("L", (20, 20)).save(tmp_path / "p.png")
    path = write_report(tmp_path / "r", volume_rows("m"), images={("mouse", "m"): tmp_path / "p.png"}).path
    assert "No picture: the image is a picture now, and its points are not" in path.read_text()


def test_pictures_beside_volumes_keep_the_usual_thresholds(tmp_path: Path) -> None:
    flat = {"case": "c", "domain": "head", "landmark": "a", "error": 2.2, "unit": "mm"}
    summary = write_report(tmp_path, [*volume_rows("m"), flat], images={}, worst=0).by_domain.set_index("domain")
    assert summary.loc["head", ["sdr_2", "sdr_2.5"]].tolist() == [0, 100]
    assert np.isnan(summary.loc["head", "sdr_0.4"])
    assert np.isnan(summary.loc["mouse", "sdr_2"])


def test_two_tables_of_volumes_are_compared_at_the_same_thresholds(tmp_path: Path) -> None:
    first, second = ([row for n in range(3) for row in volume_rows(f"m{n}", times=t)] for t in (2, 1))
    comparison = compare_rows(first, second)
    total = comparison.summaries.iloc[0]
    assert total["difference"] == pytest.approx(-(0.5 + 1 + 1) / 3)
    assert (total["sdr_1.2_a"], total["sdr_1.2_b"]) == (pytest.approx(100 / 3), 100)
    text = write_comparison(tmp_path, comparison).read_text()
    assert "| mouse | 1.2 mm | 33.3 | 100.0 |" in text


def test_the_same_reference_in_a_file_of_other_axes_is_not_another_one() -> None:
    """As of a copy with its first and last axis exchanged; and of one that lies 0.1 mm higher."""
    first, turned, lifted = volume_rows("m"), volume_rows("m"), volume_rows("m")
    for row in turned:
        for what in ("reference", "predicted", "spacing"):
            row[f"{what}_x"], row[f"{what}_z"] = row[f"{what}_z"], row[f"{what}_x"]
    for row in lifted:
        row["reference_z_lps_mm"] += 0.1
    assert compare_rows(first, turned).other_reference.empty
    assert list(compare_rows(first, lifted).other_reference["landmark"]) == ["p1", "p2", "p3"]


def test_thresholds_that_are_named_are_kept(tmp_path: Path) -> None:
    comparison = compare_rows(volume_rows("m"), volume_rows("m"), thresholds=[2.0, 2.5, 3.0, 4.0])
    assert list(comparison.summaries.filter(regex="^sdr_.*_a$")) == [f"sdr_{t}_a" for t in ("2", "2.5", "3", "4")]
