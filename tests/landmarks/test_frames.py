# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of landmarks of a volume: pixels, RAS and LPS, and what files say of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from monai_gu2net.landmarks import LandmarkSet, read_landmarks, write_landmarks
from monai_gu2net.landmarks.formats import read_markups, read_table, write_coco, write_markups
from monai_gu2net.landmarks.formats.coco_json import CocoImage
from monai_gu2net.landmarks.formats.landmark_json import write_landmark_json

AFFINE = np.array([[0.3, -0.1, 0.0, 5.0], [0.2, 0.4, 0.1, -7.0], [0.0, 0.3, 0.9, 2.0], [0, 0, 0, 1]])
INDEX = np.array([[2.0, 5.0, 7.5], [0.0, 1.0, 2.0], [np.nan] * 3])
RAS = nibabel.affines.apply_affine(AFFINE, INDEX)
LPS = RAS * [-1, -1, 1]
NAMES = ("a", "b", "absent")
POINTS = {"index": INDEX, "RAS": RAS, "LPS": LPS, "mm": RAS}


@pytest.mark.parametrize("frame", ["index", "LPS", "RAS", "mm"])
def test_every_frame_leads_to_every_other(frame: str) -> None:
    given = LandmarkSet(NAMES, POINTS[frame], frame)  # type: ignore[arg-type]
    for made, expected in (
        (given.to_index(AFFINE), INDEX),
        (given.to_mm(AFFINE), RAS),
        (given.to_lps(AFFINE), LPS),
    ):
        np.testing.assert_allclose(made.points, expected, rtol=0, atol=1e-12)
    assert [given.to_index(AFFINE).frame, given.to_mm(AFFINE).frame, given.to_lps(AFFINE).frame] == [
        "index",
        "mm",
        "LPS",
    ]


def test_the_plane_of_a_radiograph_is_shown_as_lps() -> None:
    plane = LandmarkSet(("a",), [[1.0, 2.0]], "mm")
    assert plane.to_lps().points.tolist() == [[1.0, 2.0]]
    with pytest.raises(ValueError, match="The frame 'RAS' must be that of 3-D points; got 2-D ones"):
        LandmarkSet(("a",), [[1.0, 2.0]], "RAS")


def test_pixels_need_the_affine_to_become_lps() -> None:
    with pytest.raises(ValueError, match="affine must be given for landmarks in pixel indices"):
        LandmarkSet(NAMES, INDEX, "index").to_lps()


@pytest.mark.parametrize("frame", ["LPS", "RAS"])
def test_a_point_list_of_slicer_is_written_in_lps_and_says_so(tmp_path: Path, frame: str) -> None:
    path = write_landmarks(tmp_path / "a.mrk.json", LandmarkSet(NAMES, POINTS[frame], frame))  # type: ignore[arg-type]
    [markup] = json.loads(Path(path).read_text())["markups"]
    assert (markup["coordinateSystem"], markup["coordinateUnits"]) == ("LPS", "mm")
    np.testing.assert_allclose(markup["controlPoints"][0]["position"], LPS[0], rtol=0, atol=1e-12)
    assert [point["positionStatus"] for point in markup["controlPoints"]] == ["defined", "defined", "undefined"]


@pytest.mark.parametrize("frame", ["index", "LPS", "RAS"])
def test_json_and_csv_name_the_frame(tmp_path: Path, frame: str) -> None:
    landmarks = LandmarkSet(NAMES, POINTS[frame], frame)  # type: ignore[arg-type]
    content = json.loads(Path(write_landmarks(tmp_path / "a.json", landmarks)).read_text())
    assert (content["frame"], content["unit"]) == (frame, "px" if frame == "index" else "mm")
    with open(write_landmarks(tmp_path / "a.csv", landmarks), newline="") as file:
        assert {row["frame"] for row in csv.DictReader(file)} == {frame}


