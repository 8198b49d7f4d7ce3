# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From a folder of DICOM series to the results in their studies, by the command line."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from series_files import make_series, oblique_affine

from monai_gu2net.__main__ import main
from monai_gu2net.data import Domain
from monai_gu2net.dicom import read_structured_report, series_headers
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.measurements import Measurement
from monai_gu2net.networks import GU2Net, ModelCard, save_model

NAMES = ("nasion", "basion")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network of volumes."""
    network = GU2Net(3, 1, {"skull": 2}, features=(2, 4), global_features=2, dilations=(1,))
    domain = Domain("skull", NAMES, (16, 16, 16), measurements=(Measurement("base", "distance", NAMES),))
    return save_model(
        tmp_path_factory.mktemp("model") / "m.pt", network, ModelCard({"skull": domain}, network.description)
    )


@pytest.fixture
def voxels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 4000, (14, 12, 10)).astype(np.uint16)


def test_the_reports_of_a_folder_of_series_say_what_the_other_files_say(
    model: Path, voxels: np.ndarray, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    for name, degrees in (("one", 20.0), ("two", -40.0)):
        make_series(images / name, voxels, oblique_affine(degrees=degrees), series=name)
    out = tmp_path / "out"
    formats = ["json", "csv", "mrk.json", "sr"]
    assert main(["predict", str(images), "-m", str(model), "-o", str(out), "--formats", *formats]) == 0
    for name in ("one", "two"):
        slices = series_headers(images / name)
        report = read_structured_report(out / f"{name}.sr.dcm", names=NAMES)
        in_file = read_landmarks(out / f"{name}.json")
        assert in_file.present.all()
        np.testing.assert_allclose(report.in_series(slices).points, in_file.points, rtol=0, atol=1e-3)
        in_slicer = read_landmarks(out / f"{name}.mrk.json")
        np.testing.assert_allclose(report.landmarks.points, in_slicer.points, rtol=0, atol=1e-3)
        assert report.frame_of_reference_uid == slices[0].FrameOfReferenceUID
        text = pydicom.dcmread(out / f"{name}.text.dcm")
        findings = text.ContentSequence[-1].ContentSequence
        measured = {each.ConceptNameCodeSequence[0].CodeMeaning: each for each in findings if each.ValueType == "NUM"}
        length = np.linalg.norm(np.diff(in_slicer.points, axis=0))
        value = measured["base"].MeasuredValueSequence[0]
        assert float(value.NumericValue) == pytest.approx(length, abs=0.05 + 1e-3)
        assert value.MeasurementUnitsCodeSequence[0].CodeValue == "mm"


def test_of_a_volume_that_is_not_dicom_all_is_written_but_the_report_whose_reason_is_said(
    model: Path, voxels: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_series(tmp_path / "images" / "one", voxels, oblique_affine())
    nibabel.save(nibabel.Nifti1Image(voxels, oblique_affine()), tmp_path / "images" / "two.nii.gz")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "images"), "-m", str(model), "-o", str(out), "--formats", "json", "sr"]) == 1
    assert "a structured report must be about a volume that is DICOM" in capsys.readouterr().err
    written = {path.name for path in out.iterdir() if path.suffix in (".dcm", ".json") and path.name[0] != "."}
    assert written == {"one.json", "one.sr.dcm", "one.text.dcm", "two.json"}
