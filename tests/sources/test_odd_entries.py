# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One odd entry of an annotation costs a dataset nothing but itself, and is listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from monai_gu2net.files import LeftOut
from monai_gu2net.sources import read_layout


def images(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("L", (20, 40)).save(folder / name)
    return folder


def test_a_table_with_odd_lines_is_a_dataset_of_the_others(tmp_path: Path) -> None:
    images(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "landmarks.csv").write_text("image,a_x,a_y\n1.png,1,2\n2.png,1,two\n3.png,5,6\n")
    data = read_layout(tmp_path, test=0, validation=0)
    assert {case["case"]: case["landmarks"] for case in data.training} == {"1": [[1, 2]], "3": [[5, 6]]}
    assert data.left_out[0] == LeftOut("line", "landmarks.csv line 3", "a coordinate of 'a' must be a finite number")


def test_a_table_of_hands_with_odd_lines_is_a_dataset_of_the_others(tmp_path: Path) -> None:
    images(tmp_path / "jpg", "1.jpg", "2.jpg", "3.jpg")
    good = ",".join(["5"] * 74)
    (tmp_path / "all.csv").write_text(f"1,{good}\n2,{good},5\n3,{good}\n")
    data = read_layout(tmp_path)
    assert [case["case"] for case in data.cases("all")] == ["1", "3"]
    assert LeftOut("line", "all.csv line 2", "the line must have 75 fields 'id,x1,y1,...'") in data.left_out


def test_a_point_list_with_odd_points_keeps_the_others(tmp_path: Path) -> None:
    images(tmp_path / "images", "a.png")
    points = [
        {"label": "one", "position": [1, 2, 0]},
        {"label": "two", "position": ["x", 2, 0]},
        {"position": [1, 2, 0]},
    ]
    markup = {"markups": [{"type": "Fiducial", "controlPoints": points}]}
    (tmp_path / "images" / "a.mrk.json").write_text(json.dumps(markup))
    data = read_layout(tmp_path, test=0, validation=0)
    [domain] = data.domains.values()
    assert (domain.landmarks, data.training[0]["landmarks"]) == (("one",), [[1, 2]])
    assert data.left_out == (
        LeftOut("control point", "images/a.mrk.json control point 1", "a coordinate of 'two' must be a finite number"),
        LeftOut("control point", "images/a.mrk.json control point 2", "control point 2 must have a label of its own"),
    )


@pytest.mark.parametrize("layout", ["table", "markups"])
def test_a_picture_that_is_broken_costs_a_dataset_nothing_but_itself(tmp_path: Path, layout: str) -> None:
    images(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").write_bytes(b"%PDF-1.4")
    if layout == "table":
        (tmp_path / "landmarks.csv").write_text("image,a_x,a_y\n1.png,1,2\n2.png,3,4\n3.png,5,6\n")
    else:
        for name, x in (("1", 1), ("2", 3), ("3", 5)):
            points = [{"label": "a", "position": [x, x + 1, 0]}]
            markup = {"markups": [{"type": "Fiducial", "controlPoints": points}]}
            (tmp_path / f"{name}.mrk.json").write_text(json.dumps(markup))
    data = read_layout(tmp_path, layout=layout, test=0, validation=0)
    assert {case["case"]: case["landmarks"] for case in data.training} == {"1": [[1, 2]], "3": [[5, 6]]}
    reason = "2.png must be a PNG, JPEG, BMP or TIFF of grey or colour; got PDF. Save it as such"
    assert data.left_out == (LeftOut("image", "2.png", reason),)
    for name in ("1.png", "3.png"):
        (tmp_path / name).write_bytes(b"%PDF-1.4")
    with pytest.raises(ValueError, match=r"its images must be readable; got none that is: [123]\.png must be a PNG"):
        read_layout(tmp_path, layout=layout, test=0, validation=0)


def test_a_broken_picture_of_another_folder_is_named_by_the_way_to_it(tmp_path: Path) -> None:
    images(tmp_path / "table", "1.png")
    (tmp_path / "2.png").write_bytes(b"%PDF-1.4")
    (tmp_path / "table" / "landmarks.csv").write_text("image,a_x,a_y\n1.png,1,2\n../2.png,3,4\n")
    data = read_layout(tmp_path / "table", test=0, validation=0)
    assert [case["case"] for case in data.training] == ["1"]
    assert [(item.what, item.name) for item in data.left_out] == [("image", "../2.png")]
