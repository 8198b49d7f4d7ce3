# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from monai_gu2net.data.datalist import SPLITS, Datalist
from monai_gu2net.data.domain import Domain, ReferenceLength
from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks import LandmarkSet, write_landmarks
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS, HAND_LANDMARKS, HEAD_LANDMARKS
from monai_gu2net.sources import read_layout, split_by_patient

read_head, read_hand, read_chest, read_table_folder, read_markups_folder = (
    partial(read_layout, layout=layout, allow_outside=1) for layout in ("head", "hand", "chest", "table", "markups")
)


def blank(path: Path, size: tuple[int, int] = (20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)


def domain_of(data: Datalist) -> Domain:
    [domain] = data.domains.values()
    return domain


def names_of(data: Datalist) -> dict[str, list[str]]:
    return {split: [case["case"] for case in data.cases(split)] for split in SPLITS}


def make_head(folder: Path, numbers: Sequence[int], *, size: tuple[int, int] = (620, 768)) -> Path:
    """Senior points at (n, 2n) for landmark n = 0..18, junior ones 2 further right; classes follow."""
    for number in numbers:
        blank(folder / "raw" / f"{number:03d}.png", size)
        for name, shift in (("400_senior", 0), ("400_junior", 2)):
            (folder / name).mkdir(exist_ok=True)
            lines = [f"{n + shift},{2 * n}" for n in range(19)] + ["1"] * 8
            (folder / name / f"{number:03d}.txt").write_text("\n".join(lines) + "\n")
    return folder


def make_hand(folder: Path, ids: Sequence[int], *, listed: Sequence[int] | None = None) -> Path:
    """37 points on the diagonal of images of 40x40: landmark n at (n, n)."""
    for image in ids:
        blank(folder / "jpg" / f"{image}.jpg", (40, 40))
    line = ",".join(f"{n},{n}" for n in range(1, 38))
    (folder / "all.csv").write_text("".join(f"{image},{line}\n" for image in (ids if listed is None else listed)))
    return folder


def make_chest(folder: Path, names: Sequence[str], *, size: tuple[int, int] = (224, 112)) -> Path:
    (folder / "labels").mkdir(parents=True)
    for name in names:
        blank(folder / "pngs" / f"{name}.png", size)
        (folder / "labels" / f"{name}.txt").write_text("6\n" + "0.25 0.5\n" * 5 + "1.0 0.0\n")
    return folder


class TestHead:
    def test_the_official_split_is_by_number(self, tmp_path):
        make_head(tmp_path, [1, 150, 151, 300, 301, 400])
        data = read_head(tmp_path)
        [domain] = data.domains.values()
        assert names_of(data) == {
            "training": ["001", "150"],
            "validation": [],
            "test": ["151", "300", "301", "400"],
        }
        assert domain.landmarks == HEAD_LANDMARKS
        assert (len(HEAD_LANDMARKS), domain.name, domain.size) == (19, "head", (416, 512))

    @pytest.mark.parametrize(("annotator", "x"), [("senior", 3.0), ("junior", 5.0), ("mean", 4.0)])
    def test_the_annotator_decides_the_ground_truth(self, annotator, x, tmp_path):
        data = read_head(make_head(tmp_path, [1]), annotator=annotator)
        assert data.training[0]["landmarks"][3] == [x, 6.0]

    @pytest.mark.parametrize("annotator", ["senior", "junior", "mean"])
    def test_both_annotators_travel_with_the_case_and_the_domain_says_who_was_chosen(self, annotator, tmp_path):
        data = read_head(make_head(tmp_path, [1]), annotator=annotator)
        [domain] = data.domains.values()
        annotators = data.training[0]["annotators"]
        assert {who: points[3] for who, points in annotators.items()} == {"senior": [3.0, 6.0], "junior": [5.0, 6.0]}
        assert domain.ground_truth == ("mean of senior and junior" if annotator == "mean" else annotator)

    @pytest.mark.parametrize(
        ("size", "spacing"),
        [((1935, 2400), (0.1, 0.1)), ((620, 768), (0.1 * 1935 / 620, 0.3125))],
    )
    def test_the_spacing_is_scaled_with_the_image(self, size, spacing, tmp_path):
        data = read_head(make_head(tmp_path, [1, 2], size=size))
        [domain] = data.domains.values()
        assert domain.spacing == pytest.approx(spacing)
        assert "spacing" not in data.training[0]

    def test_images_of_different_sizes_keep_a_spacing_each(self, tmp_path):
        make_head(tmp_path, [1])
        make_head(tmp_path, [2], size=(1935, 2400))
        data = read_head(tmp_path)
        [domain] = data.domains.values()
        assert domain.spacing is None
        assert data.training[0]["spacing"] == pytest.approx([0.312097, 0.3125], abs=1e-6)
        assert data.training[1]["spacing"] == pytest.approx([0.1, 0.1])

    def test_the_spacing_can_be_given_or_declared_unknown(self, tmp_path):
        make_head(tmp_path, [1])
        assert domain_of(read_head(tmp_path, spacing=(0.5, 0.25))).spacing == (0.5, 0.25)
        assert domain_of(read_head(tmp_path, spacing="unknown")).unit == "px"
        with pytest.raises(ValueError, match="spacing must be 'default', 'unknown' or"):
            read_head(tmp_path, spacing="none")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="spacing must be two positive numbers"):
            read_head(tmp_path, spacing=(0.1, -0.1))

    def test_validation_is_held_out_of_the_training_images_only(self, tmp_path):
        make_head(tmp_path, [*range(1, 11), 151])
        data = read_head(tmp_path, validation=3, seed=1)
        assert {part: len(names) for part, names in names_of(data).items()} == {
            "training": 7,
            "validation": 3,
            "test": 1,
        }
        assert names_of(read_head(tmp_path, validation=3, seed=1)) == names_of(data)
        assert names_of(read_head(tmp_path, validation=3, seed=2)) != names_of(data)

    def test_images_without_annotation_and_annotations_without_image_are_left_out(self, tmp_path):
        make_head(tmp_path, [1, 3])
        blank(tmp_path / "raw" / "002.png")
        (tmp_path / "raw" / "003.png").unlink()
        data = read_head(tmp_path)
        assert names_of(data)["training"] == ["001"]
        assert left_out_lines(data.left_out) == [
            "1 image(s) left out, it has no annotation: raw/002.png",
            "2 annotation(s) left out, it has no image: 400_senior/003.txt, 400_junior/003.txt",
        ]

    def test_the_mean_asks_for_both_annotators(self, tmp_path):
        make_head(tmp_path, [1])
        (tmp_path / "400_junior" / "001.txt").unlink()
        with pytest.raises(ValueError, match=r"400_junior.001\.txt: the annotation must be there"):
            read_head(tmp_path)
        (case,) = read_head(tmp_path, annotator="senior").training
        assert list(case["annotators"]) == ["senior"]

    def test_a_landmark_that_one_annotator_left_out_is_the_others(self, tmp_path):
        make_head(tmp_path, [1])
        (tmp_path / "400_junior" / "001.txt").write_text("nan,nan\n" * 2 + "8,8\n" * 17)
        (tmp_path / "400_senior" / "001.txt").write_text("nan,nan\n4,4\n" + "6,6\n" * 17)
        data = read_head(tmp_path)
        assert data.training[0]["landmarks"][:3] == [None, [4.0, 4.0], [7.0, 7.0]]

    @pytest.mark.parametrize("name", ["401.png", "photo.png"])
    def test_an_image_that_is_not_numbered_is_refused(self, name, tmp_path):
        make_head(tmp_path, [1])
        blank(tmp_path / "raw" / name)
        with pytest.raises(ValueError, match="must be numbered 001 to 400"):
            read_head(tmp_path)


