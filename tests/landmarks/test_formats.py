# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The formats that others defined: values worked out by hand, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from monai_gu2net.landmarks import LandmarkSet, read_landmarks, write_landmarks
from monai_gu2net.landmarks.formats import (
    read_fraction_txt,
    read_isbi_txt,
    read_landmark_json,
    read_markups,
    read_payer_csv,
    read_table,
    write_markups,
    write_table,
)

NAN = float("nan")


@pytest.fixture
def write(tmp_path):
    def _write(name: str, text: str):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return _write


class TestIsbiText:
    def test_classes_after_the_landmarks_are_ignored(self, write):
        path = write("001.txt", "835,996\n1473.5,1029\n1\n2\n")
        assert read_landmarks(path, names=["sella", "nasion"]).points.tolist() == [[835, 996], [1473.5, 1029]]
        assert read_landmarks(path).names == ("landmark_01", "landmark_02")

    def test_fewer_lines_than_names_are_refused(self, write):
        with pytest.raises(ValueError, match=r"001\.txt: there must be 3 lines 'x,y'; got 2"):
            read_isbi_txt(write("001.txt", "1,2\n3,4\n"), names=["a", "b", "c"])

    @pytest.mark.parametrize("line", ["3", "3,4,5", "3,four", "3,inf"])
    def test_a_line_that_is_not_two_numbers_is_named(self, line, write):
        with pytest.raises(ValueError, match=r"001\.txt, line 2: .* must be"):
            read_isbi_txt(write("001.txt", f"1,2\n{line}\n5,6\n"), names=["a", "b", "c"])


class TestFractionText:
    def test_fractions_count_from_the_corner_of_the_image(self, write):
        path = write("a.txt", "2\n0 1\n0.5 0.25\n")
        landmarks = read_landmarks(path, image_size=(200, 100))
        assert landmarks.points.tolist() == [[-0.5, 99.5], [99.5, 24.5]]

    def test_a_point_keeps_its_place_in_a_resized_image(self, write):
        path = write("a.txt", "1\n0.3 0.7\n")
        small, large = (read_fraction_txt(path, image_size=(n, n)).points for n in (224, 2048))
        np.testing.assert_allclose((small + 0.5) / 224, (large + 0.5) / 2048)

    def test_an_absent_landmark_is_two_nan(self, write):
        assert not read_fraction_txt(write("a.txt", "1\nnan nan\n"), image_size=(9, 9)).present.any()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "line 1: the first line must be the count"),
            ("0.5 0.5\n", "line 1: the first line must be the count"),
            ("3\n0 0\n0 0\n0 0\n", "line 1: the count must be 2, one per name; got 3"),
            ("2\n0 0\n", "2 lines 'x y' must follow the count; got 1"),
            ("2\n0 0\n0.5\n", "line 3: the line of 'b' must be 'x y'"),
            ("2\n0 0\n12 40\n", "line 3: the fractions of 'b' must lie between 0 and 1"),
        ],
    )
    def test_a_broken_file_is_refused(self, text, message, write):
        with pytest.raises(ValueError, match=message):
            read_fraction_txt(write("a.txt", text), image_size=(9, 9), names=["a", "b"])

    def test_the_image_size_is_asked_for(self, write):
        with pytest.raises(ValueError, match="image_size must be given"):
            read_landmarks(write("a.txt", "1\n0.5 0.25\n"))


