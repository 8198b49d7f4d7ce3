# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets of DICOM images."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign_reports
import numpy as np
import pytest
from PIL import Image

from monai_gu2net.data.dicom_entries import read_entries
from monai_gu2net.data.reader import radiograph_size
from monai_gu2net.dicom import Derivation, read_header
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.landmarks import LandmarkSet, write_landmarks
from monai_gu2net.sources import read_layout, recognize_layout

PIXELS = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
Make = Callable[..., Path]


def all_cases(folder: Path, **options: Any) -> dict[str, dict[str, Any]]:
    data = read_layout(folder, domain="d", **options)
    return {case["case"]: case for case in data.cases("all")}


def markups(path: Path, points_mm: list[list[float]]) -> None:
    names = tuple("abc"[: len(points_mm)])
    write_landmarks(path, LandmarkSet(names, np.array(points_mm), "mm"))


def test_points_of_slicer_are_where_slicer_shows_the_image(tmp_path: Path, make_dicom: Make) -> None:
    make_dicom(tmp_path / "one.dcm", PIXELS, PixelSpacing=[0.1, 0.2])
    make_dicom(tmp_path / "two.dcm", PIXELS, ImagerPixelSpacing=[0.5, 0.25])
    make_dicom(tmp_path / "both.dcm", PIXELS, ImagerPixelSpacing=[0.5, 0.25], PixelSpacing=[0.1, 0.2])
    make_dicom(tmp_path / "bare.dcm", PIXELS)
    for name in ("one", "two", "both", "bare"):
        markups(tmp_path / f"{name}.mrk.json", [[2.0, 1.0]])
    cases = all_cases(tmp_path, validation=0, test=0)
    found = {name: case["landmarks"] for name, case in cases.items()}
    assert found["one"] == [[2.0, 1.0]]  # of CR, Slicer does not read PixelSpacing
    assert found["two"] == [pytest.approx([8.0, 2.0])]
    assert found["both"] == [pytest.approx([8.0, 2.0])]
    assert found["bare"] == [[2.0, 1.0]]
    assert not any("spacing" in case for case in cases.values())


def test_a_spacing_that_is_given_goes_before_the_files(tmp_path: Path, make_dicom: Make) -> None:
    make_dicom(tmp_path / "one.dcm", PIXELS, PixelSpacing=[0.1, 0.2])
    markups(tmp_path / "one.mrk.json", [[2.0, 1.0]])
    data = read_layout(tmp_path, spacing=(0.5, 0.25), validation=0, test=0)
    [domain] = data.domains.values()
    assert data.training[0]["landmarks"] == [[4.0, 4.0]]
    assert domain.spacing == (0.5, 0.25)
    assert read_layout(tmp_path, spacing="unknown", validation=0, test=0).training[0]["landmarks"] == [[2.0, 1.0]]


def test_a_landmark_outside_of_a_dicom_image_is_absent(tmp_path: Path, make_dicom: Make) -> None:
    make_dicom(tmp_path / "one.dcm", PIXELS)
    markups(tmp_path / "one.mrk.json", [[29.4, 19.4], [29.6, 1.0], [1.0, 19.6]])
    assert all_cases(tmp_path, validation=0, test=0, allow_outside=1)["one"]["landmarks"] == [[29.4, 19.4], None, None]


@pytest.mark.parametrize("place", ["", "images"])
def test_a_table_names_dicom_by_file_or_by_uid(tmp_path: Path, make_dicom: Make, place: str) -> None:
    make_dicom(tmp_path / place / "by_name.dcm", PIXELS)
    make_dicom(tmp_path / place / "1.2.3.4", PIXELS)
    uid = str(read_header(make_dicom(tmp_path / place / "by_uid", PIXELS)).SOPInstanceUID)
    (tmp_path / "landmarks.csv").write_text(f"image,a_x,a_y\nby_name.dcm,1,2\n1.2.3.4,3,4\n{uid},5,6\n1.2.9,7,8\n")
    cases = all_cases(tmp_path, validation=0, test=0)
    assert {name: case["landmarks"] for name, case in cases.items()} == {
        "by_name": [[1.0, 2.0]],
        "1.2.3.4": [[3.0, 4.0]],
        "by_uid": [[5.0, 6.0]],
    }
    assert uid not in json.dumps(list(cases.values()))


def test_images_of_one_patient_stay_together_under_a_label_without_meaning(tmp_path: Path, make_dicom: Make) -> None:
    lines = ["image,a_x,a_y"]
    for n in range(12):
        make_dicom(tmp_path / f"{n:02d}.dcm", PIXELS, PatientID=f"Doe-{n // 3}" if n < 9 else "")
        lines.append(f"{n:02d}.dcm,1,2")
    (tmp_path / "landmarks.csv").write_text("\n".join(lines) + "\n")
    cases = all_cases(tmp_path, validation=1, test=1)  # a patient in two parts is an error of the datalist
    patients = [case["patient"] for _, case in sorted(cases.items())]
    assert patients == ["patient_0001"] * 3 + ["patient_0002"] * 3 + ["patient_0003"] * 3 + ["09", "10", "11"]
    assert "Doe" not in json.dumps(list(cases.values()))