class TestHand:
    @pytest.mark.parametrize(("count", "training"), [(909, 609), (910, 610), (10, 7), (2, 1), (1, 1)])
    def test_the_first_ids_train_in_the_papers_proportion(self, count, training, tmp_path):
        ids = list(range(9990, 9990 + count)) if count < 100 else list(range(3142, 3142 + count))
        data = read_hand(make_hand(tmp_path, ids))
        assert names_of(data)["training"] == [str(i) for i in ids[:training]]
        assert names_of(data)["test"] == [str(i) for i in ids[training:]]

    def test_the_wrist_gives_the_scale(self, tmp_path):
        data = read_hand(make_hand(tmp_path, [1, 2]))
        [domain] = data.domains.values()
        assert len(set(HAND_LANDMARKS)) == 37
        assert domain.reference == ReferenceLength(HAND_LANDMARKS[0], HAND_LANDMARKS[4], 50.0)
        assert (domain.spacing, domain.unit) == (None, "mm")
        assert data.training[0]["landmarks"][4] == [5.0, 5.0]

    def test_a_given_spacing_replaces_the_wrist(self, tmp_path):
        make_hand(tmp_path, [1, 2])
        given = domain_of(read_hand(tmp_path, spacing=(0.2, 0.2)))
        assert (given.spacing, given.reference) == ((0.2, 0.2), None)
        assert domain_of(read_hand(tmp_path, spacing="unknown")).unit == "px"

    def test_points_outside_the_image_are_absent(self, tmp_path):
        make_hand(tmp_path, [1, 2])
        points = [(-0.6, 5), (-0.5, 39.5), (39.6, 5), (5, 40)] + [(5, 5)] * 33
        line = ",".join(f"{x},{y}" for x, y in points)
        (tmp_path / "all.csv").write_text(f"1,{line}\n2,{line}\n")
        data = read_hand(tmp_path)
        assert data.training[0]["landmarks"][:5] == [None, [-0.5, 39.5], None, None, [5.0, 5.0]]

    def test_ids_without_image_and_images_without_line_are_named(self, tmp_path):
        make_hand(tmp_path, [1, 2, 3], listed=[2, 3, 4])
        data = read_hand(tmp_path)
        assert names_of(data) == {"training": ["2"], "validation": [], "test": ["3"]}
        assert left_out_lines(data.left_out) == [
            "1 image(s) left out, it has no line in all.csv: jpg/1.jpg",
            "1 line(s) left out, it has no image: all.csv id 4",
        ]

    def test_the_test_part_can_be_chosen(self, tmp_path):
        make_hand(tmp_path, range(1, 11))
        assert names_of(read_hand(tmp_path, test=2))["test"] == ["9", "10"]
        assert names_of(read_hand(tmp_path, test=0.1))["test"] == ["10"]

    def test_no_annotated_image_is_an_error(self, tmp_path):
        with pytest.raises(ValueError, match=r"jpg/ must hold images whose ids stand in all\.csv"):
            read_hand(make_hand(tmp_path, [1], listed=[2]))