class TestPayerTable:
    def test_every_line_is_an_image(self, write):
        path = write("all.csv", "3142,1,2,3,4\n3143,5,6,,\n")
        table = read_payer_csv(path, names=["a", "b"])
        assert list(table) == ["3142", "3143"]
        assert table["3143"].present.tolist() == [True, False]
        assert read_landmarks(path, image="3142").points.tolist() == [[1, 2], [3, 4]]

    def test_an_image_must_be_named_where_there_are_several(self, write):
        with pytest.raises(ValueError, match=r"one of the file's 2 images \['1', '2'\]; got None"):
            read_landmarks(write("all.csv", "1,1,2\n2,3,4\n"))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("2,3,four\n", "line 1: a coordinate must be a finite number; got 'four'"),
            ("1,1,2\n\n1,3,4\n", "line 3: the id must be there and stand in one line only; got '1'"),
        ],
    )
    def test_a_broken_table_is_refused(self, text, message, write):
        with pytest.raises(ValueError, match=message):
            read_payer_csv(write("all.csv", text))

    def test_an_odd_line_is_left_out_and_refuses_no_other(self, write):
        text = "0,1\n1,1,2\n2,3,4,5\n3,3,four\n4,5,6\n5,7,8\n,9,9\n4,5,7\n6,nan,inf\n"
        table = read_payer_csv(write("all.csv", text))
        assert {key: found.points.tolist() for key, found in table.items()} == {"1": [[1, 2]], "5": [[7, 8]]}
        assert [entry.name for entry in table.left_out] == [f"all.csv line {n}" for n in (1, 3, 4, 5, 7, 8, 9)]


