# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pydicom
import pytest
import torch
from dicom_files import make_dicom, picture
from hypothesis import given, settings
from PIL import Image
from series_files import make_series, oblique_affine

from monai_gu2net.data import Domain
from monai_gu2net.dicom import series_headers
from monai_gu2net.dicom.presentation_state import RADIUS_LAYER
from monai_gu2net.dicom.structured_report import read_structured_report
from monai_gu2net.landmarks import image_plane_affine, read_landmarks
from monai_gu2net.landmarks.formats import read_coco, write_coco
from monai_gu2net.transforms import Found, SaveLandmarksd
from monai_gu2net.transforms.result_formats import ALL_FORMATS
from monai_gu2net.transforms.save import coco_image

NAN = math.nan
DOMAINS = {"head": Domain("head", ("a", "b", "c"), (8, 8))}
PIXELS = [[8.0, 3.0], [4.0, 0.0], [NAN, NAN]]


def found(image: Path, *, spacing: tuple[float, float] | None = (0.5, 2.0)) -> dict[str, Any]:
    """A sample with landmarks found at (8, 3), (4, 0) and nowhere, in pixels of the file."""
    scale = torch.tensor(spacing or (1.0, 1.0), dtype=torch.float64)
    return {
        "case": "001",
        "domain": "head",
        "image_file": str(image),
        "unit": "mm" if spacing else "px",
        "spacing_source": "detector" if spacing else "none",
        "file_affine": torch.diag(torch.cat([scale, torch.ones(2, dtype=torch.float64)])),
        "file_size": torch.tensor([44, 36]),
        "pred_landmarks": (torch.tensor(PIXELS) * scale).float(),
        "pred_confidence": torch.tensor([0.5, 0.25, 0.0]),
    }


def numbers(report: Path) -> list[tuple[float, str]]:
    """Value and unit of the numbers of the first landmark: its confidence, and what is derived."""
    containers = [item for item in pydicom.dcmread(report).ContentSequence if item.ValueType == "CONTAINER"]
    items = [item for container in containers for item in container.ContentSequence[0].ContentSequence]
    measured = [item.MeasuredValueSequence[0] for item in items if item.ValueType == "NUM"]
    return [(float(item.NumericValue), item.MeasurementUnitsCodeSequence[0].CodeValue) for item in measured]


def test_a_dicom_image_gets_a_report_and_a_state_beside_the_other_files(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture())
    save = SaveLandmarksd(
        output_dir=tmp_path / "out",
        domains=DOMAINS,
        formats=["json", "sr", "gsps"],
        model={"name": "GU2Net", "version": "7"},
    )
    save(found(image) | {"pred_radius": torch.tensor([2.0, NAN, NAN])})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "001.json",
        "001.pr.dcm",
        "001.sr.dcm",
        "001.text.dcm",
    ]
    report = read_structured_report(tmp_path / "out" / "001.sr.dcm", names=("a", "b", "c"))
    np.testing.assert_allclose(report.landmarks.points, PIXELS, atol=0.01)
    np.testing.assert_allclose(report.confidence, [0.5, 0.25, NAN])
    # pixels of 0.5 x 2 mm are as large as those of 1 mm
    assert numbers(tmp_path / "out" / "001.sr.dcm") == [(0.5, "1"), (2.0, "{pixels}"), (2.0, "mm")]
    state = pydicom.dcmread(tmp_path / "out" / "001.pr.dcm")
    assert state.SoftwareVersions[0] == "7"
    [circles] = [item for item in state.GraphicAnnotationSequence if item.GraphicLayer == RADIUS_LAYER]
    # 2 mm are 4 pixels to the right and 1 pixel down
    [ellipse] = circles.GraphicObjectSequence
    assert list(ellipse.GraphicData) == [4.5, 3.5, 12.5, 3.5, 8.5, 2.5, 8.5, 4.5]


def test_the_report_says_where_its_millimetres_come_from(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture())
    SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS, formats=["sr"])(found(image))
    groups = pydicom.dcmread(tmp_path / "001.sr.dcm").ContentSequence[-1].ContentSequence
    for group in groups:
        texts = {
            item.ConceptNameCodeSequence[0].CodeMeaning: item.TextValue
            for item in group.ContentSequence
            if item.ValueType == "TEXT"
        }
        assert texts["Algorithm Parameters"] == "spacing source: detector"


def test_without_a_spacing_the_report_says_no_millimetre(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture())
    sample = found(image, spacing=None) | {"pred_radius": torch.tensor([2.0, NAN, NAN])}
    SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS, formats=["sr"])(sample)
    assert numbers(tmp_path / "001.sr.dcm") == [(0.5, "1"), (2.0, "{pixels}")]


