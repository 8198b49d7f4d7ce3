# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Annotating the images of a real PACS: needs Orthanc with its DICOMweb plugin and the right to make a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_gu2net.data import Datalist
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.networks import GU2Net, ModelCard, save_model

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_SCRIPT = Path(__file__).with_name("pacs_annotation.py")
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_NETWORKS = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])
_SPACING = (0.2, 0.1)
_IDENTITY = "Plant^Name"


def own_network() -> list[str] | None:
    """The command that runs another one in a network of its own."""
    if shutil.which("unshare") is None:
        return None
    tried = (each for each in _NETWORKS if subprocess.run([*each, "true"], capture_output=True).returncode == 0)
    return next(tried, None)


def what_is_missing() -> str | None:
    if shutil.which("Orthanc") is None or not _PLUGIN.exists():
        return "needs the Debian packages orthanc and orthanc-dicomweb"
    return None if own_network() else "needs the right to make a network of its own (unshare --net)"


@pytest.fixture(scope="module")
def happened(
    tiny_phantom: Path,
    make_dicom: Callable[..., Path],
    server_environment: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    missing = what_is_missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"This {missing}.")
    if missing:
        pytest.skip(missing)
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
    network_of_its_own = own_network()
    assert network_of_its_own is not None
    done = subprocess.run(
        [*network_of_its_own, sys.executable, str(_SCRIPT), str(folder), str(model)],
        capture_output=True,
        text=True,
        env=server_environment,
        timeout=280,
    )
    logs = "".join(path.read_text(errors="replace")[-3000:] for path in sorted(folder.glob("*.log")))
    assert done.returncode == 0, done.stderr + logs
    told: dict[str, Any] = json.loads((folder / "happened.json").read_text())
    lists = (folder / "app" / "images" / "datastore_v2.json").read_text() + (folder / "label.log").read_text()
    return {**told, "identity": [each for each in (_IDENTITY, "PLANT-") if each in lists]}


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
