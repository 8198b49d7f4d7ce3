# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes on the command line: files of every format, and folders of DICOM slices."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from series_files import make_series, oblique_affine
from volume_files import write_mha, write_nifti, write_nrrd

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist, Domain
from monai_gu2net.networks import GU2Net, ModelCard, save_model

# ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
pytestmark = pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")

DOMAIN = Domain("skull", ("a", "b"), (16, 16, 16), target_spacing=(1.5, 1.5, 1.5))
AFFINE = oblique_affine((0.8, 1.1, 2.5))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(14)
    network = GU2Net(3, 1, {"skull": 2}, features=(2, 4), global_features=2, dilations=(1, 2))
    path = tmp_path_factory.mktemp("model") / "model.pt"
    return save_model(path, network, ModelCard({"skull": DOMAIN}, network.description))


@pytest.fixture
def volume(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 4096, (24, 20, 9)).astype(np.uint16)


def lps(path: Path) -> np.ndarray:
    [markup] = json.loads(path.read_text())["markups"]
    assert markup["coordinateSystem"] == "LPS"
    return np.array([point["position"] for point in markup["controlPoints"]])


def predict(model: Path, *words: object) -> int:
    return main(["predict", *map(str, words), "-m", str(model), "--formats", "json", "mrk.json"])


def test_a_folder_of_volumes_and_series_is_predicted_and_what_is_left_out_is_said(
    tmp_path: Path, model: Path, volume: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, values = tmp_path / "in", volume.astype(np.float32) - 1024
    folder.mkdir()
    write_nifti(folder / "a.nii.gz", values, AFFINE)
    write_nrrd(folder / "b.nrrd", values, AFFINE, space="RAS")
    write_mha(folder / "c.mha", values, AFFINE)
    make_series(folder / "patient" / "ct", volume, AFFINE)
    gap = make_series(folder / "patient" / "gap", volume, AFFINE)
    (gap / "IM0024").unlink()
    (folder / "within").mkdir()
    write_nifti(folder / "within" / "d.nii.gz", values, AFFINE)
    Image.new("L", (8, 8)).save(folder / "overlay.png")
    (folder / "notes.txt").write_text("of a phantom")
    assert predict(model, folder, "-o", tmp_path / "out") == 1  # a case failed
    said = capsys.readouterr().err
    assert "1 picture(s) left out, the domain is of volumes: overlay.png" in said
    assert "1 volume(s) left out, it lies in a folder within: within/d.nii.gz" in said
    assert "1 file(s) left out, no image of a known kind: notes.txt" in said
    assert "gap: the slices of a volume must lie in an even row; got gaps from 2.5 to 5 mm" in said
    found = [lps(tmp_path / "out" / f"{name}.mrk.json") for name in ("a", "b", "c", "ct")]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=0.01)
    # the index is that of the file's axes: of a series columns, rows and slices along the normal
    landmarks = json.loads((tmp_path / "out" / "ct.json").read_text())["landmarks"]
    index = np.array([[landmark[axis] for axis in "xyz"] for landmark in landmarks])
    np.testing.assert_allclose(nib.affines.apply_affine(AFFINE, index) * [-1, -1, 1], found[0], atol=0.01)
    assert not list((tmp_path / "out").glob("gap*"))


def test_a_folder_without_an_image_among_others_is_said(
    tmp_path: Path, model: Path, volume: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", volume, AFFINE)
    (tmp_path / "nothing yet").mkdir()
    assert predict(model, path, tmp_path / "nothing yet", "-o", tmp_path / "out") == 0
    assert "1 folder(s) left out, no volume in it: nothing yet" in capsys.readouterr().err


def test_a_case_of_which_a_file_cannot_be_written_counts_among_those_with_landmarks(
    tmp_path: Path, model: Path, volume: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [write_nifti(tmp_path / name, volume, AFFINE) for name in ("a.nii.gz", "b.nii.gz")]
    words = [*map(str, paths), "-m", str(model), "-o", str(tmp_path / "out"), "--formats", "json", "sr"]
    assert main(["predict", *words]) == 1  # a report is of DICOM alone
    assert "landmarks of 2 image(s) to" in capsys.readouterr().out


def test_a_folder_that_is_a_series_itself_is_one_image(tmp_path: Path, model: Path, volume: np.ndarray) -> None:
    folder = make_series(tmp_path / "head", volume, AFFINE)
    assert predict(model, folder, "-o", tmp_path / "out") == 0
    assert lps(tmp_path / "out" / "head.mrk.json").shape == (2, 3)


@pytest.mark.parametrize("spacing", ["2", "2,2", "0.5,0.5"])
def test_a_spacing_of_two_numbers_is_refused_of_a_volume_by_its_domain(
    tmp_path: Path, model: Path, volume: np.ndarray, spacing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_nifti(tmp_path / "a.nii", volume, AFFINE)
    assert predict(model, path, "-o", tmp_path / "out", "--spacing", spacing) != 0
    assert "spacing must be 3 numbers for domain 'skull'; got" in capsys.readouterr().err


def test_a_spacing_of_three_numbers_keeps_where_the_volume_lies(
    tmp_path: Path, model: Path, volume: np.ndarray
) -> None:
    """The file says voxels of 1 mm, by mistake; origin and directions are right."""
    path = write_nifti(tmp_path / "a.nii", volume, oblique_affine((1.0, 1.0, 1.0)))
    right = write_nifti(tmp_path / "right.nii", volume, AFFINE)
    assert predict(model, path, right, "-o", tmp_path / "out", "--spacing", "0.8,1.1,2.5") == 0
    np.testing.assert_allclose(
        lps(tmp_path / "out" / "a.mrk.json"), lps(tmp_path / "out" / "right.mrk.json"), atol=0.01
    )


def test_a_datalist_may_have_the_folder_of_a_series_as_an_image(
    tmp_path: Path, model: Path, volume: np.ndarray
) -> None:
    make_series(tmp_path / "cases" / "one" / "ct", volume, AFFINE)
    write_nifti(tmp_path / "cases" / "two.nii.gz", volume.astype(np.float32) - 1024, AFFINE)
    index = [[3.0, 4.0, 5.0], [20.5, 10.0, 2.25]]
    cases = [
        {"image": str(tmp_path / "cases" / name), "domain": "skull", "case": case, "landmarks": index}
        for name, case in (("one/ct", "one"), ("two.nii.gz", "two"))
    ]
    Datalist("d", {"skull": DOMAIN}, test=cases).save(tmp_path / "cases" / "datalist.json")
    words = ["evaluate", "-m", str(model), "--datalist", str(tmp_path / "cases" / "datalist.json")]
    assert main([*words, "--output-dir", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "landmarks.csv").open() as file:
        rows = list(csv.DictReader(file))
    errors = {case: [float(row["error"]) for row in rows if row["case"] == case] for case in ("one", "two")}
    np.testing.assert_allclose(errors["one"], errors["two"], atol=0.01)
    assert all(row["unit"] == "mm" for row in rows)
