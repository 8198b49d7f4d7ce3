# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The files that a prediction of volumes writes, read by other programs' libraries and by ours."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from jsonschema import validate
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.measurements import Measurement
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import Predictor, load

# two axes are turned by 90 degrees, and all have another spacing
AFFINE = np.array([[0, -2.0, 0, 10], [1.5, 0, 0, 20], [0, 0, 3, -30], [0, 0, 0, 1]])
# the parts of Slicer's markups schema 1.0.3 that matter here
SCHEMA = {
    "type": "object",
    "required": ["@schema", "markups"],
    "properties": {
        "@schema": {
            "const": "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/"
            "Schema/markups-schema-v1.0.3.json#"
        },
        "markups": {
            "items": {
                "required": ["type"],
                "properties": {
                    "type": {"enum": ["Fiducial"]},
                    "coordinateSystem": {"const": "LPS"},
                    "coordinateUnits": {"const": "mm"},
                    "controlPoints": {
                        "items": {
                            "properties": {
                                "position": {
                                    "type": "array",
                                    "items": {"type": "number"},
                                    "minItems": 3,
                                    "maxItems": 3,
                                },
                                "orientation": {"type": "array", "minItems": 9, "maxItems": 9},
                                "positionStatus": {"enum": ["undefined", "preview", "defined"]},
                            }
                        }
                    },
                },
            }
        },
    },
}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    width = Measurement("width", "distance", ("a", "b"))
    domains = {"solid": Domain("solid", ("a", "b"), (16, 16, 16), measurements=(width,))}
    torch.manual_seed(0)
    network = GU2Net(3, 1, {"solid": 2}, features=(4, 8), global_features=4, dilations=(1,))
    path = save_model(tmp_path_factory.mktemp("m") / "m.pt", network, ModelCard(domains, network.description))
    return load(path)


def volume(path: Path, affine: np.ndarray = AFFINE) -> Path:
    array = np.random.default_rng(1).integers(0, 200, (12, 14, 10)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def test_every_file_of_a_volume_has_voxels_and_lps_millimetres(predictor: Predictor, tmp_path: Path) -> None:
    image = volume(tmp_path / "v.nii.gz")
    rows, failures = predictor.predict_files([image], output_dir=tmp_path / "out")
    assert failures == []
    voxels = np.array([[row[f"predicted_{axis}"] for axis in "xyz"] for row in rows])
    expected = nibabel.affines.apply_affine(nibabel.load(image).affine, voxels) * (-1, -1, 1)

    content = json.loads((tmp_path / "out" / "v.json").read_text())
    assert content["frame"] == "index"
    told = [[each[f"{axis}_lps_mm"] for axis in "xyz"] for each in content["landmarks"]]
    np.testing.assert_allclose(told, expected, atol=1e-9)
    assert content["measurements"][0]["value"] == pytest.approx(np.linalg.norm(expected[0] - expected[1]))

    lines = list(csv.DictReader((tmp_path / "out" / "v.csv").read_text().splitlines()))
    np.testing.assert_allclose([[float(line[axis]) for axis in "xyz"] for line in lines], voxels)
    np.testing.assert_allclose([[float(line[f"{axis}_lps_mm"]) for axis in "xyz"] for line in lines], expected)

    for table in (
        pd.read_csv(tmp_path / "out" / "landmarks.csv"),
        pd.read_parquet(tmp_path / "out" / "landmarks.parquet"),
    ):
        np.testing.assert_allclose(table[[f"predicted_{axis}_lps_mm" for axis in "xyz"]], expected)
        assert not [name for name in table if name.endswith("_mm") and not name.endswith("_lps_mm")]
        assert table[["image_x", "image_y", "image_z"]].values.tolist() == [[12, 14, 10]] * 2

    markups = json.loads((tmp_path / "out" / "v.mrk.json").read_text())
    validate(markups, SCHEMA)
    np.testing.assert_allclose([point["position"] for point in markups["markups"][0]["controlPoints"]], expected)

    with Image.open(tmp_path / "out" / "v.png") as picture:
        picture.verify()
        assert picture.width == 1200


def test_a_volume_whose_scale_is_not_known_has_voxels_and_no_point_list(
    predictor: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows, failures = predictor.predict_files([volume(tmp_path / "v.nii", np.eye(4))], output_dir=tmp_path / "out")
    assert failures == []
    assert {row["unit"] for row in rows} == {"px"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"v.json", "v.csv", "v.png", "landmarks.csv"} <= names
    assert "v.mrk.json" not in names
    assert "v.mrk.json left out: the scale of the volume is not known, nor where Slicer shows it" in caplog.messages
    assert not [name for name in pd.read_csv(tmp_path / "out" / "landmarks.csv") if name.endswith("mm")]


@pytest.mark.parametrize("format", ["coco", "sc", "gsps"])
def test_a_format_of_pictures_is_refused_before_anything_is_done(
    predictor: Predictor, tmp_path: Path, format: str
) -> None:
    image = volume(tmp_path / "v.nii.gz")
    with pytest.raises(
        ValueError,
        match=rf"formats of volumes must not be of pictures; got \['{format}'\] for domain 'solid' \({format}: ",
    ):
        predictor.predict_files([image], output_dir=tmp_path / "out", formats=["json", format])
    assert not (tmp_path / "out").exists()
