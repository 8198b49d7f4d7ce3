# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Datastores that several change at once, as the server does and the processes that it starts."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.label_app.datastore import LandmarkDatastore
from monai_gu2net.label_app.labels import LabelRefusedError
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import read_markups, write_markups

DOMAINS = {
    "knee": Domain("knee", ("femur", "tibia", "patella"), (64, 64)),
    "foot": Domain("foot", ("tibia", "heel"), (64, 64)),
}
ROUNDS = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.c.png"):
        Image.fromarray(np.zeros((50, 60), np.uint8)).save(tmp_path / name)
    return tmp_path


def opened(folder: Path) -> LandmarkDatastore:
    return LandmarkDatastore(folder, domains=DOMAINS, extensions=["*.png", "*.mrk.json"])


def label_file(path: Path, points: Sequence[Sequence[float]], names: Sequence[str] = ("femur",)) -> str:
    return str(write_markups(path, LandmarkSet(tuple(names), np.array(points), "index"), unit="px"))


def work(folder: Path, who: int) -> None:
    """Save labels of one image and note something of another, again and again."""
    store = opened(folder)
    for turn in range(ROUNDS):
        label = label_file(folder / f"{who}.mrk.json.part", [[10.0 * who + turn, 5.0]])
        store.save_label("a", label, "final", {"client_id": f"annotator {who}"})
        store.update_image_info("b.c", {f"{who}/{turn}": True})


def test_stores_of_one_folder_that_save_at_once_lose_no_label_and_no_note(folder: Path) -> None:
    opened(folder)
    workers = [threading.Thread(target=work, args=(folder, who)) for who in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    files = [*(folder / "label_versions" / "a").iterdir(), folder / "labels" / "final" / "a.mrk.json"]
    kept = sorted(float(read_markups(path).points[0, 0]) for path in files)
    assert kept == sorted(10.0 * who + turn for who in (1, 2) for turn in range(ROUNDS))
    noted = json.loads((folder / "datastore_v2.json").read_text())["objects"]["b.c"]["image"]["info"]
    assert {f"{who}/{turn}" for who in (1, 2) for turn in range(ROUNDS)} <= noted.keys()


def test_images_are_listed_by_name_and_point_lists_beside_them_are_none(folder: Path) -> None:
    label_file(folder / "a.mrk.json", [[3.0, 4.0]])
    assert sorted(opened(folder).list_images()) == ["a", "b.c"]


def test_a_label_put_into_the_folder_is_found(folder: Path) -> None:
    (folder / "labels" / "final").mkdir(parents=True)
    label_file(folder / "labels" / "final" / "b.c.mrk.json", [[3.0, 4.0]])
    assert opened(folder).get_labeled_images() == ["b.c"]


def test_a_label_is_of_the_domain_stated_or_of_the_smallest_that_has_its_names(folder: Path) -> None:
    store = opened(folder)
    label = label_file(folder / "one.mrk.json.part", [[3.0, 4.0]], ["tibia"])
    store.save_label("a", label, "final", {})
    assert store.get_label_info("a", "final")["domain"] == "foot"
    store.save_label("a", label, "final", {"model": "gu2net_knee"})
    assert store.get_label_info("a", "final")["domain"] == "knee"
    heel = label_file(folder / "two.mrk.json.part", [[3.0, 4.0]], ["heel"])
    with pytest.raises(LabelRefusedError, match=r"nearest 'knee'; got unknown names \['heel'\]"):
        store.save_label("a", heel, "final", {"domain": "knee"})


def test_a_label_with_a_point_that_is_not_whole_is_refused(folder: Path) -> None:
    label = label_file(folder / "one.mrk.json.part", [[3.0, 4.0]])
    content = json.loads(Path(label).read_text())
    content["markups"][0]["controlPoints"].append({"label": "tibia", "position": [1.0]})
    Path(label).write_text(json.dumps(content))
    with pytest.raises(LabelRefusedError, match=r"got 1 that are not \(position of 'tibia' must be three numbers\)"):
        opened(folder).save_label("a", label, "final", {})


def test_a_label_of_an_image_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    label = label_file(folder / "one.mrk.json.part", [[3.0, 4.0]])
    with pytest.raises(LabelRefusedError, match=r"can be read\. broken\.png must be a whole picture"):
        opened(folder).save_label("broken", label, "final", {})


def test_a_removed_label_is_kept_as_a_version(folder: Path) -> None:
    store = opened(folder)
    store.save_label("a", label_file(folder / "one.mrk.json.part", [[3.0, 4.0]]), "final", {})
    store.remove_label("a", "final")
    assert store.get_labeled_images() == []
    assert read_markups(folder / "label_versions" / "a" / "0001.mrk.json").points[0, :2].tolist() == [3.0, 4.0]


def test_an_image_is_not_replaced_by_another_of_its_name(folder: Path) -> None:
    other = folder / "other.png.part"
    Image.fromarray(np.ones((5, 6), np.uint8)).save(other, "PNG")
    store = opened(folder)
    with pytest.raises(LabelRefusedError, match="must be new; got 'a'"):
        store.add_image("a", str(other.rename(folder / "labels" / "a.png")), {})
    with pytest.raises(LabelRefusedError, match="must be a file's name"):
        store.add_image("../a", str(folder / "labels" / "a.png"), {})
    assert store.add_image("new", str(folder / "labels" / "a.png"), {}) == "new"
    assert (folder / "new.png").is_file()
