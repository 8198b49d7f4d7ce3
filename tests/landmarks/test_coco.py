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


def coco(folder: Path, annotations: Any, **changes: Any) -> Path:
    """A file of five images, such as labelling tools write: with fields that are of no concern here."""
    content = {
        "info": {"year": 2024},
        "licenses": [],
        "images": [{"id": n, "file_name": f"{n}.png", "width": 9, "height": 9} for n in range(1, 6)],
        "categories": [
            {"id": 1, "name": "head", "supercategory": "", "keypoints": ["sella", "nasion"], "skeleton": []},
            {"id": 2, "name": "plate", "supercategory": ""},
        ],
        "annotations": annotations,
    }
    path = folder / "coco.json"
    path.write_text(json.dumps(content | changes))
    return path


def person(image: Any, keypoints: Any = (1, 2, 2, 3, 4, 1), **fields: Any) -> dict[str, Any]:
    given = {} if keypoints is None else {"keypoints": list(keypoints), "num_keypoints": 2}
    return {
        "id": 7,
        "image_id": image,
        "category_id": 1,
        "bbox": [0, 0, 9, 9],
        "area": 81,
        "iscrowd": 0,
        **given,
        **fields,
    }


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (person(2, None, iscrowd=1, segmentation={"counts": [1], "size": [9, 9]}), r"it must not be of a crowd"),
        (person(2, iscrowd=1), r"it must not be of a crowd"),
        (person(2, None), "it must have keypoints"),
        (person(2, []), "it must have keypoints"),
        (person(2, keypoints=[1, 2, 2, 3, 4]), "its keypoints must be 6 numbers, x, y and v of each"),
        (person(2, keypoints=[1, 2, 2]), "its keypoints must be 6 numbers, x, y and v of each"),
        (person(2, ["abc", 2, 2, 3, 4, 1]), "a coordinate of 'sella' must be a finite number"),
        (person(7), "its image must be in 'images', with a file_name"),
        (person([2]), "its image must be in 'images', with a file_name"),
        (person(None), "its image must be in 'images', with a file_name"),
        (person(2, category_id=2), "its category must be in 'categories', with keypoints"),
        (person(2, category_id=3), "its category must be in 'categories', with keypoints"),
        (None, "an annotation must be an object"),
    ],
)
def test_an_odd_annotation_is_left_out_and_refuses_no_other(tmp_path: Path, odd: Any, reason: str) -> None:
    table = read_coco(coco(tmp_path, [person(1), odd, person(3)]))
    assert {image: found.points.tolist() for image, found in table.items()} == {
        "1.png": [[1, 2], [3, 4]],
        "3.png": [[1, 2], [3, 4]],
    }
    [left_out] = table.left_out
    assert left_out.name.startswith("coco.json annotations[1]")
    assert left_out.reason.startswith(reason)


def test_an_image_of_several_people_is_left_out_with_all_of_them(tmp_path: Path) -> None:
    table = read_coco(coco(tmp_path, [person(1), person(2), person(3), person(2), person(2, None)]))
    assert list(table) == ["1.png", "3.png"]
    assert sorted(entry.name for entry in table.left_out) == [f"coco.json annotations[{n}] (2.png)" for n in (1, 3, 4)]


def test_a_box_whose_keypoints_are_all_zero_is_not_a_second_one(tmp_path: Path) -> None:
    table = read_coco(coco(tmp_path, [person(1, [0] * 6), person(1), person(2, [0] * 6)]))
    assert table["1.png"].points.tolist() == [[1, 2], [3, 4]]
    assert not table["2.png"].present.any()
    assert [entry.name for entry in table.left_out] == ["coco.json annotations[0] (1.png)"]


def test_two_images_of_one_id_leave_out_its_annotations_alone(tmp_path: Path) -> None:
    images = [{"id": n // 2, "file_name": f"{n}.png"} for n in range(2, 5)]
    table = read_coco(coco(tmp_path, [person(1), person(2)], images=images))
    assert list(table) == ["4.png"]
    assert [entry.name for entry in table.left_out] == ["coco.json annotations[0]"]


def test_a_category_whose_keypoints_share_a_name_leaves_out_its_annotations_alone(tmp_path: Path) -> None:
    categories = [{"id": 1, "keypoints": ["a", "a"]}, {"id": 2, "keypoints": ["a", "b"]}]
    table = read_coco(coco(tmp_path, [person(1), person(2, category_id=2)], categories=categories))
    assert list(table) == ["2.png"]
    assert [entry.reason for entry in table.left_out] == ["the keypoints of its category must be different names"]


def test_landmarks_that_were_not_asked_for_are_listed_or_where_there_are_no_others_refused(tmp_path: Path) -> None:
    categories = [{"id": 1, "keypoints": ["sella", "nasion"]}, {"id": 2, "keypoints": ["tip", "base"]}]
    path = coco(tmp_path, [person(1), person(2, category_id=2)], categories=categories)
    table = read_coco(path, names=("tip", "base", "other"))
    assert list(table) == ["2.png"]
    assert [entry.name for entry in table.left_out] == ["coco.json annotations[0] (1.png)"]
    with pytest.raises(ValueError, match=r"landmarks must be among \['tipp'\]; got \['tip', 'base'\]"):
        read_coco(path, names=("tipp",))


def test_one_image_of_a_file_says_what_was_left_out(tmp_path: Path) -> None:
    path = coco(tmp_path, [person(1), person(2, None), person(3)])
    assert [entry.name for entry in read_landmarks(path, image="3.png").left_out] == [
        "coco.json annotations[1] (2.png)"
    ]
    with pytest.raises(
        ValueError, match=r"got '2\.png'\. Name one\. \(1 annotation\(s\) left out, it must have keypoints"
    ):
        read_landmarks(path, image="2.png")


def test_a_file_without_a_list_of_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'annotations' must be a list of objects; got 'NoneType'"):
        read_coco(coco(tmp_path, None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    odd=st.lists(
        JSON
        | st.fixed_dictionaries(
            {"image_id": JSON.filter(lambda value: value != 1), "category_id": JSON, "keypoints": JSON},
            optional={"iscrowd": JSON},
        ),
        max_size=4,
    ),
    images=st.lists(JSON, max_size=2),
    categories=st.lists(JSON, max_size=2),
)
def test_whatever_is_in_a_file_a_good_annotation_is_read_and_every_other_is_listed(
    odd: list[Any], images: list[Any], categories: list[Any]
) -> None:
    good = {"images": [{"id": 1, "file_name": "1.png"}], "categories": [{"id": 1, "keypoints": ["sella", "nasion"]}]}
    with TemporaryDirectory() as folder:
        content = {"images": good["images"] + images, "categories": good["categories"] + categories}
        table = read_coco(coco(Path(folder), [*odd, person(1)], **content))
    assert table["1.png"].points.tolist() == [[1, 2], [3, 4]]
    assert len(table) + len(table.left_out) == len(odd) + 1
