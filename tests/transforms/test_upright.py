# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dicom_files import make_dicom, picture
from PIL import Image

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.landmarks import read_landmarks, spatial_affine
from monai_gu2net.prediction import Predictor
from monai_gu2net.transforms import LandmarksToPointsd, RadiographPreprocessing

WEIGHTS = Path(__file__).parents[2] / "bundles" / "gu2net" / "models" / "model.pt"
DOMAINS = {"chest": Domain("chest", ("a", "b"), (32, 48))}

# the same radiograph, stored another way round: what it says of itself, and its pixels, (H, W); seen from the side, it
# leads to the front
STORED = {
    "L\\F": lambda upright: upright,
    "R\\F": lambda upright: upright[:, ::-1],
    "L\\H": lambda upright: upright[::-1],
    "R\\H": lambda upright: upright[::-1, ::-1],
    "A\\H": lambda upright: upright[::-1],
    "P\\H": lambda upright: upright[::-1, ::-1],
}


def back(points: np.ndarray, orientation: str, size: tuple[int, int]) -> np.ndarray:
    """(N, 2) points of the stored image on the upright one, by counting pixels from the other end."""
    width, height = size
    x, y = points.T
    return np.stack(
        [width - 1 - x if orientation[0] in "RP" else x, height - 1 - y if orientation[2] == "H" else y], axis=1
    )


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("tags", [{}, {"ImagerPixelSpacing": [0.3, 0.2]}], ids=["px", "mm"])
def test_the_network_sees_the_same_and_landmarks_stay_on_their_pixels(
    tmp_path: Path, orientation: str, tags: dict[str, Any]
) -> None:
    upright = picture()
    path = make_dicom(
        tmp_path / "a.dcm",
        STORED[orientation](upright),
        PatientOrientation=orientation.split("\\"),
        BodyPartExamined="CHEST",
        **tags,
    )
    plain = make_dicom(tmp_path / "plain.dcm", upright, PatientOrientation=None, BodyPartExamined="CHEST", **tags)
    points = np.array([[3.0, 4.25], [40.5, 30.0]])
    run = [RadiographPreprocessing(DOMAINS), LandmarksToPointsd()]
    found, expected = (
        run[1](run[0]({"image": str(file), "domain": "chest", "landmarks": where.tolist()}))
        for file, where in ((path, points), (plain, back(points, orientation, (44, 36))))
    )
    assert torch.equal(found["image"].as_tensor(), expected["image"].as_tensor())
    torch.testing.assert_close(found["points"], expected["points"])
    matrix = torch.linalg.inv(spatial_affine(found["file_affine"], 2)) @ spatial_affine(found["image"].affine, 2)
    in_file = found["points"].double() @ matrix[:2, :2].T + matrix[:2, 2]
    np.testing.assert_allclose(in_file.numpy(), points, atol=1e-4)


def test_it_is_said_once_with_the_files_name_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make_dicom(
        tmp_path / "a.dcm", picture(), PatientOrientation=["R", "F"], BodyPartExamined="CHEST", PatientName="Doe^Jane"
    )
    with caplog.at_level(logging.WARNING):
        sample = RadiographPreprocessing(DOMAINS)({"image": str(path), "domain": "chest"})
    said = (
        "PatientOrientation R\\F says that the image is mirrored; it was turned for the network, results are in "
        "pixels of the file"
    )
    assert [record.getMessage() for record in caplog.records] == [f"a.dcm: {said}"]
    assert sample["orientation"] == said
    assert "file_orientation" not in sample


def test_a_picture_says_nothing_of_its_orientation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.fromarray((picture() // 16).astype(np.uint8)).save(tmp_path / "a.png")
    sample = RadiographPreprocessing(DOMAINS)({"image": str(tmp_path / "a.png"), "domain": "chest"})
    assert sample["orientation"] == ""
    assert caplog.records == []


def upright(datalist: Path, domain: str) -> np.ndarray:
    """An image of the phantom, (H, W)."""
    path = next(Path(case["image"]) for case in Datalist.load(datalist).test if case["domain"] == domain)
    return np.asarray(Image.open(path).convert("L"))


@pytest.mark.parametrize(
    ("domain", "part", "orientation"),
    [("chest", "CHEST", orientation) for orientation in ("R\\F", "L\\H", "R\\H")]
    + [("head", "SKULL", orientation) for orientation in ("A\\H", "P\\H")],
)
def test_shipped_weights_find_the_same_points_in_a_radiograph_stored_another_way_round(
    tmp_path: Path, tiny_phantom: Path, domain: str, part: str, orientation: str
) -> None:
    image = upright(tiny_phantom, domain)
    tags: dict[str, Any] = {"bits_stored": 8, "BodyPartExamined": part}
    usual = ["L" if domain == "chest" else "A", "F"]
    plain = make_dicom(tmp_path / "plain.dcm", image, PatientOrientation=usual, **tags)
    stored = STORED[orientation](image)
    turned = make_dicom(tmp_path / "turned.dcm", stored, PatientOrientation=orientation.split("\\"), **tags)
    out = tmp_path / "out"
    predictor = Predictor(WEIGHTS)
    images, formats = [plain, turned], ["json", "sr"]
    _, failures = predictor.predict_files(images, output_dir=out, domain=domain, formats=formats, overlays=False)
    assert failures == []
    expected, found = read_landmarks(out / "plain.json"), read_landmarks(out / "turned.json")
    assert expected.present.all()
    size = image.shape[1], image.shape[0]
    np.testing.assert_allclose(back(found.points, orientation, size), expected.points, atol=0.01)
    said = json.loads((out / "turned.json").read_text())["orientation"]
    assert said.startswith(f"PatientOrientation {orientation} says")
    assert "orientation" not in json.loads((out / "plain.json").read_text())
    assert said.encode() in (out / "turned.sr.dcm").read_bytes()
