# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from monai_gu2net.data import Domain
from monai_gu2net.label_app import check_label, label_frame, write_label
from monai_gu2net.landmarks import LandmarkSet

DOMAINS = {"d": Domain("d", ("a",), (32, 32))}
CALIBRATED = {"PixelSpacing": [0.25, 0.5]}
BOTH = CALIBRATED | {"ImagerPixelSpacing": [0.3, 0.6]}


@pytest.mark.filterwarnings("ignore:'crypt' is deprecated:DeprecationWarning")  # by passlib, which MONAI Label needs
@pytest.mark.parametrize(
    ("tags", "placed", "unit", "label_spacing"),
    [(CALIBRATED, [10.0, 5.0], "px", [1.0, 1.0]), (BOTH, [6.0, 1.5], "mm", [0.6, 0.3])],
    ids=["pixel spacing alone", "beside that of the imager"],
)
def test_a_label_lies_where_slicer_shows_the_image_and_its_errors_are_in_the_images_millimetres(
    tags: dict,
    placed: list[float],
    unit: str,
    label_spacing: list[float],
    tmp_path: Path,
    make_dicom: Callable[..., Path],
) -> None:
    image = make_dicom(tmp_path / "a.dcm", np.arange(20 * 30, dtype=np.uint16).reshape(20, 30), **tags)
    frame = label_frame(image)
    assert frame.unit == unit
    assert (frame.image_unit, frame.image_affine.diagonal().tolist()) == ("mm", [0.5, 0.25, 1.0, 1.0])
    label = write_label(tmp_path / "a.mrk.json", LandmarkSet(("a",), [[10.0, 5.0]], "index"), frame)
    [markup] = json.loads(label.read_text())["markups"]
    np.testing.assert_allclose(markup["controlPoints"][0]["position"], [*placed, 0.0])
    assert "0.5 x 0.25 mm" in markup["description"]
    _, points = check_label(label, image, domains=DOMAINS)
    np.testing.assert_allclose(points.points, [[10.0, 5.0]])
    from monai_gu2net.label_app.annotation_page import describe_image  # MONAI Label, which warns

    about = describe_image(image)
    assert (about["spacing"], about["label_unit"]) == ([0.5, 0.25], unit)
    np.testing.assert_allclose(about["label_affine"], np.diag([*label_spacing, 1.0, 1.0]))
