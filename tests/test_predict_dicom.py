# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From a DICOM image to the results in its study, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Domain
from monai_gu2net.dicom.presentation_state import LANDMARK_LAYER
from monai_gu2net.dicom.structured_report import read_structured_report
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.networks import GU2Net, ModelCard, save_model

NAMES = ("sella", "nasion", "wholly unusual name of a landmark")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network."""
    network = GU2Net(2, 1, {"head": 3}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"head": Domain("head", NAMES, (32, 32))}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


def test_every_format_says_the_same_of_a_dicom_image(model: Path, tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture(), photometric="MONOCHROME1", ImagerPixelSpacing=[0.1, 0.2])
    formats = ["json", "csv", "mrk.json", "sr", "gsps", "coco"]
    assert main(["predict", str(image), "-m", str(model), "-o", str(tmp_path / "out"), "--formats", *formats]) == 0
    out = tmp_path / "out"
    expected = read_landmarks(out / "image.json")
    assert expected.names == NAMES
    assert expected.present.all()

    report = read_structured_report(out / "image.sr.dcm", names=NAMES)
    np.testing.assert_allclose(report.landmarks.points, expected.points, atol=0.01)
    assert report.sop_instance_uid == pydicom.dcmread(image).SOPInstanceUID
    np.testing.assert_allclose(read_landmarks(out / "image.csv").points, expected.points, atol=0.01)
    markups = read_landmarks(out / "image.mrk.json", dims=2).points
    np.testing.assert_allclose(markups / [0.2, 0.1], expected.points, atol=0.01)
    np.testing.assert_allclose(read_landmarks(out / "coco.json", image="image.dcm").points, expected.points, atol=0.01)
    [shown] = [
        layer
        for layer in pydicom.dcmread(out / "image.pr.dcm").GraphicAnnotationSequence
        if layer.GraphicLayer == LANDMARK_LAYER
    ]
    points = [item.GraphicData for item in shown.GraphicObjectSequence if item.GraphicType == "POINT"]
    np.testing.assert_allclose(np.array(points) - 0.5, expected.points, atol=0.01)


def test_a_secondary_capture_is_the_overlay(model: Path, tmp_path: Path) -> None:
    images = [make_dicom(tmp_path / "a.dcm", picture()), tmp_path / "b.png"]
    Image.fromarray((picture() // 16).astype(np.uint8)).save(images[1])
    out = tmp_path / "out"
    assert main(["predict", *map(str, images), "-m", str(model), "-o", str(out), "--formats", "sc"]) == 0
    assert [path.name for path in out.glob("*.dcm")] == ["a.sc.dcm"]
    capture = pydicom.dcmread(out / "a.sc.dcm")
    np.testing.assert_array_equal(capture.pixel_array, np.asarray(Image.open(out / "a.png")))


def test_a_capture_of_an_image_without_a_study_is_a_failure_of_its_own(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = make_dicom(tmp_path / "bad.dcm", picture(), StudyInstanceUID=None)
    out = tmp_path / "out"
    assert main(["predict", str(image), "-m", str(model), "-o", str(out), "--formats", "csv", "sc"]) == 1
    assert "not wholly saved: bad.sc.dcm: the image's header must have ['StudyInstanceUID']" in capsys.readouterr().err
    found = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    assert found == {"bad.csv", "bad.png", "landmarks.csv", "landmarks.parquet"}


def test_the_report_names_the_models_weights(model: Path, tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture())
    assert main(["predict", str(image), "-m", str(model), "-o", str(tmp_path), "--formats", "sr"]) == 0
    report = pydicom.dcmread(tmp_path / "image.sr.dcm")
    assert report.ManufacturerModelName == "GU2Net"
    group = report.ContentSequence[-1].ContentSequence[0].ContentSequence
    [version] = [item for item in group if item.ConceptNameCodeSequence[0].CodeMeaning == "Algorithm Version"]
    assert version.TextValue == report.SoftwareVersions[0]


def test_an_image_without_a_study_is_a_failure_of_its_own_and_its_other_files_are_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = make_dicom(tmp_path / "good.dcm", picture(), PatientName="Kryptonym^Otto")
    bad = make_dicom(tmp_path / "bad.dcm", picture(), PatientName="Kryptonym^Otto", StudyInstanceUID=None)
    out = tmp_path / "out"
    arguments = ["predict", str(good), str(bad), "-m", str(model), "-o", str(out), "--formats", "json", "sr"]
    assert main(arguments) == 1
    shown = capsys.readouterr()
    assert "bad.sr.dcm: the image's header must have ['StudyInstanceUID']" in shown.err
    assert {path.name for path in out.iterdir() if path.suffix != ".png" and path.name[0] != "."} == {
        "good.json",
        "good.sr.dcm",
        "good.text.dcm",
        "bad.json",
        "landmarks.csv",
        "landmarks.parquet",
    }
    assert "Kryptonym" not in shown.out + shown.err
    assert "Kryptonym" not in "".join(path.read_text() for path in out.iterdir() if path.suffix in (".json", ".csv"))


def test_pictures_and_dicom_go_together_in_one_coco_file(model: Path, tmp_path: Path) -> None:
    images = [make_dicom(tmp_path / "a.dcm", picture()), tmp_path / "b.png"]
    Image.fromarray((picture() // 16).astype(np.uint8)).save(images[1])
    out = tmp_path / "out"
    assert main(["predict", *map(str, images), "-m", str(model), "-o", str(out), "--formats", "gsps", "coco"]) == 0
    content = json.loads((out / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.dcm", "b.png"]
    assert content["categories"][0]["keypoints"] == list(NAMES)
    assert [path.name for path in out.glob("*.dcm")] == ["a.pr.dcm"]