def test_for_a_picture_the_dicom_formats_are_left_out(tmp_path: Path) -> None:
    picture_file = tmp_path / "image.png"
    Image.fromarray(np.zeros((36, 44), np.uint8)).save(picture_file)
    save = SaveLandmarksd(output_dir=tmp_path / "out", domains=DOMAINS, formats=["sr", "csv", "gsps"])
    save(found(picture_file))
    without_file = found(picture_file) | {"case": "002"}
    del without_file["image_file"]
    save(without_file)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["001.csv", "002.csv"]


VOLUMES = {"skull": Domain("skull", ("a", "b", "c"), (8, 8, 8))}
VOXELS = np.arange(6 * 5 * 4, dtype=np.uint16).reshape(6, 5, 4)
OBLIQUE = oblique_affine()
IN_VOLUME = [[1.0, 2.0, 3.0], [0.25, 4.0, 1.5], [NAN] * 3]


def found_in_volume(image: Path | None, *, affine: np.ndarray = OBLIQUE) -> dict[str, Any]:
    """A sample with landmarks found in two places of a volume and nowhere, in voxels of the file."""
    world = np.c_[IN_VOLUME, np.ones(3)] @ affine[:3].T
    return {
        "case": "001",
        "domain": "skull",
        "image_file": None if image is None else str(image),
        "unit": "mm",
        "spacing_source": "file",
        "file_affine": torch.from_numpy(affine),
        "file_size": torch.tensor([6, 5, 4]),
        "pred_landmarks": torch.from_numpy(world),
        "pred_confidence": torch.tensor([0.5, 0.25, 0.0]),
        "pred_radius": torch.tensor([2.0, NAN, NAN]),
    }


def test_a_series_gets_a_report_in_its_space_and_one_to_be_read(tmp_path: Path) -> None:
    folder = make_series(tmp_path / "series", VOXELS, OBLIQUE)
    save = SaveLandmarksd(output_dir=tmp_path / "out", domains=VOLUMES, formats=["json", "sr"])
    save(found_in_volume(folder))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["001.json", "001.sr.dcm", "001.text.dcm"]
    report = read_structured_report(tmp_path / "out" / "001.sr.dcm", names=("a", "b", "c"))
    lps = np.c_[IN_VOLUME, np.ones(3)] @ (np.diag([-1, -1, 1]) @ OBLIQUE[:3]).T
    np.testing.assert_allclose(report.landmarks.points, lps, rtol=0, atol=1e-4)
    np.testing.assert_allclose(report.in_series(series_headers(folder)).points, IN_VOLUME, rtol=0, atol=1e-4)
    assert numbers(tmp_path / "out" / "001.sr.dcm") == [(0.5, "1"), (2.0, "mm")]


def test_a_report_is_in_the_space_of_the_series_where_another_spacing_is_told(tmp_path: Path) -> None:
    """Millimetres are those told; a point lies where its voxel does."""
    folder = make_series(tmp_path / "series", VOXELS, OBLIQUE)
    save = SaveLandmarksd(output_dir=tmp_path / "out", domains=VOLUMES, formats=["sr"])
    save(found_in_volume(folder, affine=OBLIQUE @ np.diag([2.0, 2.0, 2.0, 1.0])) | {"spacing_source": "option"})
    report = read_structured_report(tmp_path / "out" / "001.sr.dcm", names=("a", "b", "c"))
    np.testing.assert_allclose(report.in_series(series_headers(folder)).points, IN_VOLUME, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["volume.nii.gz", None])
def test_a_report_of_a_volume_that_is_not_dicom_is_refused_after_the_other_files(
    tmp_path: Path, name: str | None
) -> None:
    save = SaveLandmarksd(output_dir=tmp_path / "out", domains=VOLUMES, formats=["sr", "json", "csv"])
    got = re.escape(name or "no file")
    with pytest.raises(
        ValueError, match=rf"^001: a structured report must be about a volume that is DICOM.*got {got}\."
    ):
        save(found_in_volume(None if name is None else tmp_path / name))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["001.csv", "001.json"]


def test_the_objects_take_the_uids_given(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture())
    uids = {"sr": "1.2.3.1", "gsps": "1.2.3.2", "text": "1.2.3.3"}
    save = SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS, formats=["sr", "gsps"], sop_instance_uids=uids)
    save(found(image))
    assert pydicom.dcmread(tmp_path / "001.sr.dcm").SOPInstanceUID == "1.2.3.1"
    assert pydicom.dcmread(tmp_path / "001.pr.dcm").SOPInstanceUID == "1.2.3.2"
    assert pydicom.dcmread(tmp_path / "001.text.dcm").SOPInstanceUID == "1.2.3.3"