class TestTable:
    def test_a_wide_table_gives_landmarks_patients_splits_and_spacing(self, write):
        text = (
            "image,patient,age,T1_tl_x,T1_tl_y,T2_x,T2_y,split,spacing_x,spacing_y\n"
            "a.png,p1,61,1,2.5,,,training,0.1,0.2\n"
            "b.png,,,3,4,nan,5,,,\n"
        )
        first, second = table = read_table(write("landmarks.csv", text))
        assert [(item.name, item.reason) for item in table.left_out] == [
            ("landmarks.csv line 3: T2", "it lacks a coordinate")
        ]
        assert first.landmarks.names == ("T1_tl", "T2")
        assert (first.patient, first.split, first.spacing, first.line) == ("p1", "training", (0.1, 0.2), 2)
        assert (second.patient, second.split, second.spacing) == (None, None, None)
        assert first.landmarks.points[0].tolist() == [1, 2.5]
        assert second.landmarks.present.tolist() == [True, False]

    def test_spacing_with_its_unit_is_read_from_wide_and_long_tables(self, write):
        wide = "image,spacing_x_mm,spacing_y_mm,a_x,a_y\n1.png,0.1,0.2,3,4\n"
        long = "image,landmark,x,y,spacing_x_mm,spacing_y_mm\n1.png,a,3,4,0.1,0.2\n"
        for name, text in (("wide.csv", wide), ("long.csv", long)):
            (row,) = read_table(write(name, text))
            assert (row.spacing, row.landmarks.names, row.unused) == ((0.1, 0.2), ("a",), ())
        with pytest.raises(ValueError, match="line 2: spacing_x_mm and spacing_y_mm must be positive"):
            read_table(write("wide.csv", wide.replace("0.2", "0")))

    @pytest.mark.parametrize("separator", [";", "\t"])
    def test_a_table_with_another_separator_is_told_so(self, write, separator):
        text = "image,a_x,a_y\na.png,1,2\n".replace(",", separator)
        with pytest.raises(ValueError, match="line 1: columns must be separated by commas"):
            read_table(write("landmarks.csv", text))

    def test_half_a_point_of_a_long_table_is_told(self, write):
        table = read_table(write("landmarks.csv", "image,landmark,x,y\na.png,one,,2\na.png,two,3,4\n"))
        assert table[0].landmarks.present.tolist() == [False, True]
        assert [item.name for item in table.left_out] == ["landmarks.csv line 2: one"]

    def test_a_long_table_fills_up_with_absent_landmarks(self, write):
        text = "image,landmark,x,y,patient\na.png,one,1,2,p\na.png,two,3,4,p\nb.png,two,5,6,q\n"
        first, second = read_table(write("landmarks.csv", text))
        assert first.landmarks.names == second.landmarks.names == ("one", "two")
        assert second.landmarks.present.tolist() == [False, True]
        assert (first.patient, second.patient) == ("p", "q")

    def test_both_forms_tell_the_same(self, write):
        wide = read_table(write("wide.csv", "image,a_x,a_y,b_x,b_y\n1.png,1,2,3,4\n2.png,5,6,,\n"))
        long = read_table(write("long.csv", "image,landmark,x,y\n1.png,a,1,2\n1.png,b,3,4\n2.png,a,5,6\n"))
        for one, other in zip(wide, long, strict=True):
            assert one.image == other.image
            np.testing.assert_array_equal(one.landmarks.points, other.landmarks.points)

    def test_three_coordinates_give_3d_points(self, write):
        (row,) = read_table(write("t.csv", "image,a_x,a_y,a_z\nv.nii.gz,1,2,3\n"), points="voxel")
        assert row.landmarks.points.tolist() == [[1, 2, 3]]

    def test_names_choose_the_order(self, write):
        path = write("t.csv", "image,a_x,a_y,b_x,b_y\n1.png,1,2,3,4\n")
        chosen = read_landmarks(path, names=["c", "b", "a"])
        assert chosen.present.tolist() == [False, True, True]

    def test_a_written_image_name_is_read_again(self, tmp_path):
        path = write_table(tmp_path / "t.csv", LandmarkSet(("a",), [[1.0, 2.0]], "mm"), image="case, 1.png")
        (row,) = read_table(path)
        assert row.image == "case, 1.png"
        assert row.landmarks.frame == "mm"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("picture,a_x,a_y\n1,2,3\n", "line 1: the header must be 'image,NAME_x"),
            ("image,a_x,b_y\n1.png,2,3\n", r"without \['a_y', 'b_x'\]"),
            ("image,a_x,a_x,a_y\n1.png,2,3,4\n", r"line 1: columns must be all different; got \['a_x'\]"),
            ("image,a_x,a_y\n1.png,2\n", "line 2: the line must have 3 fields"),
            (
                "image,a_x,a_y\n1.png,2,three\n",
                "line 2: a coordinate of 'a' must be a finite number; got 'three'",
            ),
            (
                "image,a_x,a_y\n1.png,2,3\n1.png,2,3\n",
                "line 3: an image must be named and stand in one line only",
            ),
            (
                "image,a_x,a_y,spacing_x,spacing_y\n1.png,2,3,0.1,0\n",
                "line 2: spacing_x and spacing_y must be",
            ),
            ("image,landmark,x\n1.png,a,2\n", "line 1: the header must have landmark, x and y"),
            (
                "image,landmark,x,y\n1.png,a,2,3\n1.png,a,2,3\n",
                "line 3: a landmark of image '1.png' must have one",
            ),
            (
                "image,landmark,x,y,patient\n1,a,2,3,p\n1,b,2,3,q\n",
                r"line 3: patient of image '1' must be 'p'",
            ),
            (
                "image,landmark,x,y,frame\n1,a,2,3,world\n",
                r"line 2: frame of 2-D points must be among \['index', 'mm', 'LPS'\]; got 'world'",
            ),
        ],
    )
    def test_a_broken_table_is_refused(self, text, message, write):
        with pytest.raises(ValueError, match=message):
            read_table(write("landmarks.csv", text))

    def test_an_odd_line_of_a_wide_table_is_left_out_with_its_image(self, write):
        lines = ["image,a_x,a_y,spacing_x,spacing_y", "1.png,1,2,,", "2.png,1", "3.png,1,two,,", "4.png,1,2,0.1,0"]
        lines += ["5.png,3,4,0.1,0.1", "6.png,1,2,,", ",1,2,,", "6.png,1,2,,", "7.png,,,,"]
        rows = read_table(write("t.csv", "\n".join(lines)))
        assert [row.image for row in rows] == ["1.png", "5.png", "7.png"]
        assert [(row.landmarks.points.tolist(), row.line) for row in rows[:2]] == [([[1, 2]], 2), ([[3, 4]], 6)]
        assert [(entry.what, entry.name) for entry in rows.left_out] == [
            ("line", f"t.csv line {n}") for n in (3, 4, 5, 7, 8, 9)
        ]
        assert rows.left_out[1].reason == "a coordinate of 'a' must be a finite number"

    def test_an_odd_line_of_a_long_table_costs_its_landmark_alone(self, write):
        lines = ["image,landmark,x,y", "1,a,1,2", "1,b,1,two", "1,c,5,6", "2,a,1,1", "2,a,2,2", "2,b,3", "2,c,7,8"]
        rows = read_table(write("t.csv", "\n".join(lines)))
        assert [row.landmarks.names for row in rows] == [("a", "b", "c")] * 2
        np.testing.assert_array_equal(rows[0].landmarks.points, [[1, 2], [NAN, NAN], [5, 6]])
        np.testing.assert_array_equal(rows[1].landmarks.points, [[NAN, NAN], [NAN, NAN], [7, 8]])
        assert [entry.name for entry in rows.left_out] == [f"t.csv line {n}" for n in (3, 5, 6, 7)]

    def test_an_image_whose_lines_disagree_is_left_out_with_all_of_them(self, write):
        lines = ["image,landmark,x,y,patient", "1,a,1,2,p", "1,b,1,2,q", "1,c,1,2,p", "2,a,3,4,p"]
        rows = read_table(write("t.csv", "\n".join(lines)))
        assert [row.image for row in rows] == ["2"]
        assert [entry.name for entry in rows.left_out] == [f"t.csv line {n}" for n in (2, 3, 4)]

    def test_the_one_image_of_a_file_says_what_was_left_out(self, write):
        found = read_landmarks(write("t.csv", "landmark,x,y\na,1,2\nb,3,four\n"), names=["b", "a"])
        assert found.present.tolist() == [False, True]
        assert [entry.name for entry in found.left_out] == ["t.csv line 3"]

    def test_a_landmark_that_was_not_asked_for_is_refused(self, write):
        with pytest.raises(ValueError, match=r"landmarks must be among \['sella'\]; got \['sela'\]"):
            read_table(write("t.csv", "image,sela_x,sela_y\n1.png,2,3\n"), names=["sella"])


