# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.label_app.labels import LabelRefusedError
from monai_gu2net.label_app.pairs import datalist_of_pairs, read_discs
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.formats import write_markups
from monai_gu2net.networks import GU2Net, ModelCard, save_model

HEAD = Domain("head", ("sella", "nasion", "menton"), (32, 32), spacing=(0.1, 0.1))
HAND = Domain("hand", ("tip", "wrist"), (32, 32))
NAN = [np.nan, np.nan]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = GU2Net(2, 1, {"head": 3, "hand": 2}, features=(2, 4), global_features=2, dilations=(1,))
    card = ModelCard({"head": HEAD, "hand": HAND}, network.description)
    return save_model(tmp_path_factory.mktemp("model") / "model.pt", network, card)


def picture(path: Path, values: np.ndarray | None = None) -> Path:
    """An image of 40 x 30 pixels, or a label of its size."""
    Image.fromarray(np.full((30, 40), 7, dtype=np.uint8) if values is None else values.T.astype(np.uint8)).save(path)
    return path


def discs(*squares: tuple[int, int, int]) -> np.ndarray:
    """Squares of 3 x 3 pixels: value, x, y."""
    mask = np.zeros((40, 30))
    for value, x, y in squares:
        mask[x - 1 : x + 2, y - 1 : y + 2] = value
    return mask


def pair(folder: Path, name: str, label: Path) -> dict[str, str]:
    return {"image": str(picture(folder / f"{name}.png")), "label": str(label)}


def points(folder: Path, name: str, landmarks: LandmarkSet) -> Path:
    return write_markups(folder / f"{name}.mrk.json", landmarks, unit="px")


def test_without_pairs_the_data_comes_from_elsewhere(tmp_path: Path) -> None:
    assert datalist_of_pairs(None, None, checkpoint=tmp_path / "none.pt", domain="head") is None


def test_names_tell_the_domain_and_discs_are_of_the_one_given(tmp_path: Path, model: Path) -> None:
    head = points(tmp_path, "a", LandmarkSet(("nasion", "sella"), [[5.5, 6.25], [1, 2]], "index"))
    hand = points(tmp_path, "b", LandmarkSet(("tip", "wrist"), [[9, 8], NAN], "index"))
    mask = picture(tmp_path / "mask.png", discs((1, 4, 5), (3, 20, 21)))
    data = datalist_of_pairs(
        [pair(tmp_path, "1", head), pair(tmp_path, "2", hand)],
        [pair(tmp_path, "3", mask)],
        checkpoint=model,
        domain="head",
    )
    assert data is not None
    assert list(data.domains) == ["head", "hand"]
    assert data.domains["head"].spacing is None
    assert [(case["case"], case["domain"], case["landmarks"]) for case in data.cases("all")] == [
        ("1", "head", [[1.0, 2.0], [5.5, 6.25], None]),
        ("2", "hand", [[9.0, 8.0], None]),
        ("3", "head", [[4.0, 5.0], None, [20.0, 21.0]]),
    ]


def test_what_cannot_be_a_label_is_left_out_with_its_reason(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = points(tmp_path, "good", LandmarkSet(("sella",), [[1, 2]], "index"))
    foreign = points(tmp_path, "foreign", LandmarkSet(("sella", "elbow"), [[1, 2], [3, 4]], "index"))
    empty = picture(tmp_path / "empty.png", discs())
    pairs = [pair(tmp_path, name, label) for name, label in (("1", good), ("2", foreign), ("3", empty))]
    with caplog.at_level(logging.WARNING):
        data = datalist_of_pairs(pairs, [], checkpoint=model, domain="head")
    assert data is not None
    assert [case["case"] for case in data.training] == ["1"]
    assert data.validation == []
    own = [record.getMessage() for record in caplog.records if record.name == "monai_gu2net.label_app.labels"]
    assert [message.split(":")[0] for message in own] == ["Left out", "Left out"]
    assert "elbow" in caplog.text
    assert "The label of '3' must have a disc; got an empty image" in caplog.text
    with pytest.raises(ValueError, match="Labels must have one to train on; got none of 2"):
        datalist_of_pairs(pairs[1:], [], checkpoint=model, domain="head")


def test_the_domain_must_be_the_models(model: Path) -> None:
    with pytest.raises(ValueError, match=r"domain must be among the model's \['head', 'hand'\]; got 'knee'"):
        datalist_of_pairs([], None, checkpoint=model, domain="knee")


def test_a_landmark_is_the_centroid_of_its_value(tmp_path: Path) -> None:
    mask = discs((2, 10, 10))
    mask[30:34, 3:5] = 1
    found = read_discs(
        picture(tmp_path / "label.png", mask), picture(tmp_path / "image.png"), landmarks=("a", "b", "c")
    )
    np.testing.assert_array_equal(found.points, [[31.5, 3.5], [10, 10], NAN])
    assert found.names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: picture(path, discs((4, 10, 10))),
            "whole numbers from 0 to 3, the number of landmarks; got 4 to 4",
        ),
        (lambda path: picture(path, discs((1, 10, 10))[:20]), r"the image's 40 x 30 pixels; got \(20, 30\)"),
        (lambda path: path.write_bytes(b"no picture"), "must be a point list or an image"),
    ],
)
def test_a_label_image_that_does_not_fit_is_refused(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    label = tmp_path / "label.png"
    make(label)
    with pytest.raises(LabelRefusedError, match=message):
        read_discs(label, picture(tmp_path / "image.png"), landmarks=HEAD.landmarks, called="'image'")
