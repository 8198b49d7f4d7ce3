# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Structured reports of landmarks in a volume that came as a DICOM series."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import highdicom.sr
import hypothesis.strategies as st
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from pydicom.dataset import Dataset
from scipy.spatial.transform import Rotation
from series_files import RAS_OF_LPS, make_enhanced, make_series

from monai_gu2net.dicom import Derivation, DicomError, series_headers
from monai_gu2net.dicom.structured_report import read_structured_report, write_structured_report
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import Measured

NAN = math.nan
AXIAL = RAS_OF_LPS @ np.array([[0.7, 0, 0, -30], [0, 0.9, 0, 20], [0, 0, 1.5, 110], [0, 0, 0, 1]])
VOXELS = np.arange(6 * 5 * 4, dtype=np.uint16).reshape(6, 5, 4)
SKULL = LandmarkSet(("nasion", "bregma", "basion"), [[1.0, 2.0, 3.0], [NAN] * 3, [0.25, 4.5, 1.5]], "index")
MEASURED = [
    Measured("width", 12.5, "mm", 0.75, "distance", None, ""),
    Measured("tilt", 91.25, "deg", NAN, "angle", None, ""),
]


@pytest.fixture
def slices(tmp_path: Path) -> list[Dataset]:
    return series_headers(make_series(tmp_path / "series", VOXELS, AXIAL))


def written(path: Path, slices: list[Dataset], landmarks: LandmarkSet = SKULL, **options: Any) -> Path:
    derivation = Derivation(slices[0], "GU2Net", "1.2 (abc)", slices=tuple(slices))
    return write_structured_report(path, landmarks, derivation=derivation, **options)


def points_by_highdicom(path: Path) -> dict[str, highdicom.sr.Scoord3DContentItem]:
    """The coordinates of each group's number by the name of the finding."""
    groups = highdicom.sr.srread(path).content.get_image_measurement_groups()
    return {
        group.finding_type.meaning: point
        for group in groups
        for number in group.get_measurements()
        for point in number.referenced_coordinates
    }


def test_highdicom_finds_a_point_of_an_axial_series_by_hand(tmp_path: Path, slices: list[Dataset]) -> None:
    """-30 + 1 * 0.7, 20 + 2 * 0.9, 110 + 3 * 1.5."""
    path = written(tmp_path / "case.sr.dcm", slices)
    assert pydicom.dcmread(path).SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.34"
    found = points_by_highdicom(path)
    assert list(found) == ["nasion", "basion"]
    assert found["nasion"].graphic_type == highdicom.sr.GraphicTypeValues3D.POINT
    np.testing.assert_allclose(found["nasion"].value, [[-29.3, 21.8, 114.5]], rtol=0, atol=1e-5)
    assert found["nasion"].frame_of_reference_uid == slices[0].FrameOfReferenceUID


def code_of(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def test_a_landmark_has_the_names_codes_and_numbers_that_it_has_in_a_radiograph(
    tmp_path: Path, slices: list[Dataset]
) -> None:
    options: dict[str, Any] = {"confidence": [0.75, NAN, 0.5], "radius_mm": [1.5, NAN, NAN], "measurements": MEASURED}
    report = pydicom.dcmread(written(tmp_path / "case.sr.dcm", slices, **options))
    imaging, derived = (item for item in report.ContentSequence if code_of(item) in ("126010", "126011"))
    group = {code_of(item): item for item in imaging.ContentSequence[0].ContentSequence}
    assert group["112039"].TextValue == "Cornerstone3DTools@^0.1.0:Probe:nasion"
    assert group["121071"].ConceptCodeSequence[0].CodeValue == "nasion"
    assert group["276214006"].ConceptCodeSequence[0].CodeValue == "711101009"
    assert group["121106"].TextValue == "nasion"
    number = group["confidence"]
    assert float(number.MeasuredValueSequence[0].NumericValue) == 0.75
    [point] = number.ContentSequence
    assert (point.ValueType, point.RelationshipType, code_of(point)) == ("SCOORD3D", "INFERRED FROM", "260753009")
    numbers = [item for each in derived.ContentSequence for item in each.ContentSequence if item.ValueType == "NUM"]
    values = [(code_of(item), item.MeasuredValueSequence[0]) for item in numbers]
    assert [(code, float(m.NumericValue), m.MeasurementUnitsCodeSequence[0].CodeValue) for code, m in values] == [
        ("radius_90", 1.5, "mm"),
        ("width", 12.5, "mm"),
        ("tilt", 91.25, "deg"),
    ]
    errors = [float(item.MeasuredValueSequence[0].NumericValue) for item in numbers[1].ContentSequence]
    assert errors == [0.75, 0.75]
    assert "ContentSequence" not in numbers[2]  # no error is known


def test_the_evidence_is_every_slice_and_the_study_is_theirs(tmp_path: Path, slices: list[Dataset]) -> None:
    for name, landmarks in (("some", SKULL), ("none", LandmarkSet(("a",), [[NAN] * 3], "index"))):
        report = pydicom.dcmread(written(tmp_path / f"{name}.dcm", slices, landmarks))
        [study] = report.CurrentRequestedProcedureEvidenceSequence
        [series] = study.ReferencedSeriesSequence
        assert series.SeriesInstanceUID == slices[0].SeriesInstanceUID
        named = [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in series.ReferencedSOPSequence]
        assert named == [(each.SOPClassUID, each.SOPInstanceUID) for each in slices]
        assert report.StudyInstanceUID == slices[0].StudyInstanceUID
        assert report.PatientID == "PHANTOM-1"


def test_the_same_result_is_the_same_object_and_that_of_other_slices_is_not(
    tmp_path: Path, slices: list[Dataset]
) -> None:
    def uid(these: list[Dataset]) -> str:
        return str(pydicom.dcmread(written(tmp_path / "case.sr.dcm", these)).SOPInstanceUID)

    assert uid(slices) == uid(slices)
    assert uid(slices) != uid(slices[:-1])


GEOMETRY = {
    "spacing": st.lists(st.floats(0.1, 4.0), min_size=3, max_size=3),
    "turn": st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    "origin": st.lists(st.floats(-1000, 1000), min_size=3, max_size=3),
}


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1), **GEOMETRY)
def test_points_of_any_oblique_series_come_back_within_a_thousandth_of_a_millimetre(
    seed: int, spacing: list[float], turn: tuple[float, float, float], origin: list[float]
) -> None:
    """Through the file: in mm of the patient's space by the series' own axes, and in voxels by reading them again."""
    axes = Rotation.from_euler("xyz", turn).as_matrix()
    index = np.random.default_rng(seed).uniform(-0.5, 400, (7, 3))
    landmarks = LandmarkSet(tuple("abcdefg"), index, "index")
    expected_mm = np.array(origin) + (index * spacing) @ axes.T
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes * spacing, origin
    with TemporaryDirectory() as folder:
        slices = series_headers(make_series(Path(folder) / "series", VOXELS[:2, :2], RAS_OF_LPS @ affine))
        again = read_structured_report(written(Path(folder) / "case.sr.dcm", slices, landmarks))
    assert again.landmarks.names == landmarks.names
    assert again.landmarks.frame == "LPS"
    assert np.linalg.norm(again.landmarks.points - expected_mm, axis=1).max() < 1e-3
    off_mm = (again.in_series(slices).points - index) * spacing
    assert np.linalg.norm(off_mm, axis=1).max() < 1e-3
    assert again.frame_of_reference_uid == slices[0].FrameOfReferenceUID
    assert (again.sop_instance_uid, again.frame) == ("", 0)
    assert again.evidence == tuple(each.SOPInstanceUID for each in slices)