class TestChest:
    def test_the_test_part_can_be_drawn_instead_of_taken_from_the_end(self, tmp_path):
        # the names sort by kind, so the end of the order would be of one kind alone
        names = [f"JPCLN{n:03d}" for n in range(20)] + [f"JPCNN{n:03d}" for n in range(20)]
        make_chest(tmp_path, names)
        drawn = names_of(read_chest(tmp_path, test=10, validation=4, drawn=True))
        assert {part: len(of) for part, of in drawn.items()} == {"training": 26, "validation": 4, "test": 10}
        assert {name[:5] for name in drawn["test"]} == {"JPCLN", "JPCNN"}
        assert drawn == names_of(read_chest(tmp_path, test=10, validation=4, drawn=True))
        assert drawn != names_of(read_chest(tmp_path, test=10, validation=4, drawn=True, seed=1))
        assert len(read_chest(tmp_path, drawn=True).test) == 7  # (279 - 229) / 279 of 40

    @pytest.mark.parametrize(("count", "training"), [(279, 229), (196, 161), (5, 4)])
    def test_the_first_names_train_in_the_papers_proportion(self, count, training, tmp_path):
        names = [f"JPCLN{n:03d}" for n in range(count)]
        data = read_chest(make_chest(tmp_path, names))
        assert names_of(data) == {"training": names[:training], "validation": [], "test": names[training:]}

    def test_the_authors_exclusion_leaves_41_images_to_test(self, tmp_path):
        names = [f"CHNCXR_{n:04d}_0" for n in range(55, 334)]
        data = read_chest(make_chest(tmp_path, names))
        assert [len(data.training), len(data.test)] == [229, 41]
        assert "CHNCXR_0059_0" not in names_of(data)["training"]

    def test_fractions_become_pixels_of_the_image(self, tmp_path):
        data = read_chest(make_chest(tmp_path, ["JPCLN001"]))
        points = data.training[0]["landmarks"]
        assert points[0] == [0.25 * 224 - 0.5, 0.5 * 112 - 0.5]
        assert points[5] == [223.5, -0.5]

    def test_the_spacing_is_that_of_jsrt_for_its_images_only(self, tmp_path):
        domain = domain_of(read_chest(make_chest(tmp_path / "jsrt", ["JPCLN001", "JPCNN002"], size=(224, 224))))
        assert domain.spacing == pytest.approx((1.6, 1.6))
        assert domain_of(read_chest(tmp_path / "jsrt", spacing="unknown")).spacing is None
        assert domain_of(read_chest(tmp_path / "jsrt", spacing=(2, 2))).spacing == (2, 2)
        other = domain_of(read_chest(make_chest(tmp_path / "other", ["CHNCXR_0001_0", "CHNCXR_0002_0"])))
        assert (other.spacing, other.unit) == (None, "px")

    def test_left_and_right_are_the_patients(self):
        assert CHEST_LANDMARKS[0] == "right_lung_apex"
        assert CHEST_LANDMARKS[4] == "left_costophrenic_angle"

    def test_images_without_label_labels_without_image_and_the_excluded_are_left_out(self, tmp_path):
        make_chest(tmp_path, ["JPCLN001", "JPCLN002", "JPCLN003", "CHNCXR_0059_0"])
        (tmp_path / "labels" / "JPCLN001.txt").unlink()
        (tmp_path / "pngs" / "JPCLN003.png").unlink()
        data = read_chest(tmp_path)
        assert names_of(data)["training"] == ["JPCLN002"]
        assert left_out_lines(data.left_out) == [
            "1 image(s) left out, it has no label: pngs/JPCLN001.png",
            "1 label(s) left out, it has no image: labels/JPCLN003.txt",
            "1 image(s) left out, it is to be excluded: CHNCXR_0059_0",
        ]

    def test_a_damaged_image_is_named(self, tmp_path):
        make_chest(tmp_path, ["JPCLN001"])
        (tmp_path / "pngs" / "JPCLN001.png").write_bytes(b"not an image")
        with pytest.raises(ValueError, match=r"JPCLN001\.png: the image must be readable"):
            read_chest(tmp_path)