def _markups(**changes):
    points = [
        {"label": "a", "position": [-1.0, -2.0, 3.0], "positionStatus": "defined"},
        {"label": "b", "position": [0.0, 0.0, 0.0], "positionStatus": "undefined"},
        {"label": "c", "positionStatus": "missing"},
        {"label": "d", "position": [4.0, 5.0, 6.0]},
    ]
    return json.dumps({"markups": [{"type": "Fiducial", "controlPoints": points} | changes]})


class TestSlicerMarkups:
    def test_points_are_lps_mm_and_undefined_ones_absent(self, write):
        landmarks = read_landmarks(write("a.mrk.json", _markups(coordinateSystem="LPS")))
        assert landmarks.frame == "LPS"
        assert landmarks.names == ("a", "b", "c", "d")
        assert landmarks.present.tolist() == [True, False, False, True]
        assert landmarks.points[0].tolist() == [-1, -2, 3]

    def test_ras_is_converted(self, write):
        landmarks = read_markups(write("a.mrk.json", _markups(coordinateSystem="RAS")))
        assert landmarks.points[[0, 3]].tolist() == [[1, 2, 3], [-4, -5, 6]]

    @pytest.mark.parametrize("unit", ["um", ["um", "UCUM", "micrometer"]])
    def test_micrometres_are_converted(self, unit, write):
        landmarks = read_markups(write("a.mrk.json", _markups(coordinateUnits=unit)), dims=2)
        np.testing.assert_allclose(landmarks.points[3], [0.004, 0.005])

    def test_a_written_file_has_what_slicers_schema_requires(self, tmp_path):
        landmarks = LandmarkSet(("a", "b"), [[1.0, 2.0], [NAN, NAN]], "mm")
        path = write_landmarks(tmp_path / "a.mrk.json", landmarks, confidence=[0.93, NAN])
        content = json.loads(path.read_text())
        assert content["@schema"].endswith("markups-schema-v1.0.3.json#")
        (markup,) = content["markups"]
        assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == (
            "Fiducial",
            "LPS",
            "mm",
        )
        first, second = markup["controlPoints"]
        assert (first["label"], first["position"], first["positionStatus"]) == (
            "a",
            [1.0, 2.0, 0.0],
            "defined",
        )
        assert first["description"] == "confidence 0.93"
        assert (second["label"], second["positionStatus"]) == ("b", "undefined")
        assert "position" not in second

    def test_pixel_indices_are_refused_unless_said_to_be_pixels(self, tmp_path):
        landmarks = LandmarkSet(("a",), [[1.0, 2.0]], "index")
        with pytest.raises(ValueError, match="must be in mm; got pixel indices"):
            write_markups(tmp_path / "a.mrk.json", landmarks)
        path = write_landmarks(tmp_path / "a.mrk.json", landmarks, unit="px")
        assert "mm" not in path.read_text()
        assert read_markups(path, dims=2).points.tolist() == [[1.0, 2.0]]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", r"a\.mrk\.json, line 1: the file must be JSON"),
            ("[]", "must hold a JSON object; got 'list'"),
            ("{}", "'markups' must hold a markup of type 'Fiducial'"),
            (_markups(type="Curve"), "'markups' must hold a markup of type 'Fiducial'"),
            (_markups(coordinateSystem="IJK"), "coordinateSystem must be 'LPS' or 'RAS'; got 'IJK'"),
            (_markups(coordinateUnits="in"), "coordinateUnits must be among"),
            (_markups(controlPoints=[{"label": ""}]), "control point 0 must have a label of its own"),
            (_markups(controlPoints=[{"label": "a"}, {"label": "a"}]), "control point 1 must have a label"),
            (
                _markups(controlPoints=[{"label": "a", "position": [1, 2]}]),
                "position of 'a' must be three numbers",
            ),
            (
                _markups(controlPoints=[{"label": "a", "position": [1, 2, "x"]}]),
                "coordinate of 'a' must be a finite",
            ),
            (
                _markups(controlPoints=[{"label": "a", "positionStatus": "lost"}]),
                "positionStatus of 'a' must be",
            ),
        ],
    )
    def test_a_broken_file_is_refused(self, text, message, write):
        with pytest.raises(ValueError, match=message):
            read_markups(write("a.mrk.json", text))

    def test_an_odd_control_point_is_left_out_and_refuses_no_other(self, write):
        odd = [{"label": ""}, 7, {"label": "b"}, {"label": "b"}, {"label": "c", "position": [1, 2]}]
        odd += [
            {"label": "d", "position": [1, 2, "x"]},
            {"label": "e", "positionStatus": "lost"},
            {"position": [1, 2, 3]},
        ]
        points = [{"label": "a", "position": [1, 2, 3]}, *odd, {"label": "f", "position": [4, 5, 6]}]
        found = read_markups(write("a.mrk.json", _markups(controlPoints=points)), dims=2).to_index(np.eye(3))
        assert found.names == ("a", "f")
        assert found.points.tolist() == [[1, 2], [4, 5]]
        assert [entry.name for entry in found.left_out] == [f"a.mrk.json control point {n}" for n in range(1, 9)]