def test_points_of_another_frame_of_reference_are_refused(tmp_path: Path, slices: list[Dataset]) -> None:
    report = read_structured_report(written(tmp_path / "case.sr.dcm", slices))
    others = series_headers(make_series(tmp_path / "other", VOXELS, AXIAL, series="other"))
    with pytest.raises(DicomError, match=r"^case\.sr\.dcm: .* got those of another frame of reference\. Give"):
        report.in_series(others)


def test_points_of_an_image_are_none_of_a_series(tmp_path: Path, slices: list[Dataset]) -> None:
    flat = LandmarkSet(("a",), [[1.0, 2.0]], "index")
    path = write_structured_report(tmp_path / "flat.dcm", flat, derivation=Derivation(slices[0], "m", "1"))
    with pytest.raises(DicomError, match=r"^flat\.dcm: .* got those of an image"):
        read_structured_report(path).in_series(slices)


def test_the_voxels_of_an_enhanced_object_are_reported_where_they_lie(tmp_path: Path) -> None:
    path = make_enhanced(tmp_path / "enhanced.dcm", VOXELS, AXIAL, slope=lambda level: 1.0)
    report = written(tmp_path / "case.sr.dcm", series_headers(path))
    np.testing.assert_allclose(points_by_highdicom(report)["nasion"].value, [[-29.3, 21.8, 114.5]], rtol=0, atol=1e-5)
    assert read_structured_report(report).evidence == (pydicom.dcmread(path).SOPInstanceUID,)


def test_a_report_of_nothing_found_is_about_its_slices(tmp_path: Path, slices: list[Dataset]) -> None:
    path = written(tmp_path / "case.sr.dcm", slices, LandmarkSet(("a", "b"), [[NAN] * 3] * 2, "index"))
    again = read_structured_report(path, names=("a", "b"))
    assert not again.landmarks.present.any()
    assert again.landmarks.dims == 3
    assert again.evidence == tuple(each.SOPInstanceUID for each in slices)
    assert not again.in_series(slices).present.any()


def test_slices_without_a_frame_of_reference_cannot_be_reported(tmp_path: Path) -> None:
    folder = make_series(tmp_path / "series", VOXELS, AXIAL, FrameOfReferenceUID=None)
    with pytest.raises(DicomError, match=r"^case\.sr\.dcm: .* must have one FrameOfReferenceUID"):
        written(tmp_path / "case.sr.dcm", series_headers(folder))
    assert not (tmp_path / "case.sr.dcm").exists()


def test_slices_of_two_series_cannot_be_reported(tmp_path: Path, slices: list[Dataset]) -> None:
    others = series_headers(make_series(tmp_path / "other", VOXELS, AXIAL, SeriesInstanceUID="1.2.3"))
    with pytest.raises(DicomError, match=r"^case\.sr\.dcm: the slices must be of one series; they are of several"):
        written(tmp_path / "case.sr.dcm", [*slices, others[0]])


@pytest.mark.parametrize(
    ("points", "frame"), [([[1.0, 2.0]], "index"), ([[1.0, 2.0, 3.0]], "mm")], ids=["of an image", "in mm"]
)
def test_what_is_no_index_of_the_volume_is_refused(
    tmp_path: Path, slices: list[Dataset], points: list[list[float]], frame: Any
) -> None:
    with pytest.raises(ValueError, match=r"must be 3-D pixel indices; got \d-D ones in the frame"):
        written(tmp_path / "case.sr.dcm", slices, LandmarkSet(("a",), points, frame))