@pytest.mark.parametrize(
    ("make", "names", "broken", "reason"),
    [
        (make_head, [1, 2, 160], None, "the image must be readable"),
        (make_head, [1, 2, 160], "400_senior/{}.txt", "400_senior/001.txt"),
        (make_hand, [1, 2, 3], None, "the image must be readable"),
        (make_chest, ["a", "b", "c"], None, "the image must be readable"),
        (make_chest, ["a", "b", "c"], "labels/{}.txt", "labels/a.txt"),
    ],
)
def test_what_is_broken_costs_a_dataset_nothing_but_itself(tmp_path, make, names, broken, reason):
    make(tmp_path, names)
    whole = read_layout(tmp_path)
    cases = whole.cases("all")
    image = Path(cases[0]["image"])
    (image if broken is None else tmp_path / broken.format(image.stem)).write_bytes(b"\xff\xfebroken\x00")
    found = read_layout(tmp_path)
    left = [case["case"] for case in found.cases("all")]
    assert sorted(left) == sorted(case["case"] for case in cases[1:])
    [item] = [item for item in found.left_out if item not in whole.left_out]
    assert (item.what, item.name) == ("image", image.relative_to(tmp_path).as_posix())
    assert reason in item.reason


def make_table(folder: Path, lines: Sequence[str], *, header: str = "image,patient,a_x,a_y,b_x,b_y") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "landmarks.csv").write_text("\n".join([header, *lines]) + "\n")
    for line in lines:
        blank(folder / "images" / line.split(",")[0], (20, 40))
    return folder