@pytest.mark.parametrize("ending", ["json", "csv", "mrk.json"])
def test_millimetres_of_no_named_frame_are_not_written(tmp_path: Path, ending: str) -> None:
    with pytest.raises(ValueError, match="must be in a named frame, 'LPS' or 'RAS'; got 'mm'"):
        write_landmarks(tmp_path / f"a.{ending}", LandmarkSet(NAMES, RAS, "mm"))
    assert not (tmp_path / f"a.{ending}").exists()


@pytest.mark.parametrize("ending", ["json", "csv", "mrk.json"])
@pytest.mark.parametrize("frame", ["LPS", "RAS"])
def test_millimetres_in_space_are_not_written_as_pixels(tmp_path: Path, frame: str, ending: str) -> None:
    given = LandmarkSet(NAMES, POINTS[frame], frame)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"unit must be .*'mm' for LPS and RAS.*got 'px' for frame '{frame}'"):
        write_landmarks(tmp_path / f"a.{ending}", given, unit="px")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("frame", ["index", "LPS", "RAS"])
def test_a_point_list_of_slicer_has_no_voxels_of_a_volume(tmp_path: Path, frame: str) -> None:
    """Where Slicer shows a voxel is up to the volume's file; a radiograph's pixels it shows at 1 mm."""
    given = LandmarkSet(NAMES, POINTS[frame], frame)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be in LPS or RAS mm"):
        write_markups(tmp_path / "a.mrk.json", given, unit="px")
    assert not any(tmp_path.iterdir())


def test_millimetres_beside_voxels_must_name_their_frame(tmp_path: Path) -> None:
    voxels = LandmarkSet(NAMES, INDEX, "index")
    with pytest.raises(ValueError, match="points_mm must be of a radiograph; got those of a volume, in no named frame"):
        write_landmark_json(tmp_path / "a.json", voxels, points_mm=RAS)


def test_coco_is_of_pictures(tmp_path: Path) -> None:
    image = CocoImage("v.nii.gz", (8, 9), LandmarkSet(NAMES, INDEX, "index"), "d")
    with pytest.raises(ValueError, match=r"v\.nii\.gz: landmarks of COCO must be 2-D pixel indices; got 3-D ones"):
        write_coco(tmp_path / "coco.json", [image])


@pytest.mark.parametrize("system", ["LPS", "RAS", "1", "0", None])
def test_the_system_of_a_point_list_is_the_words_or_their_old_numbers(tmp_path: Path, system: str | None) -> None:
    point = {"label": "a", "position": [1, 2, 3], "orientation": [0, 1, 0, 1, 0, 0, 0, 0, 1]}
    markup = {"type": "Fiducial", "controlPoints": [point]} | ({"coordinateSystem": system} if system else {})
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": [markup]}))
    found = read_markups(tmp_path / "a.mrk.json")
    assert found.frame == "LPS"  # the schema's default
    assert found.points.tolist() == [[-1, -2, 3] if system in ("RAS", "0") else [1, 2, 3]]


@pytest.mark.parametrize("system", [0, 1, "IJK", "lps", None, ["LPS"]])
def test_another_system_is_not_guessed(tmp_path: Path, system: object) -> None:
    point = {"label": "a", "position": [1, 2, 3]}
    markup = {"type": "Fiducial", "coordinateSystem": system, "controlPoints": [point]}
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": [markup]}))
    with pytest.raises(ValueError, match="coordinateSystem must be 'LPS' or 'RAS'"):
        read_markups(tmp_path / "a.mrk.json")


def test_lists_in_two_systems_are_refused(tmp_path: Path) -> None:
    markups = [
        {"type": "Fiducial", "coordinateSystem": system, "controlPoints": [{"label": system, "position": [1, 2, 3]}]}
        for system in ("LPS", "RAS")
    ]
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": markups}))
    with pytest.raises(ValueError, match=r"point lists must be in one coordinate system; got \['LPS', 'RAS'\]"):
        read_markups(tmp_path / "a.mrk.json")