def test_the_tables_patient_goes_before_the_files(tmp_path: Path, make_dicom: Make) -> None:
    make_dicom(tmp_path / "1.dcm", PIXELS)
    (tmp_path / "landmarks.csv").write_text("image,patient,a_x,a_y\n1.dcm,p7,1,2\n")
    assert all_cases(tmp_path, validation=0, test=0)["1"]["patient"] == "p7"


def report(path: Path, image: Path, points: list[list[float]], names: tuple[str, ...] = ("a", "b")) -> Path:
    path.parent.mkdir(exist_ok=True)
    landmarks = LandmarkSet(names, np.array(points), "index")
    return Path(write_structured_report(path, landmarks, derivation=Derivation(read_header(image), "m", "1")))


@pytest.mark.parametrize(("images", "reports"), [("", ""), ("images", "sr")])
def test_reports_belong_to_the_images_that_they_reference(
    tmp_path: Path, make_dicom: Make, images: str, reports: str
) -> None:
    """Whatever the files are called; the second report lacks a landmark."""
    one, two, alone = (make_dicom(tmp_path / images / name, PIXELS, PatientID=name) for name in ("x", "y", "alone"))
    report(tmp_path / reports / "first.dcm", two, [[1.5, 2.25], [3.0, 4.0]])
    report(tmp_path / reports / "y.sr.dcm", one, [[5.0, 6.0], [np.nan, np.nan]])
    assert recognize_layout(tmp_path) == "sr"
    cases = all_cases(tmp_path, validation=0, test=0)
    left_out = read_layout(tmp_path, domain="d").left_out
    assert [(item.what, item.name, item.reason) for item in left_out] == [
        ("image", alone.relative_to(tmp_path).as_posix(), "it has no report")
    ]
    assert cases["y"]["landmarks"] == [pytest.approx([1.5, 2.25]), pytest.approx([3.0, 4.0])]
    assert cases["x"]["landmarks"] == [pytest.approx([5.0, 6.0]), None]
    assert [case["image"] for case in cases.values()] == [str(one), str(two)]
    assert not any("spacing" in case for case in cases.values())


def test_images_without_reports_are_no_dataset_of_reports(tmp_path: Path, make_dicom: Make) -> None:
    make_dicom(tmp_path / "x.dcm", PIXELS)
    with pytest.raises(ValueError, match=r"a dataset must have one of the layouts .*sr: DICOM.*; got none of them"):
        recognize_layout(tmp_path)
    with pytest.raises(ValueError, match="images must have structured reports about them; got none"):
        read_layout(tmp_path, layout="sr")


def test_what_a_file_is_stands_in_its_header(tmp_path: Path, make_dicom: Make) -> None:
    (tmp_path / "torn.dcm").write_text("words")
    image, torn = read_entries([make_dicom(tmp_path / "a", PIXELS, PixelSpacing=[0.1, 0.2]), tmp_path / "torn.dcm"])
    assert (image.kind, image.size, image.spacing, image.patient) == ("image", (30, 20), (0.2, 0.1), "patient_0001")
    assert (torn.kind, torn.size, torn.patient) == ("broken", None, None)
    assert torn.what.startswith("torn.dcm")