class TestTable:
    def test_patients_are_kept_together(self, tmp_path):
        lines = [f"{n:02d}.png,p{n // 3},1,2,3,4" for n in range(30)]
        data = read_table_folder(make_table(tmp_path / "my spine", lines))
        [domain] = data.domains.values()
        assert {part: len(names) for part, names in names_of(data).items()} == {
            "training": 21,
            "validation": 3,
            "test": 6,
        }
        patients = [{case["patient"] for case in data.cases(split)} for split in SPLITS]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 10
        assert (domain.name, domain.landmarks, domain.unit) == ("my_spine", ("a", "b"), "px")

    def test_the_input_size_has_the_images_proportions(self, tmp_path):
        domain = domain_of(read_table_folder(make_table(tmp_path, ["1.png,,1,2,3,4"])))
        assert domain.size == (256, 512)
        assert domain_of(read_table_folder(tmp_path, size=(64, 96))).size == (64, 96)

    def test_empty_and_outside_points_are_absent(self, tmp_path):
        data = read_table_folder(make_table(tmp_path, ["1.png,,,,21,3", "2.png,,1,2,3,4"]), test=0, validation=0)
        assert data.training[0]["landmarks"] == [None, None]

    def test_a_split_column_decides(self, tmp_path):
        header = "image,split,a_x,a_y"
        lines = ["1.png,test,1,2", "2.png,training,1,2", "3.png,validation,1,2"]
        data = read_table_folder(make_table(tmp_path, lines, header=header))
        assert names_of(data) == {"training": ["2"], "validation": ["3"], "test": ["1"]}
        with pytest.raises(ValueError, match="the column 'split' must be filled in for all cases and decide alone"):
            read_table_folder(tmp_path, test=0.5)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("2.png,,1,2", "must be filled in for all cases"),
            ("2.png,train,1,2", "line 3: split must be one of"),
        ],
    )
    def test_a_broken_split_column_is_refused(self, line, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            read_table_folder(make_table(tmp_path, ["1.png,test,1,2", line], header="image,split,a_x,a_y"))

    def test_spacing_columns_are_taken_over(self, tmp_path):
        header = "image,spacing_x,spacing_y,a_x,a_y"
        make_table(tmp_path, ["1.png,0.1,0.2,1,2", "2.png,,,1,2"], header=header)
        data = read_table_folder(tmp_path, test=0, validation=0)
        [domain] = data.domains.values()
        assert domain.spacing is None
        assert [case.get("spacing") for case in data.training] == [[0.1, 0.2], None]

    def test_spacing_columns_may_name_their_unit(self, tmp_path):
        header = "image,patient,spacing_x_mm,spacing_y_mm,ofd_a_x,ofd_a_y"
        make_table(tmp_path, ["1.png,p,0.1,0.2,1,2", "2.png,q,,,1,2"], header=header)
        data = read_table_folder(tmp_path, test=0, validation=0)
        [domain] = data.domains.values()
        assert domain.landmarks == ("ofd_a",)
        assert data.left_out == ()
        assert [case.get("spacing") for case in data.training] == [[0.1, 0.2], None]

    def test_of_two_pairs_of_spacing_columns_those_that_name_a_unit_are_left_out_and_named(self, tmp_path):
        header = "image,spacing_x,spacing_y,spacing_x_mm,spacing_y_mm,a_x,a_y"
        make_table(tmp_path, ["1.png,0.1,0.2,0.5,0.5,1,2"], header=header)
        data = read_table_folder(tmp_path)
        [domain] = data.domains.values()
        assert domain.spacing == (0.1, 0.2)
        assert [item.name for item in data.left_out] == ["spacing_x_mm", "spacing_y_mm"]

    def test_a_long_table_reads_as_well(self, tmp_path):
        blank(tmp_path / "1.png")
        (tmp_path / "landmarks.csv").write_text("image,landmark,x,y\n1.png,a,1,2\n1.png,b,3,4\n")
        data = read_table_folder(tmp_path)
        assert data.training[0]["landmarks"] == [[1.0, 2.0], [3.0, 4.0]]

    def test_strays_on_either_side_are_named(self, tmp_path):
        make_table(tmp_path, ["1.png,,1,2,3,4", "2.png,,1,2,3,4"])
        (tmp_path / "images" / "1.png").rename(tmp_path / "images" / "3.png")
        data = read_table_folder(tmp_path)
        assert names_of(data)["training"] == ["2"]
        assert left_out_lines(data.left_out) == [
            "1 line(s) left out, its image is not there: landmarks.csv line 2 (1.png)",
            "1 image(s) left out, it has no line in landmarks.csv: images/3.png",
        ]

    def test_an_image_under_two_names_is_left_out_and_refuses_no_other(self, tmp_path):
        twice = ["1.png,p,1,2,3,4", "images/1.png,q,5,6,7,8"]
        read = read_table_folder(make_table(tmp_path / "a", [*twice, "2.png,r,5,6,7,8"]), test=0, validation=0)
        assert [case["case"] for case in read.training] == ["2"]
        assert [item.name for item in read.left_out if "another line" in item.reason] == [
            "landmarks.csv line 2 (1.png)",
            "landmarks.csv line 3 (images/1.png)",
        ]
        with pytest.raises(ValueError, match=r"each in one line only; got none of \['1.png', 'images/1.png'\]"):
            read_table_folder(make_table(tmp_path / "b", twice))

    def test_a_line_with_another_number_of_cells_is_refused(self, tmp_path):
        for line, count in (("1.png,,1,2,3", 5), ("1.png,,1,2,3,4,5", 7)):
            folder = make_table(tmp_path / str(count), [line])
            with pytest.raises(ValueError, match=rf"line 2: the line must have 6 fields, as the header; got {count}"):
                read_table_folder(folder)

    def test_columns_without_use_are_named(self, tmp_path):
        header = "image,pateint,a_x,a_y,spacing_x_mm,remark"
        make_table(tmp_path, ["1.png,p,1,2,0.1,good"], header=header)
        assert left_out_lines(read_table_folder(tmp_path).left_out) == [
            "1 column(s) left out, unknown; did you mean 'patient'?: pateint",
            "1 column(s) left out, unknown; did you mean 'spacing_x'?: spacing_x_mm",
            "1 column(s) left out, unknown: remark",
        ]

    def test_images_that_pillow_does_not_read_keep_all_their_points(self, tmp_path):
        (tmp_path / "1.dcm").write_bytes(b"")
        (tmp_path / "landmarks.csv").write_text("image,a_x,a_y\n1.dcm,5000,2\n")
        data = read_table_folder(tmp_path)
        [domain] = data.domains.values()
        assert data.training[0]["landmarks"] == [[5000.0, 2.0]]
        assert domain.size == (512, 512)

    def test_points_in_mm_are_refused(self, tmp_path):
        blank(tmp_path / "1.png")
        (tmp_path / "landmarks.csv").write_text("image,landmark,x,y,frame\n1.png,a,1,2,mm\n")
        with pytest.raises(ValueError, match=r"1\.png: landmarks must be 2-D pixel indices; got 2-D in 'mm'"):
            read_table_folder(tmp_path)


class TestMarkups:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name, points in (("a", [[1.0, 2.0], [3.0, 4.0]]), ("b", [[5.0, 6.0], [math.nan] * 2])):
            blank(tmp_path / f"{name}.png")
            write_landmarks(tmp_path / f"{name}.mrk.json", LandmarkSet(("one", "two"), np.array(points), "mm"))
        return tmp_path

    def test_points_without_spacing_are_pixels(self, folder):
        data = read_markups_folder(folder, test=0, validation=0)
        [domain] = data.domains.values()
        assert [case["landmarks"] for case in data.training] == [[[1, 2], [3, 4]], [[5, 6], None]]
        assert (domain.landmarks, domain.unit) == (("one", "two"), "px")

    def test_points_in_mm_become_pixels_by_the_spacing(self, folder):
        data = read_markups_folder(folder, spacing=(0.5, 0.25), test=0, validation=0)
        [domain] = data.domains.values()
        assert data.training[0]["landmarks"] == [[2.0, 8.0], [6.0, 16.0]]
        assert domain.spacing == (0.5, 0.25)

    def test_names_can_be_fixed(self, folder):
        data = read_markups_folder(folder, landmarks=["two", "three", "one"], test=0, validation=0)
        [domain] = data.domains.values()
        assert domain.landmarks == ("two", "three", "one")
        assert data.training[0]["landmarks"] == [[3.0, 4.0], None, [1.0, 2.0]]
        with pytest.raises(
            ValueError, match=r"got none: a\.mrk\.json: landmarks must be among \['one'\]; got \['two'\]"
        ):
            read_markups_folder(folder, landmarks=["one"])

    def test_strays_on_either_side_are_named(self, folder):
        (folder / "a.png").rename(folder / "c.png")
        data = read_markups_folder(folder)
        assert names_of(data)["training"] == ["b"]
        assert left_out_lines(data.left_out) == [
            "1 image(s) left out, it has no markups: c.png",
            "1 markups file(s) left out, it has no image: a.mrk.json",
        ]


class TestReadLayout:
    @pytest.fixture(params=["head", "hand", "chest", "table", "markups"])
    def dataset(self, request, tmp_path: Path) -> tuple[str, Path]:
        make = {
            "head": lambda folder: make_head(folder, [1, 2, 151]),
            "hand": lambda folder: make_hand(folder, [1, 2, 3]),
            "chest": lambda folder: make_chest(folder, ["JPCLN001", "JPCLN002", "JPCLN003"]),
            "table": lambda folder: make_table(folder, [f"{n}.png,,1,2,3,4" for n in range(3)]),
        }
        folder = tmp_path / "dataset"
        folder.mkdir()
        if request.param in make:
            make[request.param](folder)
        else:
            for n in range(3):
                blank(folder / "images" / f"{n}.png")
                markups = folder / "images" / f"{n}.mrk.json"
                write_landmarks(markups, LandmarkSet(("a",), np.ones((1, 2)), "mm"))
        return request.param, folder

    def test_each_layout_is_recognized_and_makes_a_datalist(self, dataset):
        _, folder = dataset
        data = read_layout(folder, domain="mine", size=(32, 48))
        [domain] = data.domains.values()
        assert data.left_out == ()
        assert (domain.name, domain.size) == ("mine", (32, 48))
        assert len(data.cases("all")) == 3
        assert all(Path(case["image"]).is_absolute() for case in data.training)

    def test_naming_the_layout_gives_the_same(self, dataset):
        layout, folder = dataset
        assert read_layout(folder, layout=layout) == read_layout(folder)

    def test_an_unrecognized_folder_is_shown_the_layouts(self, tmp_path):
        with pytest.raises(ValueError, match=r"head: raw/NNN.*markups: images.*got none of them"):
            read_layout(tmp_path)

    def test_a_folder_of_two_layouts_must_be_named(self, tmp_path):
        make_hand(tmp_path, [1, 2])
        make_chest(tmp_path, ["JPCLN001"])
        with pytest.raises(ValueError, match="got hand and chest"):
            read_layout(tmp_path)
        assert read_layout(tmp_path, layout="chest").name == "chest"

    def test_an_option_of_another_layout_is_refused(self, tmp_path):
        make_hand(tmp_path, [1, 2])
        with pytest.raises(ValueError, match=r"of use to the layout 'hand'; got \['annotator'\]"):
            read_layout(tmp_path, annotator="senior")

    def test_a_folder_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"must be a folder; got .*nowhere"):
            read_layout(tmp_path / "nowhere")

    def test_an_unknown_layout_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="layout must be among"):
            read_layout(tmp_path, layout="coco")  # type: ignore[arg-type]


