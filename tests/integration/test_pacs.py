# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Against a real PACS: needs Orthanc with its DICOMweb plugin, dcmtk and the right to make a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive import require_archive, run_beside_archive

from monai_gu2net.data import Datalist
from monai_gu2net.networks import GU2Net, ModelCard, save_model

pytestmark = pytest.mark.integration

_SCRIPT = Path(__file__).with_name("pacs_round_trip.py")


@pytest.fixture(scope="module")
def happened(
    tiny_phantom: Path, make_dicom: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    require_archive("storescu")
    folder = tmp_path_factory.mktemp("pacs")
    data = Datalist.load(tiny_phantom).only(["hand"])
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({name: domain.resized((32, 32)) for name, domain in data.domains.items()}, network.description)
    model = save_model(folder / "model.pt", network, card)
    pixels = np.add.outer(np.arange(48), np.arange(40)).astype(np.uint16)
    for name in ("a", "b", "sent"):
        make_dicom(
            folder / f"{name}.dcm",
            pixels,
            photometric="MONOCHROME1" if name == "b" else "MONOCHROME2",
            ImagerPixelSpacing=[0.2, 0.1],
            PatientName="Plant^Name",
            PatientID="PLANT-ID",
        )
    run_beside_archive(_SCRIPT, folder, model)
    return json.loads((folder / "happened.json").read_text())


def test_images_of_the_pacs_are_answered_over_dicomweb_and_the_answers_come_back_equal(
    happened: dict[str, Any],
) -> None:
    seen = happened["dicomweb"]
    assert seen["first"] == [0, ["answered", "answered"]]
    assert seen["written"] == ["OT", "OT", "PR", "PR", "SR", "SR", "SR", "SR"]
    assert seen["equal"] == [True] * 8


def test_a_second_pass_finds_the_answers_and_stores_nothing(happened: dict[str, Any]) -> None:
    seen = happened["dicomweb"]
    assert seen["second"] == [0, ["there already", "there already"]]
    assert seen["answers at the server"] == [8, 8]


def test_a_filter_that_nothing_matches_finds_nothing(happened: dict[str, Any]) -> None:
    assert happened["dicomweb"]["narrowed"] == [0, []]


def test_what_storescu_sends_to_the_listener_is_answered_in_the_pacs(happened: dict[str, Any]) -> None:
    seen = happened["c_store"]
    assert seen["sent"] == 0
    assert seen["answers at the server"]
    assert seen["equal"] == [True] * 4
    assert seen["left in the spool"] == []
    assert seen["ended"] == 0


def test_a_stranger_is_rejected_and_the_log_holds_no_identity(happened: dict[str, Any]) -> None:
    assert happened["c_store"]["stranger"] != 0
    assert happened["c_store"]["identity in the log"] is False
