# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Annotating the images of a real PACS: needs Orthanc with its DICOMweb plugin and the right to make a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from archive import require_archive, run_beside_archive
from PIL import Image

from monai_gu2net.data import Datalist
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.networks import GU2Net, ModelCard, save_model

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_SCRIPT = Path(__file__).with_name("pacs_annotation.py")
_SPACING = (0.2, 0.1)
_IDENTITY = "Plant^Name"


@pytest.fixture(scope="module")
def happened(
    tiny_phantom: Path,
    make_dicom: Callable[..., Path],
    server_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    require_archive()
    folder = tmp_path_factory.mktemp("pacs")
    data = Datalist.load(tiny_phantom).only(["head"])
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({name: domain.resized((64, 64)) for name, domain in data.domains.items()}, network.description)
    model = save_model(folder / "model.pt", network, card)
    for number, case in enumerate(data.cases("all")[:3]):
        pixels = np.asarray(Image.open(case["image"]).convert("L")).astype(np.uint16)
        path = make_dicom(
            folder / f"{number}.dcm",
            pixels,
            ImagerPixelSpacing=[_SPACING[1], _SPACING[0]],
            PatientName=_IDENTITY,
            PatientID=f"PLANT-{number}",
        )
        points = np.array([[np.nan] * 2 if each is None else each for each in case["landmarks"]], dtype=float)
        truth = LandmarkSet(data.domains["head"].landmarks, points * _SPACING, "mm")
        write_markups(folder / f"truth_{pydicom.dcmread(path).SOPInstanceUID}.mrk.json", truth)
    run_beside_archive(_SCRIPT, folder, model, environment=server_environment)
    seen: dict[str, Any] = json.loads((folder / "happened.json").read_text())
    lists = (folder / "app" / "images" / "datastore_v2.json").read_text() + (folder / "label.log").read_text()
    return {**seen, "identity": [each for each in (_IDENTITY, "PLANT-") if each in lists]}


def test_an_image_of_the_pacs_is_pre_labelled_with_its_own_spacing(happened: dict[str, Any]) -> None:
    assert happened["total"] == 3
    assert (happened["unit"], happened["spacing source"]) == ("mm", "detector")


def test_a_correction_by_a_millimetre_is_kept_and_the_next_image_is_another(happened: dict[str, Any]) -> None:
    assert happened["moved"] == pytest.approx(0.0, abs=1e-9)
    assert happened["next is another"]
    assert happened["completed"] == 3


def test_the_labels_train_the_model_and_it_finds_again(happened: dict[str, Any]) -> None:
    assert happened["training"] == "DONE", "\n".join(happened["details"])
    result = happened["result"]
    assert result["unit"] == "mm"
    assert result["training_images"] + result["validation_images"] == 3
    assert result["replaced"] == (result["new_mre"] <= result["old_mre"])
    assert happened["again"] == 19


def test_neither_the_list_of_images_nor_the_log_holds_an_identity(happened: dict[str, Any]) -> None:
    assert happened["identity"] == []
