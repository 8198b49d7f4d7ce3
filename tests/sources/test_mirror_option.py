# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist


@pytest.fixture
def hips(tmp_path: Path) -> Path:
    (tmp_path / "hips").mkdir()
    lines = ["image,left_hip_x,left_hip_y,right_hip_x,right_hip_y,top_x,top_y"]
    for number in range(4):
        Image.new("L", (20, 20), 30 * number).save(tmp_path / "hips" / f"{number}.png")
        lines.append(f"{number}.png,3,4,15,4,9,1")
    (tmp_path / "hips" / "landmarks.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "hips"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ([], ()),
        (["--mirror", "names"], (("left_hip", "right_hip"),)),
        (["--mirror", "right_hip:left_hip"], (("right_hip", "left_hip"),)),
    ],
)
def test_prepare_declares_what_changes_places(hips: Path, option: list[str], expected: tuple[object, ...]) -> None:
    output = hips.parent / "d.json"
    assert main(["prepare", str(hips), *option, "-o", str(output)]) == 0
    assert Datalist.load(output).domains["hips"].mirror == expected
    merged = hips.parent / "all.json"
    assert main(["prepare", str(output), "-o", str(merged)]) == 0
    assert Datalist.load(merged).domains["hips"].mirror == expected


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("left_hip", "mirror must be pairs of landmark names"),
        ("left_hip:knee", "knee"),
        ("left_hip:right_hip,top:right_hip", "mirror must name each landmark in one place"),
    ],
)
def test_pairs_that_are_none_are_refused(
    hips: Path, option: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", str(hips), "--mirror", option, "-o", str(hips.parent / "d.json")]) == 2
    assert message in capsys.readouterr().err
    assert not (hips.parent / "d.json").exists()


def test_names_without_left_and_right_are_refused(hips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = hips / "landmarks.csv"
    table.write_text(table.read_text().replace("left", "a").replace("right", "b"))
    assert main(["prepare", str(hips), "--mirror", "names", "-o", str(hips.parent / "d.json")]) == 2
    assert "--mirror names needs landmarks whose names differ in left and right only" in capsys.readouterr().err