def test_without_highdicom_asking_for_a_report_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("monai_gu2net.dicom.study_object.find_spec", lambda name: None)
    SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS)
    with pytest.raises(ImportError, match=r'pip install "monai_gu2net\[dicom\]"'):
        SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS, formats=["json", "sr"])


def test_collected_cases_are_one_coco_file_in_pixels(tmp_path: Path) -> None:
    images = [coco_image(Found.of_sample(found(tmp_path / name), DOMAINS["head"])) for name in ("x.png", "y.dcm")]
    table = read_coco(write_coco(tmp_path / "coco.json", images))
    assert list(table) == ["x.png", "y.dcm"]
    np.testing.assert_allclose(table["y.dcm"].points, PIXELS, atol=1e-6)
    assert images[0].size == (44, 36)


def test_a_point_list_of_a_dicom_image_lies_where_slicer_shows_it_and_says_the_results_spacing(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture(), ImagerPixelSpacing=[0.25, 0.125], PixelSpacing=[0.1, 0.1])
    SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS, formats=["mrk.json", "json"])(found(image))
    [markup] = json.loads((tmp_path / "001.mrk.json").read_text())["markups"]
    assert [point.get("position") for point in markup["controlPoints"]] == [[1.0, 0.75, 0.0], [0.5, 0.0, 0.0], None]
    assert markup["coordinateUnits"] == "mm"
    assert markup["description"] == (
        "Placed as 3D Slicer shows this image, at 0.125 x 0.25 mm per pixel. "
        "Spacing of the image: 0.5 x 2 mm (detector)."
    )
    assert json.loads((tmp_path / "001.json").read_text())["landmarks"][0]["x_mm"] == 4.0


def test_where_slicer_reads_no_spacing_the_point_list_is_in_pixels_and_states_no_unit(tmp_path: Path) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture(), PixelSpacing=[0.25, 0.125])
    SaveLandmarksd(output_dir=tmp_path, domains=DOMAINS, formats=["mrk.json"])(found(image, spacing=(0.125, 0.25)))
    [markup] = json.loads((tmp_path / "001.mrk.json").read_text())["markups"]
    assert markup["controlPoints"][0]["position"] == [8.0, 3.0, 0.0]
    assert "coordinateUnits" not in markup
    assert "0.125 x 0.25 mm (detector)" in markup["description"]


@settings(max_examples=10)
@given(data=st.data())
def test_every_format_gives_the_same_points_back(data: st.DataObject) -> None:
    """To a hundredth of a pixel, whatever the spacing and whoever is absent."""
    spacing = data.draw(st.tuples(*[st.floats(0.05, 2.0)] * 2))
    pixel = st.tuples(st.floats(-0.5, 43.5), st.floats(-0.5, 35.5)) | st.just((NAN, NAN))
    points = np.array([data.draw(pixel) for _ in range(3)])
    with TemporaryDirectory() as name:
        folder = Path(name)
        image = make_dicom(folder / "image.dcm", picture())
        sample = found(image, spacing=spacing)
        sample["pred_landmarks"] = torch.from_numpy(points * spacing)
        save = SaveLandmarksd(output_dir=folder, domains=DOMAINS, formats=ALL_FORMATS)
        save(sample)
        coco = coco_image(Found.of_sample(sample, DOMAINS["head"]))
        affine = image_plane_affine(spacing)
        again = {
            "sr": read_structured_report(folder / "001.sr.dcm", names=("a", "b", "c")).landmarks,
            "coco": read_coco(write_coco(folder / "coco.json", [coco]))["image.dcm"],
            **{end: read_landmarks(folder / f"001.{end}").to_index(affine) for end in ("json", "csv")},
            "mrk.json": read_landmarks(folder / "001.mrk.json", dims=2).to_index(np.eye(4)),
        }
        state = pydicom.dcmread(folder / "001.pr.dcm")
    for kind, landmarks in again.items():
        np.testing.assert_allclose(landmarks.points, points, rtol=0, atol=0.01, err_msg=kind)
    layers = state.get("GraphicAnnotationSequence", [])
    shown = [
        item.GraphicData for layer in layers for item in layer.GraphicObjectSequence if item.GraphicType == "POINT"
    ]
    present = points[~np.isnan(points).any(axis=1)]
    np.testing.assert_allclose(np.reshape(shown, (-1, 2)) - 0.5, present, rtol=0, atol=0.01)