class TestLandmarkJson:
    def test_frame_unit_and_confidence_are_written(self, tmp_path):
        landmarks = LandmarkSet(("a", "b"), [[1.0, 2.0], [NAN, NAN]], "mm")
        path = write_landmarks(tmp_path / "a.json", landmarks, confidence=[0.5, NAN])
        assert json.loads(path.read_text()) == {
            "version": 1,
            "frame": "mm",
            "unit": "mm",
            "landmarks": [
                {"name": "a", "x": 1.0, "y": 2.0, "confidence": 0.5},
                {"name": "b", "x": None, "y": None, "confidence": None},
            ],
        }

    def test_a_world_without_spacing_is_written_as_pixels(self, tmp_path):
        path = write_landmarks(tmp_path / "a.json", LandmarkSet(("a",), [[1.0, 2.0]], "mm"), unit="px")
        assert "mm" not in path.read_text()
        assert read_landmarks(path).frame == "index"

    def test_a_markups_file_with_a_plain_name_is_recognized(self, write):
        assert read_landmarks(write("a.json", _markups())).frame == "LPS"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({}, "'landmarks' must be a list of objects"),
            ({"landmarks": [[1, 2]]}, "'landmarks' must be a list of objects"),
            ({"landmarks": [], "frame": "lps"}, "frame of 2-D points must be among .* got 'lps'"),
            (
                {"landmarks": [{"name": "a", "x": 1, "y": 2, "z": 3}], "frame": "mm"},
                r"frame of 3-D points must be among \['index', 'LPS', 'RAS'\]; got 'mm'. Name the one",
            ),
            ({"landmarks": [], "version": 2}, "version must be 1"),
            ({"landmarks": [{"x": 1, "y": 2}]}, r"landmarks\[0\] must have a name of its own"),
            ({"landmarks": [{"name": "a", "x": "1;2", "y": 2}]}, "a coordinate of 'a' must be a finite number"),
            ({"landmarks": [{"name": "a", "x": 1}]}, "a point must have all of its coordinates or none .*'a'"),
            ({"landmarks": [{"name": "a", "x": None, "y": 2}]}, "a point must have all of its coordinates or none"),
            ({"landmarks": [{"name": "a", "x": True, "y": 2}]}, "a coordinate of 'a' must be a finite number"),
        ],
    )
    def test_a_broken_file_is_refused(self, content, message, write):
        with pytest.raises(ValueError, match=message):
            read_landmark_json(write("a.json", json.dumps(content)))

    def test_an_odd_entry_is_left_out_and_refuses_no_other(self, write):
        entries = [{"name": "a", "x": 1, "y": 2}, {"x": 1}, {"name": "b"}, {"name": "c", "x": "1;2", "y": 2}]
        entries += [{"name": "d", "x": 1, "y": 2}, {"name": "d", "x": 1, "y": 2}]
        found = read_landmark_json(write("a.json", json.dumps({"landmarks": entries})), names=("b", "a", "c"))
        np.testing.assert_array_equal(found.points, [[NAN, NAN], [1, 2], [NAN, NAN]])
        assert [entry.name for entry in found.left_out] == [f"a.json landmarks[{n}]" for n in (1, 3, 4, 5)]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must exist; got .*nowhere\.csv"):
        read_landmarks(tmp_path / "nowhere.csv")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xffimage,a_x,a_y\x81")
    with pytest.raises(ValueError, match=r"a\.csv: the file must be UTF-8 text"):
        read_landmarks(tmp_path / "a.csv")