def test_a_picture_turned_by_its_exif_tag_has_the_size_that_is_read(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert radiograph_size(tmp_path / "a.jpg") == (20, 30)


def uid_of(path: Path) -> str:
    return str(read_header(path).SOPInstanceUID)


def test_annotating_in_ohif_makes_a_dataset(tmp_path: Path, make_dicom: Make) -> None:
    """One report about two images, with a length; the lists of a report of its own and of one about no image there."""
    one, two = (make_dicom(tmp_path / "images" / f"{name}.dcm", PIXELS) for name in ("one", "two"))
    foreign_reports.report(
        tmp_path / "sr" / "a",
        foreign_reports.arrow(uid_of(one), (5.5, 6.5), "sella", moved=True),
        foreign_reports.probe(uid_of(one), (7.5, 8.5), "nasion"),
        foreign_reports.length(uid_of(one)),
        foreign_reports.arrow(uid_of(two), (9.5, 10.5), "sella"),
    )
    foreign_reports.report(tmp_path / "sr" / "lengths.dcm", foreign_reports.length(uid_of(two)))
    foreign_reports.report(tmp_path / "sr" / "stray.dcm", foreign_reports.arrow("1.2.3", (1.5, 1.5), "sella"))
    (tmp_path / "sr" / "torn.dcm").write_text("words")
    found = read_layout(tmp_path, test=0, validation=0)
    assert found.domains[found.name].landmarks == ("sella", "nasion")
    assert {case["case"]: case["landmarks"] for case in found.training} == {
        "one": [[5.0, 6.0], [7.0, 8.0]],
        "two": [[9.0, 10.0], None],
    }
    assert sorted((entry.what, entry.name) for entry in found.left_out) == [
        ("file", "sr/torn.dcm"),
        ("measurement group", "a group 3"),
        ("measurement group", "lengths.dcm group 1"),
        ("report", "sr/stray.dcm"),
    ]


def test_random_identifiers_make_no_landmark_for_every_point(tmp_path: Path, make_dicom: Make) -> None:
    for n, name in enumerate(("one", "two", "three")):
        image = make_dicom(tmp_path / f"{name}.dcm", PIXELS)
        points = [
            foreign_reports.of_dcmqi(
                uid_of(image), (n + 1.5, y + 2.5), f"76CF16B1D9619F{n}{y}", (f"9{y}", "99TEST", finding)
            )
            for y, finding in enumerate(("sella", "nasion", "porion"))
        ]
        foreign_reports.report(tmp_path / f"{name}.sr.dcm", *points)
    data = read_layout(tmp_path, test=0, validation=0)
    [domain] = data.domains.values()
    assert domain.landmarks == ("sella", "nasion", "porion")
    found = {case["case"]: case["landmarks"] for case in data.training}
    assert found == {name: [[n + 1.0, y + 2.0] for y in range(3)] for n, name in enumerate(("one", "two", "three"))}
    assert data.left_out == ()


def test_of_several_reports_about_an_image_the_last_counts(tmp_path: Path, make_dicom: Make) -> None:
    image = uid_of(make_dicom(tmp_path / "x.dcm", PIXELS))
    for name, x, written in (
        ("a", 1.5, "20240301 120000"),
        ("b", 2.5, "20240302 080000"),
        ("c", 3.5, "20240301 235959"),
    ):
        tree = foreign_reports.arrow(image, (x, 2.5), "sella")
        foreign_reports.report(tmp_path / f"{name}.sr.dcm", tree, written=written)
    data = read_layout(tmp_path, test=0, validation=0)
    assert data.training[0]["landmarks"] == [[2.0, 2.0]]
    assert {entry.name: entry.reason for entry in data.left_out} == dict.fromkeys(
        ("a.sr.dcm", "c.sr.dcm"), "another one about its image counts, the last written"
    )


def test_reports_of_one_time_that_differ_leave_out_their_image_alone(tmp_path: Path, make_dicom: Make) -> None:
    image, other, same = (uid_of(make_dicom(tmp_path / f"{name}.dcm", PIXELS)) for name in ("x", "y", "z"))
    for name, x in (("a", 1.5), ("b", 2.5)):
        foreign_reports.report(tmp_path / f"{name}.sr.dcm", foreign_reports.arrow(image, (x, 2.5), "sella"))
        foreign_reports.report(tmp_path / f"{name}2.sr.dcm", foreign_reports.arrow(same, (4.5, 2.5), "sella"))
    foreign_reports.report(tmp_path / "c.sr.dcm", foreign_reports.arrow(other, (3.5, 2.5), "sella"))
    data = read_layout(tmp_path, test=0, validation=0)
    assert {case["case"]: case["landmarks"] for case in data.training} == {"y": [[3.0, 2.0]], "z": [[4.0, 2.0]]}
    assert [(entry.what, entry.name) for entry in data.left_out] == [
        ("report", "a.sr.dcm"),
        ("report", "b.sr.dcm"),
        ("report", "b2.sr.dcm"),
        ("image", "x.dcm"),
    ]


def test_a_landmark_in_a_later_frame_is_no_landmark_of_the_first(tmp_path: Path, make_dicom: Make) -> None:
    image = uid_of(make_dicom(tmp_path / "x.dcm", PIXELS))
    tree = [foreign_reports.arrow(image, (n + 1.5, 2.5), "sella") for n in range(2)]
    line = tree[1].ContentSequence[2].ContentSequence[0]
    line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber = 2
    foreign_reports.report(tmp_path / "a.sr.dcm", *tree)
    data = read_layout(tmp_path, test=0, validation=0)
    assert data.training[0]["landmarks"] == [[1.0, 2.0]]
    assert [entry.reason for entry in data.left_out] == ["its points are in another frame than the image's first"]


def test_dicom_that_is_no_image_is_left_out_of_reports_once(tmp_path: Path, make_dicom: Make) -> None:
    image = uid_of(make_dicom(tmp_path / "x.dcm", PIXELS))
    foreign_reports.report(tmp_path / "x.sr.dcm", foreign_reports.arrow(image, (1.5, 2.5), "sella"))
    make_dicom(tmp_path / "wave.dcm", PIXELS, Rows=None)
    (tmp_path / "torn.dcm").write_text("words")
    data = read_layout(tmp_path, test=0, validation=0)
    assert [case["case"] for case in data.training] == ["x"]
    assert [(item.what, item.name) for item in data.left_out] == [("file", "torn.dcm"), ("file", "wave.dcm")]
    assert data.left_out[1].reason.startswith("it is no image")