SHARES = st.floats(0, 0.49) | st.integers(0, 2)


class TestSplitByPatient:
    @given(
        patients=st.lists(st.integers(0, 30), min_size=6, max_size=40).filter(lambda drawn: len(set(drawn)) > 5),
        validation=SHARES,
        test=SHARES,
        seed=st.integers(0, 5),
    )
    def test_no_patient_stands_in_two_parts_and_no_wished_part_is_empty(self, patients, validation, test, seed):
        cases = [{"case": str(n), "patient": str(patient)} for n, patient in enumerate(patients)]
        splits = split_by_patient(cases, validation=validation, test=test, seed=seed)
        found = {part: {case["patient"] for case in of} for part, of in splits.items()}
        assert sum(map(len, found.values())) == len(set(patients))
        assert sorted(int(case["case"]) for of in splits.values() for case in of) == list(range(len(cases)))
        assert found["training"]
        for part, wanted in (("validation", validation), ("test", test)):
            assert bool(found[part]) == (wanted > 0)
            if isinstance(wanted, int):
                assert len(found[part]) == wanted
        assert splits == split_by_patient(cases, validation=validation, test=test, seed=seed)

    def test_the_order_of_the_cases_does_not_matter(self):
        cases = [{"case": str(n)} for n in range(20)]
        forwards, backwards = (split_by_patient(of, validation=0.2, test=0.3) for of in (cases, cases[::-1]))
        assert {p: {c["case"] for c in of} for p, of in forwards.items()} == {
            p: {c["case"] for c in of} for p, of in backwards.items()
        }

    @pytest.mark.parametrize(("count", "sizes"), [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1))])
    def test_training_comes_first_then_test_where_patients_are_few(self, count, sizes):
        splits = split_by_patient([{"case": str(n)} for n in range(count)], validation=0.1, test=0.2)
        assert tuple(len(splits[part]) for part in ("training", "validation", "test")) == sizes

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ({"test": 1.5}, r"test must be a fraction in \[0, 1\)"),
            ({"validation": -1}, "validation must be a count that leaves a patient"),
            ({"test": 2, "validation": 2}, "must be a count that leaves a patient to train on; got 2 of 4"),
            ({"test": 0.5, "validation": 0.5}, "must sum to less than 1"),
        ],
    )
    def test_parts_that_leave_nobody_to_train_on_are_refused(self, parts, message):
        with pytest.raises(ValueError, match=message):
            split_by_patient([{"case": str(n)} for n in range(4)], **parts)