def test_an_unknown_extension_is_refused(write):
    with pytest.raises(ValueError, match=r"must end in \.txt, \.csv, \.fcsv, \.json or \.mrk\.json"):
        read_landmarks(write("a.xml", ""))


def test_a_format_can_be_named(write):
    assert read_landmarks(write("a.pts", "1,2\n"), format="isbi").points.tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="format must be among"):
        read_landmarks(write("a.pts", "1,2\n"), format="excel")  # type: ignore[arg-type]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    (tmp_path / "a.csv").write_text("image,a_x,a_y\n1.png,2,3\n", encoding="utf-8-sig")
    assert read_landmarks(tmp_path / "a.csv").names == ("a",)


def test_a_line_more_than_there_are_landmarks_is_refused(tmp_path):
    """It would get lost; what follows an ISBI annotation without a comma is the diagnosis."""
    (tmp_path / "a.txt").write_text("1\n0.5 0.5\n\n0.25 0.25\n")
    with pytest.raises(ValueError, match=r"a\.txt, line 4: 1 lines must follow the count; got '0\.25 0\.25'"):
        read_fraction_txt(tmp_path / "a.txt", image_size=(4, 4))
    (tmp_path / "b.txt").write_text("1,2\n3,4\n5,6\n1\n2\n")
    with pytest.raises(ValueError, match=r"b\.txt, line 3: there must be 2 lines 'x,y'; got '5,6'"):
        read_isbi_txt(tmp_path / "b.txt", names=["one", "two"])
    assert read_isbi_txt(tmp_path / "b.txt").points.tolist() == [[1, 2], [3, 4], [5, 6]]
