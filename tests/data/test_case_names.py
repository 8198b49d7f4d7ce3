# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a case is called, wherever it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from monai_gu2net.data import Datalist, Domain, case_names
from monai_gu2net.sources import read_layout

NEIGHBOURS = [
    ("PAT.001.png", "PAT.002.png"),
    ("1.2.840.113.7.dcm", "1.2.840.113.8.dcm"),
    ("1.2.840.113.7", "1.2.840.113.8"),
    ("v1.0.nii.gz", "v1.1.nii.gz"),
    ("a.b.c.MHA", "a.b.d.MHA"),
    ("x.png", "x.tif"),
]


@pytest.mark.parametrize("pair", NEIGHBOURS[:-1])
def test_dots_of_a_name_are_no_endings_in_a_datalist(pair: tuple[str, str]) -> None:
    data = Datalist("d", {"k": Domain("k", ("a",), (8, 8))}, test=[{"image": f"/data/{name}"} for name in pair])
    assert [case["case"] for case in data.test] == case_names([Path(name) for name in pair])
    assert [case["patient"] for case in data.test] == [case["case"] for case in data.test]


@pytest.mark.parametrize("pair", NEIGHBOURS)
@pytest.mark.parametrize("folder", ["", "/data/secret", "..", "a/../b"])
def test_neighbours_have_names_of_their_own_and_no_way_from_the_root(folder: str, pair: tuple[str, str]) -> None:
    names = case_names([Path(folder) / name for name in pair])
    assert len(set(names)) == 2
    assert not any("/" in name or ".." in name for name in names)


def test_an_image_that_is_given_twice_gets_a_number() -> None:
    images = [Path("/data/x.png"), Path("/data/x.png"), Path("/data/../data/x.png"), Path("/data/data/x.png~2")]
    names = case_names(images)
    assert len(set(names)) == 4
    assert not any(name.startswith("/") or ".." in name for name in names)


def test_images_of_one_name_are_told_apart_by_folders_below_the_root() -> None:
    assert case_names([Path("/a/x.png"), Path("/b/x.png")]) == ["a/x.png", "b/x.png"]
    here = Path.cwd().name
    assert case_names([Path("x.png"), Path("../x.png")]) == [f"{here}/x.png", f"{Path.cwd().parent.name}/x.png"]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("a/PAT.001.png", "a/PAT.001"),
        ("/data/PAT.001.png", "PAT.001"),
        ("../PAT.001.png", "PAT.001"),
        ("a/../../PAT.001.png", "PAT.001"),
        ("C:/data/PAT.001.png", "PAT.001"),
        ("C:\\data\\PAT.001.png", "PAT.001"),
        ("1.2.840.5", "PAT.001"),
    ],
)
def test_a_list_gives_no_way_from_the_root_or_above(said: str, name: str) -> None:
    assert case_names([Path("/data/PAT.001.png")], listed=[said]) == [name]


def test_a_table_of_absolute_paths_names_its_cases_after_the_files(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    table = tmp_path / "set"
    lines = ["image,a_x,a_y"]
    table.mkdir()
    for folder in (elsewhere, table / "in"):
        folder.mkdir()
        Image.new("L", (32, 32)).save(folder / "PAT.001.png")
        lines.append(f"{folder / 'PAT.001.png' if folder == elsewhere else 'in/PAT.001.png'},3,4")
    Image.new("L", (32, 32)).save(elsewhere / "PAT.002.png")
    lines.append("../elsewhere/PAT.002.png,5,6")
    (table / "landmarks.csv").write_text("\n".join(lines) + "\n")
    data = read_layout(table)
    assert sorted(case["case"] for case in data.cases("all")) == ["PAT.001", "PAT.002", "in/PAT.001"]
