# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from monai_gu2net.landmarks import LandmarkSet, read_landmarks
from monai_gu2net.landmarks.formats import CocoImage, read_coco, write_coco

NAN = math.nan
HEAD = LandmarkSet(("sella", "nasion", "porion"), [[3.25, 4.5], [NAN, NAN], [5.25, 8.5]], "index")
HAND = LandmarkSet(("tip",), [[0.0, 1.0]], "index")


def two_images() -> list[CocoImage]:
    return [
        CocoImage("a.png", (40, 30), HEAD, "head", [0.5, 0.9, NAN]),
        CocoImage("b.dcm", (20, 10), HAND, "hand"),
    ]


def test_a_file_has_what_coco_wants(tmp_path: Path) -> None:
    content = json.loads(write_coco(tmp_path / "coco.json", two_images()).read_text())
    assert content["images"] == [
        {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
        {"id": 2, "file_name": "b.dcm", "width": 20, "height": 10},
    ]
    assert [(c["id"], c["name"], c["keypoints"]) for c in content["categories"]] == [
        (1, "head", ["sella", "nasion", "porion"]),
        (2, "hand", ["tip"]),
    ]
    first, second = content["annotations"]
    assert (first["id"], first["image_id"], first["category_id"], first["iscrowd"]) == (1, 1, 1, 0)
    assert first["keypoints"] == [3.25, 4.5, 2, 0, 0, 0, 5.25, 8.5, 2]
    assert (first["num_keypoints"], first["bbox"], first["area"]) == (2, [3.25, 4.5, 2.0, 4.0], 8.0)
    assert (first["score"], first["keypoint_scores"]) == (0.5, [0.5, 0.9, None])
    assert "score" not in second


def test_the_corner_as_origin_is_half_a_pixel_further_and_stated(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "coco.json", two_images(), origin="corner")
    content = json.loads(path.read_text())
    assert content["info"]["keypoint_origin"] == "corner"
    assert content["annotations"][0]["keypoints"][:6] == [3.75, 5.0, 2, 0, 0, 0]
    np.testing.assert_allclose(read_coco(path)["a.png"].points, HEAD.points)
    np.testing.assert_allclose(read_coco(path, origin="center")["a.png"].points, HEAD.points + 0.5)


def test_a_file_is_recognized_and_an_image_chosen(tmp_path: Path) -> None:
    path = write_coco(tmp_path / "any.json", two_images())
    assert read_landmarks(path, image="b.dcm").names == ("tip",)
    chosen = read_landmarks(path, image="a.png", names=("porion", "sella", "nasion", "gonion"), format="coco")
    np.testing.assert_allclose(chosen.points, [[5.25, 8.5], [3.25, 4.5], [NAN, NAN], [NAN, NAN]])
    with pytest.raises(ValueError, match=r"image must be one of the file's 2 images \['a.png', 'b.dcm'\]; got None"):
        read_landmarks(path)


@given(st.data())
def test_reading_returns_what_was_written(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.text(min_size=1, max_size=12), unique=True, min_size=1, max_size=5))
    images = []
    for number in range(data.draw(st.integers(1, 3))):
        row = st.tuples(*[st.floats(-1e5, 1e5)] * 2) | st.just((NAN, NAN))
        points = np.array([data.draw(row) for _ in names])
        images.append(CocoImage(f"{number}.png", (9, 9), LandmarkSet(tuple(names), points, "index"), "domain"))
    origin = data.draw(st.sampled_from(["center", "corner"]))
    with TemporaryDirectory() as folder:
        again = read_coco(write_coco(Path(folder) / "coco.json", images, origin=origin))
    assert list(again) == [image.file_name for image in images]
    for image in images:
        assert again[image.file_name].names == tuple(names)
        np.testing.assert_allclose(again[image.file_name].points, image.landmarks.points, rtol=0, atol=1e-6)


def test_one_category_has_one_list_of_names(tmp_path: Path) -> None:
    images = [CocoImage("a.png", (1, 1), HEAD, "x"), CocoImage("b.png", (1, 1), HAND, "x")]
    with pytest.raises(ValueError, match=r"b\.png: the landmarks of category 'x' must be .*; got \['tip'\]"):
        write_coco(tmp_path / "coco.json", images)


def test_millimetres_are_refused(tmp_path: Path) -> None:
    image = CocoImage("a.png", (1, 1), LandmarkSet(("a",), [[1.0, 2.0]], "mm"), "x")
    with pytest.raises(ValueError, match=r"must be 2-D pixel indices; got 2-D ones in the frame 'mm'"):
        write_coco(tmp_path / "coco.json", [image])


def test_another_origin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"origin must be among \['center', 'corner'\]; got 'middle'"):
        write_coco(tmp_path / "coco.json", [], origin="middle")  # type: ignore[arg-type]


def annotations_twice(content: dict[str, Any]) -> None:
    content["annotations"].append(content["annotations"][0])


def keypoint_short(content: dict[str, Any]) -> None:
    content["annotations"][0]["keypoints"].pop()


def no_such_image(content: dict[str, Any]) -> None:
    content["annotations"][0]["image_id"] = 7


def names_twice(content: dict[str, Any]) -> None:
    content["categories"][0]["keypoints"] = ["a", "a", "b"]


def text_for_a_number(content: dict[str, Any]) -> None:
    content["annotations"][0]["keypoints"][0] = "abc"


def no_list(content: dict[str, Any]) -> None:
    content["annotations"] = None


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (annotations_twice, r"annotations\[2\] must be the only one of its image; got 'a.png'"),
        (keypoint_short, r"keypoints of annotations\[0\] must be 9 numbers, x, y and v of each; got 8"),
        (no_such_image, r"annotations\[0\] must have an image with a file_name and a category with keypoints"),
        (names_twice, r"keypoints of a category of annotations\[0\] must be different names; got 'a'"),
        (text_for_a_number, r"a coordinate of 'sella' must be a finite number; got 'abc'"),
        (no_list, r"'annotations' must be a list of objects; got 'NoneType'"),
    ],
)
def test_a_broken_file_is_refused_with_what_is_wrong(tmp_path: Path, edit: Any, message: str) -> None:
    path = write_coco(tmp_path / "coco.json", two_images())
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_coco(path)
