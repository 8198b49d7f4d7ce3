# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Against a real PACS: needs Orthanc with its DICOMweb plugin, dcmtk and the right to make a network."""

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
import pytest

from monai_gu2net.data import Datalist
from monai_gu2net.networks import GU2Net, ModelCard, save_model

pytestmark = pytest.mark.integration

_SCRIPT = Path(__file__).with_name("pacs_round_trip.py")
_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_NETWORKS = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])


def what_is_missing() -> str | None:
    programs = [name for name in ("Orthanc", "storescu", "unshare") if shutil.which(name) is None]
    if programs or not _PLUGIN.exists():
        return (
            f"needs the Debian packages orthanc, orthanc-dicomweb, dcmtk, util-linux; lacks {programs or _PLUGIN.name}"
        )
    if own_network() is None:
        return "needs the right to make a network of its own (unshare --net)"
    return None


def own_network() -> list[str] | None:
    """The command that runs another one in a network of its own."""
    tried = (each for each in _NETWORKS if subprocess.run([*each, "true"], capture_output=True).returncode == 0)
    return next(tried, None)


@pytest.fixture(scope="module")
def happened(
    tiny_phantom: Path, make_dicom: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    missing = what_is_missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"This {missing}.")
    if missing:
        pytest.skip(missing)
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
    network_of_its_own = own_network()
    assert network_of_its_own is not None
    done = subprocess.run(
        [*network_of_its_own, sys.executable, str(_SCRIPT), str(folder), str(model)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr + (folder / "orthanc.log").read_text()[-3000:]
    return json.loads((folder / "happened.json").read_text())


def test_images_of_the_pacs_are_answered_over_dicomweb_and_the_answers_come_back_equal(
    happened: dict[str, Any],
) -> None:
    told = happened["dicomweb"]
    assert told["first"] == [0, ["answered", "answered"]]
    assert told["written"] == ["OT", "OT", "PR", "PR", "SR", "SR", "SR", "SR"]
    assert told["equal"] == [True] * 8


def test_a_second_pass_finds_the_answers_and_stores_nothing(happened: dict[str, Any]) -> None:
    told = happened["dicomweb"]
    assert told["second"] == [0, ["there already", "there already"]]
    assert told["answers at the server"] == [8, 8]


def test_a_filter_that_nothing_matches_finds_nothing(happened: dict[str, Any]) -> None:
    assert happened["dicomweb"]["narrowed"] == [0, []]


def test_what_storescu_sends_to_the_listener_is_answered_in_the_pacs(happened: dict[str, Any]) -> None:
    told = happened["c_store"]
    assert told["sent"] == 0
    assert told["answers at the server"]
    assert told["equal"] == [True] * 4
    assert told["left in the spool"] == []
    assert told["ended"] == 0


def test_a_stranger_is_rejected_and_the_log_holds_no_identity(happened: dict[str, Any]) -> None:
    assert happened["c_store"]["stranger"] != 0
    assert happened["c_store"]["identity in the log"] is False
