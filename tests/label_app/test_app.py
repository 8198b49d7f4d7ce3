# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The app as an annotator meets it: a real server, and MONAI Label's own client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image

from monai_gu2net.data import Datalist
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import read_markups, write_markups
from monai_gu2net.networks import GU2Net, ModelCard, load_model, save_model

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    # MONAI Label's client reads multipart replies with it, and leaves its connections to the garbage collector
    pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]

HEAD = "gu2net_head"
SPACING = (0.1, 0.2)
TRAINING = {"max_epochs": 1, "batches_per_epoch": 1, "validation": 0.3, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def data(tiny_phantom: Path) -> Datalist:
    return Datalist.load(tiny_phantom)


@pytest.fixture(scope="module")
def model(data: Datalist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained tiny network of the phantom's domains."""
    network = GU2Net(2, 1, data.landmark_counts, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({name: domain.resized((64, 64)) for name, domain in data.domains.items()}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


@pytest.fixture(scope="module")
def make_studies(
    data: Datalist, make_dicom: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """A folder of heads: PNG, one of them as DICOM too, with its spacing, and as NIfTI."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("studies")
        heads = [case for case in data.cases("all") if case["domain"] == "head"]
        for case in heads[:5]:
            shutil.copy(case["image"], folder / f"{case['case']}.png")
        pixels = np.asarray(Image.open(heads[0]["image"]).convert("L"))
        make_dicom(
            folder / "film.dcm",
            pixels.astype(np.uint16),
            ImagerPixelSpacing=[SPACING[1], SPACING[0]],
            PatientID="PLANT",
        )
        nibabel.save(
            nibabel.Nifti1Image(pixels.T.astype(np.float32), np.diag([0.5, 0.25, 1, 1])), folder / "slice.nii.gz"
        )
        return folder

    return make


@pytest.fixture(scope="module")
def studies(make_studies: Callable[[], Path]) -> Path:
    return make_studies()


@pytest.fixture(scope="module")
def server(studies: Path, model: Path, start_server: Callable[..., Any]) -> Iterator[Any]:
    with start_server(["-m", "monai_gu2net", "label", "--studies", studies, "-m", model]) as running:
        yield running


@pytest.fixture
def client(server: Any, tmp_path: Path) -> Any:
    return client_of(server, tmp_path)


def client_of(server: Any, folder: Path, name: str = "anna") -> Any:
    from monailabel.client import MONAILabelClient

    return MONAILabelClient(server.url, tmpdir=str(folder), client_id=name)


def true_points(data: Datalist, case: str) -> np.ndarray:
    """(N, 2) pixels; NaN: absent."""
    found = next(each for each in data.cases("all") if (each["domain"], each["case"]) == ("head", case))
    return np.array([[np.nan, np.nan] if point is None else point for point in found["landmarks"]], dtype=float)


def write_truth(path: Path, data: Datalist, case: str) -> Path:
    return write_markups(path, LandmarkSet(data.domains["head"].landmarks, true_points(data, case), "index"), unit="px")


def positions(path: str | Path) -> dict[str, list[float] | None]:
    """By label, read without the package."""
    content = json.loads(Path(path).read_text())
    return {
        point["label"]: point.get("position") if point["positionStatus"] == "defined" else None
        for point in content["markups"][0]["controlPoints"]
    }


def refusal(client: Any, image: str, label: Path, **options: Any) -> str:
    """What the server says when it takes no label."""
    from monailabel.client.client import MONAILabelClientException

    with pytest.raises(MONAILabelClientException) as caught:
        client.save_label(image, str(label), **options)
    return str(caught.value.msg)


def server_refusal(server: Any, path: str, content: Any) -> str:
    """What the server says to a request that it does not do."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        server.post_json(path, content)
    return str(caught.value)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def trained(client: Any, server: Any) -> dict[str, Any]:
    """Train one tiny epoch as the client does, and give the task once it has ended."""
    client.train_start(HEAD, dict(TRAINING))
    wait_for(lambda: client.train_status()["status"] != "SUBMITTED", "the training must begin")
    wait_for(lambda: client.train_status()["status"] != "RUNNING", "the training must end")
    status: dict[str, Any] = client.train_status()
    assert status["status"] == "DONE", "\n".join(status["details"])
    return status


def test_a_model_a_trainer_and_scores_of_each_domain_are_listed(client: Any, data: Datalist) -> None:
    info = client.info()
    assert list(info["models"]) == list(info["trainers"]) == ["gu2net_head", "gu2net_hand", "gu2net_chest"]
    assert info["models"][HEAD]["labels"] == list(data.domains["head"].landmarks)
    assert set(info["strategies"]) == {"random", "first", "uncertain_first"}
    assert info["datastore"]["total"] == 7


def test_only_this_machine_is_listened_to_and_only_under_its_name(server: Any) -> None:
    with pytest.raises(urllib.error.HTTPError, match="Invalid host header"):
        server.request("GET", "/info/", headers={"Host": "elsewhere.example"})
    assert b"0.0.0.0" not in server.log.read_bytes()


@pytest.mark.parametrize(
    ("image", "unit", "spacing"),
    [("head_0001", "px", (1.0, 1.0)), ("film", "mm", SPACING), ("slice", "mm", (0.5, 0.25))],
)
def test_what_is_found_is_a_point_list_and_a_reply_that_agree(
    client: Any, data: Datalist, image: str, unit: str, spacing: tuple[float, float]
) -> None:
    markups, reply = client.infer(HEAD, image, {})
    assert markups.endswith(".mrk.json")
    assert (reply["unit"], reply["domain"]) == (unit, "head")
    assert [each["name"] for each in reply["landmarks"]] == list(data.domains["head"].landmarks)
    shown = positions(markups)
    for each in reply["landmarks"]:
        expected = [each["x"] * spacing[0], each["y"] * spacing[1], 0.0]
        assert shown[each["name"]] == pytest.approx(expected, abs=1e-4)
        assert each.get("lps", expected) == pytest.approx(expected, abs=1e-4)


def test_a_landmark_below_the_confidence_asked_for_is_undefined_and_null(client: Any) -> None:
    markups, reply = client.infer(HEAD, "film", {"min_confidence": 1.0})
    assert set(positions(markups).values()) == {None}
    assert {each["x"] for each in reply["landmarks"]} == {None}


def test_a_correction_by_a_millimetre_is_the_label_on_disk(client: Any, studies: Path, tmp_path: Path) -> None:
    markups, _ = client.infer(HEAD, "film", {})
    found = read_markups(markups, dims=2)
    points = np.clip(found.points, 2.0, 10.0)
    corrected = LandmarkSet(found.names, points, "mm")
    client.save_label("film", str(write_markups(tmp_path / "first.mrk.json", corrected)), tag="final")
    moved = LandmarkSet(found.names, np.where(np.arange(len(points))[:, None] == 3, 1.0, 0.0) + points, "mm")
    reply = client.save_label("film", str(write_markups(tmp_path / "label.mrk.json", moved)), tag="final")
    assert reply == {"image": "film", "label": "film"}
    before, after = positions(tmp_path / "first.mrk.json"), positions(studies / "labels" / "final" / "film.mrk.json")
    name = found.names[3]
    assert np.subtract(after.pop(name), before.pop(name)) == pytest.approx([1.0, 1.0, 0.0])
    assert after == before
    assert positions(client.download_label("film", "final"))[name] == pytest.approx([*moved.points[3], 0.0])
    assert "film" not in [client.next_sample("first", {})["id"] for _ in range(3)]


def test_what_is_no_label_is_refused_with_the_reason_and_the_label_before_stays(
    client: Any, data: Datalist, studies: Path, tmp_path: Path
) -> None:
    case = "head_0001"
    truth = write_truth(tmp_path / "truth.mrk.json", data, case)
    client.save_label(case, str(truth), tag="final")
    names = data.domains["head"].landmarks
    strange = LandmarkSet((*names[:2], "left_antler"), [[3.0, 4.0]] * 3, "index")
    unset = LandmarkSet(names, np.full((len(names), 2), np.nan), "index")
    outside = LandmarkSet(names[:2], [[3.0, 4.0], [9999.0, 4.0]], "index")
    plain = tmp_path / "plain.mrk.json"
    plain.write_text('{"points": [1, 2]}')
    roi = tmp_path / "roi.mrk.json"
    roi.write_text('{"markups": [{"type": "ROI", "controlPoints": []}]}')
    path = tmp_path / "new.mrk.json"
    assert "left_antler" in refusal(client, case, write_markups(path, strange, unit="px"), tag="final")
    assert "must have a point that is set" in refusal(client, case, write_markups(path, unset, unit="px"), tag="final")
    assert f"got outside: ['{names[1]}']" in refusal(client, case, write_markups(path, outside, unit="px"), tag="final")
    assert "must be a point list of Slicer" in refusal(client, case, plain, tag="final")
    assert "must hold a markup of type 'Fiducial'" in refusal(client, case, roi, tag="final")
    assert "The tag of a label must be among" in refusal(client, case, truth, tag="../../elsewhere")
    assert "The image must be in the datastore" in refusal(client, "nobody", truth, tag="final")
    assert positions(studies / "labels" / "final" / f"{case}.mrk.json") == positions(truth)


def test_two_annotators_who_save_at_once_lose_nothing(
    server: Any, data: Datalist, studies: Path, tmp_path: Path
) -> None:
    case = "head_0002"
    names, rounds = data.domains["head"].landmarks, 5
    sent: list[float] = []

    def annotate(who: int) -> None:
        client = client_of(server, tmp_path, f"annotator {who}")
        for turn in range(rounds):
            x = 10.0 * who + turn
            label = LandmarkSet(names[:1], [[x, 5.0]], "index")
            path = write_markups(tmp_path / f"{who}_{turn}.mrk.json", label, unit="px")
            client.save_label(case, str(path), tag="final")
            sent.append(x)

    threads = [threading.Thread(target=annotate, args=(who,)) for who in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = sorted((studies / "label_versions" / case).glob("*.mrk.json"))
    kept = [positions(path)[names[0]][0] for path in (*versions, studies / "labels" / "final" / f"{case}.mrk.json")]
    assert sorted(kept) == sorted(sent)
    assert len(sent) == 3 * rounds
    info = server.get_json(f"/datastore/label/info?label={case}&tag=final")
    assert [each["name"] for each in info["versions"]] == [path.name for path in versions]
    assert {each["client_id"] for each in info["versions"]} <= {f"annotator {who}" for who in (1, 2, 3)}


def test_a_batch_is_pre_labelled_scored_and_the_least_certain_comes_first(
    server: Any, make_studies: Callable[[], Path], model: Path, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    folder = make_studies()
    (folder / "broken.png").write_bytes(b"no picture")
    arguments = ["-m", "monai_gu2net", "label", "--studies", folder, "-m", model, "--domain", "head"]
    with start_server(arguments) as other:
        client = client_of(other, tmp_path)
        assert list(client.info()["models"]) == [HEAD]
        answer = other.post_json(f"/batch/infer/{HEAD}?images=unlabeled&run_sync=true", {"label_tag": "original"})
        assert "broken.png" in answer["broken"]["error"]
        pre_labels = {path.name.removesuffix(".mrk.json") for path in (folder / "labels" / "original").iterdir()}
        assert pre_labels == set(answer) - {"broken"}
        assert not list((folder / "labels" / "final").iterdir())
        scored = other.post_json("/scoring/uncertainty?run_sync=true")
        assert scored["scores"].keys() == pre_labels
        least_certain = max(scored["scores"], key=scored["scores"].__getitem__)
        assert client.next_sample("uncertain_first", {})["id"] == least_certain

        moved = read_markups(folder / "labels" / "original" / "film.mrk.json", dims=2)
        inside = np.clip(moved.points, 2.0, 10.0)
        pre_label = write_markups(tmp_path / "film.mrk.json", LandmarkSet(moved.names, inside, "mm"))
        client.save_label("film", str(pre_label), tag="original")
        shifted = LandmarkSet(moved.names[1:], inside[1:] + np.array([0.3, 0.4]), "mm")
        client.save_label("film", str(write_markups(tmp_path / "film.mrk.json", shifted)), tag="final")
        corrections = other.post_json("/scoring/radial_error?run_sync=true")
        assert corrections["scores"].keys() == {"film"}
        score = corrections["scores"]["film"]
        assert score["mre"] == pytest.approx(0.5, abs=1e-6)
        assert (score["unit"], score["landmarks"], score["removed"]) == ("mm", len(moved.names) - 1, 1)
        assert other.get_json("/datastore/label/info?label=film&tag=final")["radial_error"] == score
        told = server_refusal(other, f"/batch/infer/{HEAD}?run_sync=true", {"label_tag": "final"})
        assert "must have the tag 'original'" in told


def test_training_replaces_the_weights_if_they_are_not_worse_and_tells_both_errors(
    client: Any, server: Any, data: Datalist, studies: Path, model: Path, tmp_path: Path
) -> None:
    told = server_refusal(server, f"/train/{HEAD}?run_sync=true", {**TRAINING, "max_epochs": 0})
    assert "max_epochs must be a whole number, at least 1; got 0" in told
    for image in studies.glob("head_*.png"):
        label = write_truth(tmp_path / f"{image.stem}.mrk.json", data, image.stem)
        client.save_label(image.stem, str(label), tag="final")
    weights = studies / "gu2net_app" / "model" / "model.pt"
    before = weights.read_bytes()
    status = trained(client, server)
    result = client.info()["train_stats"][HEAD]
    assert result["replaced"] == (result["new_mre"] <= result["old_mre"])
    assert any("mean radial error on" in line and "before" in line for line in status["details"])
    assert (weights.read_bytes() != before) == result["replaced"]
    backups = list((weights.parent / "backup").glob("*.pt")) if (weights.parent / "backup").is_dir() else []
    assert [path.read_bytes() for path in backups] == ([before] if result["replaced"] else [])
    assert (weights.parent / "start.pt").read_bytes() == model.read_bytes()
    assert load_model(weights)[1].domains.keys() == data.domains.keys()
    _, reply = client.infer(HEAD, "film", {})
    assert len(reply["landmarks"]) == len(data.domains["head"].landmarks)


def test_killing_the_server_in_training_leaves_the_weights_and_the_next_training_goes_on(
    data: Datalist, make_studies: Callable[[], Path], model: Path, start_server: Callable[..., Any], tmp_path: Path
) -> None:
    folder = make_studies()
    arguments = ["-m", "monai_gu2net", "label", "--studies", folder, "-m", model, "--domain", "head"]
    weights, run = folder / "gu2net_app" / "model" / "model.pt", folder / "gu2net_app" / "training" / "head"
    long = {**TRAINING, "max_epochs": 3, "batches_per_epoch": 2}
    with start_server(arguments) as first:
        client = client_of(first, tmp_path)
        for path in sorted(folder.glob("head_*.png")):
            label = write_truth(tmp_path / f"{path.stem}.mrk.json", data, path.stem)
            client.save_label(path.stem, str(label), tag="final")
        before = weights.read_bytes()
        client.train_start(HEAD, dict(long))
        wait_for((run / "last.pt").is_file, "the training must end an epoch")
        os.killpg(first.process.pid, signal.SIGKILL)
        first.process.wait()
    assert weights.read_bytes() == before
    load_model(weights)
    with start_server(arguments) as second:
        client = client_of(second, tmp_path)
        _, reply = client.infer(HEAD, "film", {})
        assert reply["domain"] == "head"
        answer = second.post_json(f"/train/{HEAD}?run_sync=true", long)
        assert answer["epochs"] == 3
        assert answer["unit"] == "px"
        assert not run.exists()
        assert b"Going on after epoch" in second.log.read_bytes()
