# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.engines import begin_training, check_training_data
from monai_gu2net.networks import GU2Net, ModelCard, save_model

KNEE, HIP = Domain("knee", ("a", "b"), (16, 16)), Domain("hip", ("c",), (16, 16))
BUNDLES = Path(__file__).parents[2] / "bundles"


def case(folder: Path, number: int, landmarks: Any, domain: str = "knee") -> dict[str, Any]:
    path = folder / f"{number}.png"
    Image.new("L", (16, 16)).save(path)
    made = {"image": str(path), "domain": domain}
    return made if landmarks == "none" else {**made, "landmarks": landmarks}


def data(training: list[Any], validation: list[Any] | None = None, *domains: Domain) -> Datalist:
    return Datalist("x", {each.name: each for each in domains or (KNEE,)}, training, validation or [])


def test_good_data_begins_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begin_training(data([case(tmp_path, 1, [[1, 1], None]), case(tmp_path, 2, [None, [0, 0]])]))
    assert caplog.records == []


def test_a_landmark_that_no_training_case_has_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begin_training(data([case(tmp_path, 1, [[1, 1], None])], [case(tmp_path, 2, [[1, 1], [2, 2]])]))
    assert "Domain knee: no training case has b, which cannot be learned" in caplog.text


def test_what_lies_outside_is_said_of_the_cases_of_the_training_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = {"outside": ["b"]}
    found = data([case(tmp_path, 1, [[1, 1], None]) | outside, case(tmp_path, 2, [[1, 1], [2, 2]])])
    found.test = [case(tmp_path, 3, [[1, 1], None]) | outside | {"case": "3"}]
    begin_training(found)
    assert [record.getMessage() for record in caplog.records] == [
        "1 landmark(s) left out, outside the image: knee 1: b"
    ]


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_case_without_landmarks_is_named(tmp_path: Path, part: str) -> None:
    good, bare = [case(tmp_path, 1, [[1, 1], [2, 2]])], [case(tmp_path, 2, "none")]
    found = data(good + bare) if part == "training" else data(good, bare)
    with pytest.raises(ValueError, match=r"must have landmarks; got none for 1: knee 2\. Annotate them, or"):
        check_training_data(found)


def test_missing_images_are_listed(tmp_path: Path) -> None:
    cases = [case(tmp_path, n, [[1, 1], [2, 2]]) for n in range(8)]
    for n in range(7):
        (tmp_path / f"{n}.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"7 are not there: .*0\.png.*4\.png, \.\.\.\. Correct") as raised:
        check_training_data(data(cases[:3] + cases[7:], cases[3:7]))
    assert "5.png" not in str(raised.value)
    assert "7.png" not in str(raised.value)


@pytest.mark.parametrize("place", ["model.pt", "model.pt/output"])
def test_a_file_in_the_place_of_the_output_folder_is_refused_before_training(tmp_path: Path, place: str) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    with pytest.raises(OSError, match=r"folder of the results must take files; got .*model\.pt.*Choose another one"):
        begin_training(data([case(tmp_path, 1, [[1, 1], [2, 2]])]), output_dir=tmp_path / place)
    assert (tmp_path / "model.pt").read_bytes() == b"weights"


def test_a_domain_without_any_landmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Domain 'knee' must have landmarks to train on; got none in its 1 training"):
        check_training_data(data([case(tmp_path, 1, [None, None])]))


def test_a_domain_without_training_cases_must_be_known_to_the_model_gone_on_from(tmp_path: Path) -> None:
    network = GU2Net(2, 1, {"hip": 1}, features=(4, 8), global_features=4, dilations=(1, 2))
    model = save_model(tmp_path / "model.pt", network, ModelCard({"hip": HIP}, network.description))
    cases = [case(tmp_path, 1, [[1, 1], [2, 2]])]
    found = data(cases, None, KNEE, HIP)
    check_training_data(found, start_from=model)
    with pytest.raises(ValueError, match=r"Domain 'hip' must have training cases; got none, .*\(--start_from\)"):
        check_training_data(found)
    with pytest.raises(ValueError, match="Domain 'knee' must have training cases"):
        check_training_data(data([case(tmp_path, 2, [[1, 1]], "hip")], None, KNEE, HIP), start_from=model)


@pytest.mark.parametrize("config", sorted(BUNDLES.glob("gu2net*/configs/*train.json")), ids=lambda p: p.parts[-3])
def test_every_bundle_checks_its_data_before_it_trains(config: Path) -> None:
    content = json.loads(config.read_text())
    first = content["training"][0]
    assert first["_target_"] == "monai_gu2net.engines.begin_training"
    assert first["output_dir"] == "@output_dir"
    assert "@data" not in json.dumps(content["initialize"])  # which MONAI runs for a network alone, too
