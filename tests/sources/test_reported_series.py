# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Datasets of DICOM series with structured reports about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign_reports
import numpy as np
import pydicom
import pytest
from series_files import make_enhanced, make_series, oblique_affine

from monai_gu2net.dicom import Derivation, read_header, series_headers
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.sources import read_layout, recognize_layout

VOXELS = np.arange(12 * 10 * 8, dtype=np.uint16).reshape(12, 10, 8)
POINTS = [[1.25, 2.5, 3.0], [9.0, 8.0, 6.5]]


def series(folder: Path, *, degrees: float = 20.0, patient: str = "A", **tags: Any) -> Path:
    of = {"series": tags.pop("series", folder.name), "PatientID": patient}
    return make_series(folder, VOXELS, oblique_affine(degrees=degrees), **of, **tags)


def report(path: Path, place: Path, points: list[list[float]], **about: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    slices = series_headers(place)
    derivation = Derivation(slices[0], "m", "1", slices=tuple(slices), **about)
    landmarks = LandmarkSet(("nasion", "basion")[: len(points)], np.array(points), "index")
    return Path(write_structured_report(path, landmarks, derivation=derivation))


def left_out_of(folder: Path) -> dict[str, str]:
    return {item.name: item.reason for item in read_layout(folder, domain="d", test=0, validation=0).left_out}


@pytest.mark.parametrize("by", ["reports", "table"])
def test_a_report_before_the_slices_hides_no_patient(tmp_path: Path, by: str) -> None:
    """Four series of one patient, two of them with a report in their own folder that comes first by its name."""
    names = ("one", "two", "three", "four")
    places = [series(tmp_path / "images" / name, patient="A") for name in names]
    for place in places[:2]:
        report(tmp_path / "x.dcm", place, POINTS).rename(place / "0_report.dcm")
    if by == "reports":
        for place in places:
            report(tmp_path / "sr" / f"{place.name}.dcm", place, POINTS)
    else:
        lines = [f"{name},1,2,3" for name in names]
        (tmp_path / "landmarks.csv").write_text("\n".join(["image,nasion_i,nasion_j,nasion_k", *lines]) + "\n")
    data = read_layout(tmp_path, domain="d", test=0, validation=0)
    assert {Path(case["image"]).name for case in data.training} == set(names)
    assert len({case["patient"] for case in data.training}) == 1


@pytest.mark.parametrize(("images", "reports"), [("", ""), ("images", "sr")])
def test_reports_belong_to_the_series_of_their_evidence(tmp_path: Path, images: str, reports: str) -> None:
    one, two, alone = (
        series(tmp_path / images / name, degrees=degrees, patient=patient)
        for name, degrees, patient in (("one", 20.0, "A"), ("two", -35.0, "B"), ("alone", 0.0, "B"))
    )
    report(tmp_path / reports / "x.dcm", two, POINTS)
    report(tmp_path / reports / "y.dcm", one, POINTS[::-1])
    assert recognize_layout(tmp_path) == "sr"
    data = read_layout(tmp_path, domain="d", test=0, validation=0)
    cases = {Path(case["image"]): case for case in data.training}
    np.testing.assert_allclose(cases[two]["landmarks"], POINTS, rtol=0, atol=1e-4)
    np.testing.assert_allclose(cases[one]["landmarks"], POINTS[::-1], rtol=0, atol=1e-4)
    assert data.domains["d"].landmarks == ("nasion", "basion")
    assert len(data.domains["d"].size) == 3
    assert [(item.what, item.name, item.reason) for item in data.left_out] == [
        ("series", alone.relative_to(tmp_path).as_posix(), "it has no report")
    ]
    assert {case["patient"] for case in cases.values()} == {"patient_0001", "patient_0002"}


def foreign(path: Path, space: str, point: list[float]) -> Path:
    """A report without evidence, as programs write that know no other place for it than the frame of reference."""
    at = foreign_reports.item("SCOORD3D", "INFERRED FROM", None, GraphicType="POINT", GraphicData=point)
    at.ReferencedFrameOfReferenceUID = space
    group = foreign_reports.group("nasion", foreign_reports.number(foreign_reports.LABEL, 0, at))
    return foreign_reports.report(path, group)


def test_without_evidence_the_frame_of_reference_tells_the_series(tmp_path: Path) -> None:
    slices = series_headers(series(tmp_path / "one"))
    series(tmp_path / "two")
    third = slices[2]
    foreign(tmp_path / "a.dcm", third.FrameOfReferenceUID, [float(value) for value in third.ImagePositionPatient])
    data = read_layout(tmp_path, domain="d", test=0, validation=0)
    assert [Path(case["image"]).name for case in data.training] == ["one"]
    np.testing.assert_allclose(data.training[0]["landmarks"], [[0.0, 0.0, 2.0]], rtol=0, atol=1e-4)


def test_a_report_that_fits_several_series_of_one_space_is_left_out(tmp_path: Path) -> None:
    one = series(tmp_path / "one", series="both")
    series(tmp_path / "two", series="both", SeriesInstanceUID="1.2.3")
    other = series(tmp_path / "three")
    foreign(tmp_path / "a.dcm", series_headers(one)[0].FrameOfReferenceUID, [1.0, 2.0, 3.0])
    report(tmp_path / "b.dcm", other, POINTS)
    assert left_out_of(tmp_path) == {
        "a.dcm": "it may be about any of several series of its frame of reference",
        "one": "it has no report",
        "two": "it has no report",
    }


def in_another_space(path: Path) -> None:
    edited = pydicom.dcmread(path)
    for item in edited.iterall():
        if item.keyword == "ReferencedFrameOfReferenceUID":
            item.value = "1.2.9"
    edited.save_as(path)


def test_points_in_another_space_than_the_series_of_their_evidence_are_left_out(tmp_path: Path) -> None:
    one, two = series(tmp_path / "one"), series(tmp_path / "two")
    in_another_space(report(tmp_path / "a.dcm", one, POINTS))
    report(tmp_path / "b.dcm", two, POINTS)
    assert left_out_of(tmp_path) == {
        "a.dcm": "its points are in another frame of reference than its series",
        "one": "it has no report",
    }


def test_a_report_of_nothing_found_in_a_series_has_no_landmark_of_it(tmp_path: Path) -> None:
    one, two = series(tmp_path / "one"), series(tmp_path / "two")
    report(tmp_path / "a.dcm", one, POINTS)
    report(tmp_path / "b.dcm", two, [[np.nan] * 3] * 2)
    data = read_layout(tmp_path, domain="d", test=0, validation=0)
    cases = {Path(case["image"]).name: case["landmarks"] for case in data.training}
    assert cases["two"] == [None, None]


def test_an_enhanced_object_is_a_series_beside_its_report(tmp_path: Path) -> None:
    volume = make_enhanced(tmp_path / "volume.dcm", VOXELS, oblique_affine(), slope=lambda level: 1.0)
    report(tmp_path / "a.dcm", volume, POINTS)
    data = read_layout(tmp_path, domain="d", test=0, validation=0)
    assert [case["image"] for case in data.training] == [str(volume)]
    np.testing.assert_allclose(data.training[0]["landmarks"], POINTS, rtol=0, atol=1e-4)
    assert data.left_out == ()


def test_slices_that_lie_beside_the_reports_are_said_to_need_a_folder(tmp_path: Path) -> None:
    one = series(tmp_path / "one")
    report(tmp_path / "a.dcm", one, POINTS)
    for path in one.iterdir():
        path.rename(tmp_path / f"{path.name}.dcm")
    with pytest.raises(ValueError, match=r"got none \(.*a volume must have at least 2 slices; got 1\. Put all slices"):
        read_layout(tmp_path, layout="sr")


def test_a_series_with_a_gap_is_left_out_with_its_reason(tmp_path: Path) -> None:
    one, two = series(tmp_path / "one"), series(tmp_path / "two")
    report(tmp_path / "a.dcm", one, POINTS)
    report(tmp_path / "b.dcm", two, POINTS)
    positions = {path: float(read_header(path).ImagePositionPatient[2]) for path in two.iterdir()}
    sorted(positions, key=positions.__getitem__)[3].unlink()
    reasons = left_out_of(tmp_path)
    assert reasons["two"].startswith("two: ")
    assert reasons["b.dcm"] == "it has no image"


def test_radiographs_and_volumes_are_two_datasets(tmp_path: Path, make_dicom: Callable[..., Path]) -> None:
    report(tmp_path / "a.dcm", series(tmp_path / "one"), POINTS)
    image = make_dicom(tmp_path / "x.dcm", VOXELS[..., 0])
    flat = LandmarkSet(("nasion",), [[1.0, 2.0]], "index")
    write_structured_report(tmp_path / "b.dcm", flat, derivation=Derivation(read_header(image), "m", "1"))
    with pytest.raises(
        ValueError, match=r"must be pictures or volumes; got 1 of those, such as 'x', and 1 of these, such as 'one'"
    ):
        read_layout(tmp_path, layout="sr")
