# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Slicer's .fcsv: what slicer-core 5.13 reads from these very lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.landmarks.formats import read_fiducial_csv

COLUMNS = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"


def write(folder: Path, *lines: str, system: str | None = "LPS", version: str = "5.6") -> Path:
    head = [f"# Markups fiducial file version = {version}", *([f"# CoordinateSystem = {system}"] if system else [])]
    path = folder / "a.fcsv"
    path.write_text("\n".join([*head, COLUMNS, *lines]) + "\n")
    return path


def line(label: str, x: object = 1, y: object = 2, z: object = 3, *, more: str = "") -> str:
    return f"p,{x},{y},{z},0,0,0,1,1,1,0,{label},,{more}"


@pytest.mark.parametrize(
    ("system", "version", "position"),
    [
        ("LPS", "5.6", [1, 2, 3]),
        ("1", "4.10", [1, 2, 3]),
        ("RAS", "4.11", [-1, -2, 3]),
        ("0", "4.10", [-1, -2, 3]),
        ("0", "4.0", [-1, -2, 3]),
    ],
)
def test_the_stated_system_decides(tmp_path: Path, system: str, version: str, position: list[float]) -> None:
    found = read_landmarks(write(tmp_path, line("a"), system=system, version=version))
    assert (found.frame, found.names, found.points.tolist()) == ("LPS", ("a",), [position])


@pytest.mark.parametrize("system", [None, "2", "IJK", "lps"])
def test_another_system_or_none_is_not_guessed(tmp_path: Path, system: str | None) -> None:
    with pytest.raises(ValueError, match=r"a\.fcsv: CoordinateSystem must be LPS or RAS .*; got .*Add it as"):
        read_fiducial_csv(write(tmp_path, line("a"), system=system))


def test_lists_of_slicer_3_are_in_ras(tmp_path: Path) -> None:
    path = tmp_path / "a.fcsv"
    path.write_text(
        "# Fiducial List file /a.fcsv\n# version = 2\n# name = L\n# columns = label,x,y,z,sel,vis\nF,1,2,3,1,1\n"
    )
    assert read_landmarks(path).points.tolist() == [[-1, -2, 3]]


def test_labels_in_quotes_are_whole_and_points_without_a_position_absent(tmp_path: Path) -> None:
    lines = [line('"a, ""b"""', more=",2,0")]  # as Slicer 5.13 writes them, with the status in a column without a name
    lines += [line(name, more=f",{status},0") for name, status in (("unset", 0), ("preview", 1), ("missing", 3))]
    found = read_landmarks(write(tmp_path, *lines, line("blank", "", "", "")))
    assert found.names == ('a, "b"', "unset", "preview", "missing", "blank")
    assert found.present.tolist() == [True, False, False, False, False]


def test_names_choose_the_order_and_a_radiograph_has_two_coordinates(tmp_path: Path) -> None:
    found = read_landmarks(write(tmp_path, line("a"), line("b", 4, 5, 6)), names=["b", "c", "a"], dims=2)
    assert (found.frame, found.present.tolist()) == ("mm", [True, False, True])
    assert found.points[[0, 2]].tolist() == [[4, 5], [1, 2]]
    with pytest.raises(ValueError, match=r"landmarks must be among \['a'\]; got \['b'\]"):
        read_landmarks(write(tmp_path, line("a"), line("b")), names=["a"])


def test_an_odd_line_is_left_out_and_refuses_no_other(tmp_path: Path) -> None:
    odd = [line(""), line("b"), line("b"), line("c", "x"), "p,1,2,3", line("d", "inf")]
    found = read_landmarks(write(tmp_path, line("a"), *odd, line("f")))
    assert found.names == ("a", "f")
    assert [item.name for item in found.left_out] == [f"a.fcsv line {n}" for n in range(5, 11)]


def test_a_point_with_some_of_its_coordinates_is_said(tmp_path: Path) -> None:
    found = read_landmarks(write(tmp_path, line("a"), line("b", "")))
    assert found.names == ("a",)
    assert [(item.name, item.reason) for item in found.left_out] == [
        ("a.fcsv line 5", "a point must have all of its coordinates or none (a coordinate of 'b')")
    ]


@pytest.mark.parametrize("inside", ["\u2028", "\x0b", "\x85", "\x1c"])
def test_a_label_holds_what_only_unicode_takes_for_an_end_of_line(tmp_path: Path, inside: str) -> None:
    path = write(tmp_path, line(f"a{inside}b"), line("c"))
    found = read_landmarks(path)
    assert (found.names, found.left_out) == ((f"a{inside}b", "c"), ())


@pytest.mark.parametrize(
    ("lines", "message"),
    [((), "it must have points"), ((line("a", "x"),), "line 4: a coordinate of 'a' must be a finite number; got 'x'")],
)
def test_a_list_without_a_point_is_refused(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_landmarks(write(tmp_path, *lines))


def test_columns_without_coordinates_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.fcsv"
    path.write_text("# CoordinateSystem = LPS\n# columns = id,label\n1,a\n")
    with pytest.raises(ValueError, match="its columns must have label, x, y and z"):
        read_landmarks(path)