class TestTable:
    def read(self, folder: Path, text: str, **options: object):
        (folder / "t.csv").write_text(text)
        return read_table(folder / "t.csv", **options)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("ends", "frame"),
        [
            (("i", "j", "k"), "index"),
            (("Lmm", "Pmm", "Smm"), "LPS"),
            (("R_mm", "A_mm", "S_mm"), "RAS"),
            (("smm", "lmm", "pmm"), "LPS"),
        ],
    )
    @pytest.mark.parametrize("long", [False, True])
    def test_columns_name_the_frame(self, tmp_path: Path, ends: tuple[str, ...], frame: str, long: bool) -> None:
        columns = ",".join(ends) if long else ",".join(f"a_b_{end}" for end in ends)
        values = {"s": "3", "l": "1", "p": "2", "i": "1", "j": "2", "k": "3", "r": "1", "a": "2"}
        line = ",".join(values[end[0].lower()] for end in ends)
        text = f"image,landmark,{columns}\nv,a_b,{line}\n" if long else f"image,{columns}\nv,{line}\n"
        [row] = table = self.read(tmp_path, text)
        assert (row.landmarks.frame, row.landmarks.names, row.unused) == (frame, ("a_b",), ())
        assert row.landmarks.points.tolist() == [[1, 2, 3]]
        assert table.points.endswith({"index": "(voxels of the files)"}.get(frame, f"({frame} mm)"))

    def test_a_spacing_has_three_numbers(self, tmp_path: Path) -> None:
        head = "image,a_i,a_j,a_k,spacing_x,spacing_y,spacing_z\n"
        [row] = self.read(tmp_path, f"{head}v,1,2,3,0.5,0.25,2\n")
        assert (row.spacing, row.unused) == ((0.5, 0.25, 2.0), ())
        with_unit = head.replace("spacing_x,spacing_y,spacing_z", "spacing_x_mm,spacing_y_mm,spacing_z_mm")
        [row] = self.read(tmp_path, f"{with_unit}v,1,2,3,0.5,0.25,2\n")
        assert (row.spacing, row.unused) == ((0.5, 0.25, 2.0), ())
        with pytest.raises(ValueError, match="spacing_x, spacing_y and spacing_z must be positive"):
            self.read(tmp_path, f"{head}v,1,2,3,0.5,0.25,\n")

    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            ("image,a_i,a_j,a_k,b_i,b_j\nv,1,2,3,4,5\n", {}, r"without \['b_k'\]"),
            ("image,a_i,a_j,a_k,b_Lmm,b_Pmm,b_Smm\nv,1,2,3,4,5,6\n", {}, r"of the same landmarks; got \['a', 'b'\]"),
            ("image,a_x,a_y\nv,1,2\n", {"points": "LPS"}, "points='LPS' must be of volumes; got 'x and y alone'"),
            ("image,a_Lmm,a_Pmm,a_Smm\nv,1,2,3\n", {"points": "voxel"}, "points='voxel' must be the columns NAME_i"),
            ("image,landmark,x,y,z,frame\nv,a,1,2,3,mm\n", {}, r"frame of 3-D points must be among .*; got 'mm'"),
            ("image,landmark,x,y,z,frame\nv,a,1,2,3,\n", {}, r"frame of 3-D points must be among .*; got ''"),
            ("image,landmark,x,y,z,frame\nv,a,1,2,3,RAS\n", {"points": "LPS"}, "frame must be 'LPS', as its columns"),
        ],
    )  # fmt: skip
    def test_what_is_missing_or_contradicts_is_refused(
        self, tmp_path: Path, text: str, options: dict[str, object], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            self.read(tmp_path, text, **options)

    def test_points_say_what_a_single_file_holds(self, tmp_path: Path) -> None:
        (tmp_path / "v.csv").write_text("landmark,x,y,z\na,1,2,3\n")
        assert read_landmarks(tmp_path / "v.csv", points="RAS").frame == "RAS"
