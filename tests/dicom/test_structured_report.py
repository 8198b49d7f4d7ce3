# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import math
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import highdicom.sr
import hypothesis.strategies as st
import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from hypothesis import given, settings
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from monai_gu2net.dicom import Derivation, DicomError, read_header
from monai_gu2net.dicom.codes import PRIVATE_SCHEME, finding_site, private_code
from monai_gu2net.dicom.structured_report import StructuredReport, read_structured_report, write_structured_report
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS
from monai_gu2net.measurements import Measured

NAN = math.nan
MODEL = {"model": "GU2Net", "model_version": "1.2 (abc)"}
NOON = datetime.datetime(2021, 2, 3, 12, 0, 0)
HEAD = LandmarkSet(("sella", "nasion", "soft_tissue_pogonion"), [[3.25, 4.5], [NAN, NAN], [0.0, 35.0]], "index")


@pytest.fixture
def header(tmp_path: Path) -> Dataset:
    return read_header(make_dicom(tmp_path / "image.dcm", picture(), ImagerPixelSpacing=[0.1, 0.2]))


def written(tmp_path: Path, header: Dataset, landmarks: LandmarkSet = HEAD, **options: Any) -> Path:
    about = {name: options.pop(name) for name in ("now", "sop_instance_uid") if name in options}
    derivation = Derivation(header, **MODEL, **about)
    return write_structured_report(tmp_path / "case.sr.dcm", landmarks, derivation=derivation, **options)


def groups_of(path: Path) -> dict[str, Any]:
    """The groups of measurements as highdicom reads them, by their comment."""
    report = highdicom.sr.srread(path).content
    return {comment_of(group[0]): group for group in report.get_image_measurement_groups()}


def comment_of(group: Dataset) -> str:
    [comment] = items(group, "Comment")
    return comment.TextValue


def derived(path: Path) -> dict[str, list[Dataset]]:
    """The numbers under "Derived Imaging Measurements", by the tracking identifier of their group."""
    [container] = [item for item in pydicom.dcmread(path).ContentSequence if name_of(item) == ("126011", "DCM")]
    return {
        items(group, "Tracking Identifier")[0].TextValue: [i for i in group.ContentSequence if i.ValueType == "NUM"]
        for group in container.ContentSequence
    }


def name_of(item: Dataset) -> tuple[str, str]:
    code = item.ConceptNameCodeSequence[0]
    return code.CodeValue, code.CodingSchemeDesignator


def value_of(number: Dataset) -> tuple[str, float, str]:
    """Concept, value and unit."""
    measured = number.MeasuredValueSequence[0]
    unit = measured.MeasurementUnitsCodeSequence[0].CodeValue
    return name_of(number)[0], float(measured.NumericValue), unit


def test_highdicom_finds_a_point_half_a_pixel_from_the_index(tmp_path: Path, header: Dataset) -> None:
    groups = groups_of(written(tmp_path, header))
    assert list(groups) == ["sella", "soft_tissue_pogonion"]
    [number] = groups["sella"].get_measurements()
    [point] = number.referenced_coordinates
    assert point.graphic_type == highdicom.sr.GraphicTypeValues.POINT
    np.testing.assert_allclose(point.value, [[3.75, 5.0]])
    source = point.ContentSequence[0].ReferencedSOPSequence[0]
    assert source.ReferencedSOPInstanceUID == header.SOPInstanceUID


def test_a_landmark_has_its_structure_its_model_and_its_numbers(tmp_path: Path, header: Dataset) -> None:
    path = written(tmp_path, header, confidence=[0.75, 0.1, NAN], radius_px=[2.0, NAN, NAN], radius_mm=[0.25, NAN, NAN])
    groups = groups_of(path)
    sella = groups["sella"]
    assert sella.finding_type == highdicom.sr.CodedConcept("sella", PRIVATE_SCHEME, "sella")
    assert sella.finding_category == codes.SCT.AnatomicalPoint
    assert sella.finding_sites[0].value == codes.SCT.SellaTurcica
    texts = [item.TextValue for item in sella[0].ContentSequence if item.ValueType == "TEXT"]
    assert texts == ["Cornerstone3DTools@^0.1.0:ArrowAnnotate:sella", "GU2Net", "1.2 (abc)", "sella"]
    numbers = [(number.name.value, number.value, number.unit.value) for number in sella.get_measurements()]
    assert numbers == [("confidence", 0.75, "1")]
    assert list(derived(path)) == ["sella"]
    assert [value_of(number) for number in derived(path)["sella"]] == [
        ("radius_90", 2.0, "{pixels}"),
        ("radius_90", 0.25, "mm"),
    ]


def test_every_group_among_the_imaging_measurements_has_one_number_and_that_carries_its_point(
    tmp_path: Path, header: Dataset
) -> None:
    """What OHIF crashes on, or draws wrongly, otherwise."""
    measured = [Measured("SNA", 82.5, "deg", 1.25, "angle", None, "")]
    options = {"confidence": [NAN, NAN, 0.123456789], "radius_px": [2.0, 2.0, 2.0], "measurements": measured}
    report = pydicom.dcmread(written(tmp_path, header, **options))
    assert name_of(report) == ("126000", "DCM")
    [container] = [item for item in report.ContentSequence if name_of(item) == ("126010", "DCM")]
    for group in container.ContentSequence:
        kinds = [item.ValueType for item in group.ContentSequence]
        assert kinds.count("NUM") == 1
        assert "SCOORD" not in kinds
        [number] = [item for item in group.ContentSequence if item.ValueType == "NUM"]
        assert [(item.ValueType, item.RelationshipType) for item in number.ContentSequence] == [
            ("SCOORD", "INFERRED FROM")
        ]
        [image] = number.ContentSequence[0].ContentSequence
        assert (image.ValueType, image.RelationshipType) == ("IMAGE", "SELECTED FROM")
        assert len(number.ConceptNameCodeSequence[0].CodeMeaning) <= 16
    values = [
        value_of(items(g, m)[0])
        for g, m in zip(container.ContentSequence, ("Landmarks found", "Confidence"), strict=True)
    ]
    assert values == [("landmarks_found", 1.0, "1"), ("confidence", 0.123457, "1")]


def test_a_name_with_a_backslash_is_one_value_of_the_tracking_identifier(tmp_path: Path, header: Dataset) -> None:
    path = written(tmp_path, header, LandmarkSet(("a\\b",), [[1.0, 1.0]], "index"))
    [group] = groups_of(path).values()
    assert group.tracking_identifier == "Cornerstone3DTools@^0.1.0:ArrowAnnotate:a/b"
    assert comment_of(group[0]) == "a\\b"


def test_every_structure_has_the_code_that_the_standard_gives_it() -> None:
    expected = {
        "sella": codes.SCT.SellaTurcica,
        "orbitale": codes.SCT.OrbitalStructure,
        "porion": codes.SCT.ExternalAuditoryCanal,
        "subspinale": codes.SCT.Maxilla,
        "gonion": codes.SCT.Mandible,
        "posterior_nasal_spine": codes.SCT.PalatineBone,
        "upper_incisal_incision": codes.SCT.MaxillaryIncisorTeeth,
        "lower_incisal_incision": codes.SCT.MandibularIncisorTeeth,
        "upper_lip": codes.SCT.Lip,
    }
    for landmark, code in expected.items():
        site = finding_site(landmark)
        assert site is not None
        assert (site[0], site[1], site[2]) == (code.value, code.scheme_designator, code.meaning)
    assert finding_site("nasion") is None


@given(st.lists(st.text(min_size=1, max_size=80), unique=True, min_size=2, max_size=5))
def test_different_names_have_different_codes_that_fit_their_fields(names: list[str]) -> None:
    coded = [private_code(name) for name in names]
    assert len({value for value, _, _ in coded}) == len(names)
    assert all(1 <= len(value) <= 16 and value.isascii() and "\\" not in value for value, _, _ in coded)
    assert all(1 <= len(meaning) <= 64 and "\\" not in meaning for _, _, meaning in coded)


def test_measurements_carry_their_unit_and_their_error(tmp_path: Path, header: Dataset) -> None:
    measurements = [
        Measured("SNA", 82.5, "deg", 1.25, "angle", None, "Riedel 1952"),
        Measured("height", 31.0, "mm", NAN, "distance", ("121211", "DCM", "Path length"), ""),
        Measured("not defined", NAN, "mm", NAN, "distance", None, ""),
    ]
    path = written(tmp_path, header, measurements=measurements)
    first, second = derived(path)["measurements"]
    assert (name_of(first), first.ConceptNameCodeSequence[0].CodeMeaning) == (("SNA", PRIVATE_SCHEME), "SNA")
    assert value_of(first) == ("SNA", 82.5, "deg")
    assert [value_of(item) for item in first.ContentSequence] == [
        ("371886008", 1.25, "deg"),
        ("371885007", 1.25, "deg"),
    ]
    assert name_of(second) == ("121211", "DCM")
    assert value_of(second) == ("121211", 31.0, "mm")


def test_the_report_is_of_the_patients_study_and_its_series_is_new(tmp_path: Path, header: Dataset) -> None:
    header.PatientName = "Müller^Jörg=山田^太郎"
    report = pydicom.dcmread(written(tmp_path, header, now=NOON))
    assert str(report.PatientName) == "Müller^Jörg=山田^太郎"
    for keyword in ("PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "AccessionNumber"):
        assert (report[keyword].value or None) == header.get(keyword)  # what is empty is not in the header
    assert report.SeriesInstanceUID != header.SeriesInstanceUID
    assert (report.ContentDate, report.ContentTime, report.Modality) == ("20210203", "120000.000000", "SR")
    [study] = report.CurrentRequestedProcedureEvidenceSequence
    [series] = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == header.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == header.SOPInstanceUID


def test_text_of_another_character_set_is_rewritten(tmp_path: Path) -> None:
    image = make_dicom(
        tmp_path / "image.dcm",
        picture(),
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Müller".encode("latin-1"),
        StudyDescription="Schädel".encode("latin-1"),
    )
    report = pydicom.dcmread(written(tmp_path, read_header(image)))
    assert report.SpecificCharacterSet == "ISO_IR 192"
    assert (str(report.PatientName), report.StudyDescription) == ("Müller", "Schädel")


def test_the_same_result_is_the_same_object_and_another_one_is_not(tmp_path: Path, header: Dataset) -> None:
    first = written(tmp_path, header, now=NOON).read_bytes()
    assert written(tmp_path, header, now=NOON).read_bytes() == first
    uid = pydicom.dcmread(tmp_path / "case.sr.dcm").SOPInstanceUID
    moved = LandmarkSet(HEAD.names, HEAD.points + 0.25, "index")
    assert pydicom.dcmread(written(tmp_path, header, moved, now=NOON)).SOPInstanceUID != uid
    assert pydicom.dcmread(written(tmp_path, header, sop_instance_uid="1.2.3")).SOPInstanceUID == "1.2.3"


def test_no_uid_is_used_twice(tmp_path: Path, header: Dataset) -> None:
    path = written(tmp_path, header)
    report = pydicom.dcmread(path)
    made = [report.SOPInstanceUID, report.SeriesInstanceUID, *(g.tracking_uid for g in groups_of(path).values())]
    assert len(set(made)) == len(made)
    assert all(UID(uid).is_valid for uid in made)


def test_what_is_missing_in_the_header_is_empty(tmp_path: Path) -> None:
    left_out = ("PatientName", "PatientSex", "StudyTime", "ReferringPhysicianName")
    image = make_dicom(tmp_path / "image.dcm", picture(), **dict.fromkeys(left_out))
    report = pydicom.dcmread(written(tmp_path, read_header(image)))
    assert [keyword for keyword in left_out if report[keyword].value] == []


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_an_image_that_is_not_identified_is_refused(tmp_path: Path, header: Dataset, keyword: str) -> None:
    del header[keyword]
    with pytest.raises(DicomError, match=rf"^case\.sr\.dcm: the image's header must have \['{keyword}'\]"):
        written(tmp_path, header)
    assert not (tmp_path / "case.sr.dcm").exists()


def test_an_unknown_kind_of_image_is_refused_without_its_values(tmp_path: Path, header: Dataset) -> None:
    header.SOPClassUID = "1.2.3.4"
    with pytest.raises(DicomError, match=r"^case\.sr\.dcm: the image must be of a SOP class that DICOM defines"):
        written(tmp_path, header)


class Unwritable:
    """A value that no element can hold, and that shows itself."""

    def __repr__(self) -> str:
        return "Kryptonym"


@pytest.mark.parametrize("keyword", ["PatientID", "PatientBirthDate", "StudyTime"])
def test_a_patient_that_cannot_be_written_again_is_not_quoted(tmp_path: Path, header: Dataset, keyword: str) -> None:
    header[keyword]._value = Unwritable()
    with pytest.raises(DicomError, match=r"^case\.sr\.dcm: .* Export the image again\.$") as caught:
        written(tmp_path, header)
    assert "Kryptonym" not in "".join(traceback.format_exception(caught.value))
    assert not list(tmp_path.glob("*.sr.dcm"))


@pytest.mark.parametrize("name", ["a\nb", "a ", "\0", "a\u2028b"])
def test_a_name_that_would_not_come_back_is_refused(tmp_path: Path, header: Dataset, name: str) -> None:
    with pytest.raises(ValueError, match=r"name in DICOM must be printable and not end in a space"):
        written(tmp_path, header, LandmarkSet((name,), [[1.0, 1.0]], "index"))


def test_millimetres_are_refused(tmp_path: Path, header: Dataset) -> None:
    with pytest.raises(ValueError, match=r"must be 2-D pixel indices; got 2-D ones in the frame 'mm'"):
        written(tmp_path, header, LandmarkSet(("a",), [[1.0, 1.0]], "mm"))


def test_without_highdicom_the_error_names_the_extra(
    tmp_path: Path, header: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monai_gu2net.dicom.study_object.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "monai_gu2net\[dicom\]"'):
        written(tmp_path, header)


@pytest.fixture(scope="module")
def fixed_header(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read_header(make_dicom(tmp_path_factory.mktemp("image") / "image.dcm", picture()))


NAMES = st.lists(
    st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=80),
    unique=True,
    min_size=1,
    max_size=4,
)


@settings(max_examples=20)
@given(names=NAMES, data=st.data())
def test_reading_returns_what_was_written(fixed_header: Dataset, names: list[str], data: st.DataObject) -> None:
    coordinate = st.floats(-0.5, 20_000.0) | st.just(NAN)
    points = np.array([data.draw(st.tuples(coordinate, coordinate)) for _ in names])
    points[np.isnan(points).any(axis=1)] = np.nan
    confidence = np.array([data.draw(st.floats(0, 1) | st.just(NAN)) for _ in names])
    landmarks = LandmarkSet(tuple(names), points, "index")
    with TemporaryDirectory() as folder:
        path = written(Path(folder), fixed_header, landmarks, confidence=confidence)
        again = read_structured_report(path, names=names)
    assert again.landmarks.names == landmarks.names
    assert again.landmarks.frame == "index"
    np.testing.assert_allclose(again.landmarks.points, points, rtol=0, atol=0.01)
    np.testing.assert_allclose(again.confidence[landmarks.present], confidence[landmarks.present], atol=1e-6)
    assert np.isnan(again.confidence[~landmarks.present]).all()
    assert again.sop_instance_uid == fixed_header.SOPInstanceUID


def test_the_landmarks_of_a_hand_come_back(tmp_path: Path, header: Dataset, rng: np.random.Generator) -> None:
    hand = LandmarkSet(HAND_LANDMARKS, rng.uniform(0, 40, (37, 2)), "index")
    again = read_structured_report(written(tmp_path, header, hand, radius_px=np.full(37, 3.0)))
    assert again.landmarks.names == HAND_LANDMARKS
    np.testing.assert_allclose(again.landmarks.points, hand.points, atol=0.01)


def test_a_report_of_nothing_found_has_no_landmark(tmp_path: Path, header: Dataset) -> None:
    path = written(tmp_path, header, LandmarkSet(("a", "b"), np.full((2, 2), NAN), "index"))
    again = read_structured_report(path)
    assert again.landmarks.names == ()
    assert again.sop_instance_uid == header.SOPInstanceUID
    assert not read_structured_report(path, names=("a", "b")).landmarks.present.any()


def as_written_before(group: Dataset) -> None:
    """Turn a group into the form of version 0.1: the point beside its number, called by the tracking identifier."""
    [number] = [item for item in group.ContentSequence if item.ValueType == "NUM"]
    [point] = number.ContentSequence
    del number.ContentSequence
    point.RelationshipType = "CONTAINS"
    region = point.ConceptNameCodeSequence[0]
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "111030", "DCM", "Image Region"
    items(group, "Tracking Identifier")[0].TextValue = comment_of(group)
    without(group, "Comment")
    group.ContentSequence.append(point)


def read_edited(tmp_path: Path, header: Dataset, edit: Any, **options: Any) -> StructuredReport:
    """What is read of a report once its dataset has been edited."""
    path = written(tmp_path, header, confidence=[0.5, 0.5, 0.5])
    report = pydicom.dcmread(path)
    groups = report.ContentSequence[-1].ContentSequence
    for group in groups:
        as_written_before(group)
    edit(report, groups)
    report.save_as(path)
    return read_structured_report(path, **options)


def items(group: Dataset, keyword: str) -> list[Dataset]:
    """The items of a group whose concept has this meaning."""
    return [item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeMeaning == keyword]


def without(group: Dataset, meaning: str) -> None:
    group.ContentSequence = [item for item in group.ContentSequence if item not in items(group, meaning)]


class TestOtherReports:
    def test_the_finding_names_a_point_without_a_tracking_identifier(self, tmp_path: Path, header: Dataset) -> None:
        again = read_edited(tmp_path, header, lambda report, groups: without(groups[0], "Tracking Identifier"))
        assert again.landmarks.names == ("sella", "soft_tissue_pogonion")

    def test_a_point_within_a_measurement_belongs_to_its_group(self, tmp_path: Path, header: Dataset) -> None:
        def edit(report: Dataset, groups: Any) -> None:
            [point] = items(groups[0], "Image Region")
            without(groups[0], "Image Region")
            point.RelationshipType = "INFERRED FROM"
            items(groups[0], "Confidence")[0].ContentSequence = [point]

        again = read_edited(tmp_path, header, edit, names=("soft_tissue_pogonion", "sella"))
        np.testing.assert_allclose(again.landmarks.points, [[0.0, 35.0], [3.25, 4.5]])

    def test_a_certainty_in_percent_is_a_confidence(self, tmp_path: Path, header: Dataset) -> None:
        def edit(report: Dataset, groups: Any) -> None:
            [number] = items(groups[0], "Confidence")
            concept = number.ConceptNameCodeSequence[0]
            concept.CodeValue, concept.CodingSchemeDesignator = "111012", "DCM"
            number.MeasuredValueSequence[0].NumericValue = "87"

        assert read_edited(tmp_path, header, edit).confidence[0] == pytest.approx(0.87)

    def test_other_graphics_are_passed_over(self, tmp_path: Path, header: Dataset) -> None:
        def edit(report: Dataset, groups: Any) -> None:
            region = items(groups[0], "Image Region")[0]
            region.GraphicType, region.GraphicData = "POLYLINE", [1.0, 1.0, 2.0, 2.0]

        assert read_edited(tmp_path, header, edit).landmarks.names == ("soft_tissue_pogonion",)


def label_as_the_other(report: Dataset, groups: Any) -> None:
    items(groups[1], "Tracking Identifier")[0].TextValue = "sella"


def lie_in_another_image(report: Dataset, groups: Any) -> None:
    items(groups[1], "Image Region")[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.9"


def lie_in_another_frame(report: Dataset, groups: Any) -> None:
    items(groups[1], "Image Region")[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber = 2


def lie_nowhere(report: Dataset, groups: Any) -> None:
    del items(groups[1], "Image Region")[0].ContentSequence


def lose_a_coordinate(report: Dataset, groups: Any) -> None:
    items(groups[1], "Image Region")[0].GraphicData = [1.0]


def be_infinite(report: Dataset, groups: Any) -> None:
    items(groups[1], "Image Region")[0].GraphicData = [1.0, math.inf]


def lose_the_label(report: Dataset, groups: Any) -> None:
    without(groups[1], "Tracking Identifier")
    without(groups[1], "Finding")


def lose_all_points(report: Dataset, groups: Any) -> None:
    report.ContentSequence[-1].ContentSequence = groups[:0]


def lose_the_content(report: Dataset, groups: Any) -> None:
    del report.ContentSequence


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lie_in_another_image, "all points must lie in one image; they lie in 2"),
        (lie_in_another_frame, "all points must lie in one image; they lie in 2"),
        (lose_all_points, "the report must have points with names; it has none"),
        (lose_the_content, "the file must be a structured report"),
        (label_as_the_other, r"it has none \(another point of the image has its name\)"),
    ],
)
def test_a_broken_report_is_refused_by_the_name_of_its_file(
    tmp_path: Path, header: Dataset, edit: Any, message: str
) -> None:
    with pytest.raises(DicomError, match=rf"^case\.sr\.dcm: .*{message}"):
        read_edited(tmp_path, header, edit)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lie_nowhere, "a point must be selected from one frame of an image"),
        (lose_a_coordinate, "a point must have two finite coordinates"),
        (be_infinite, "a point must have two finite coordinates"),
        (lose_the_label, "it has no name"),
    ],
)
def test_an_odd_point_is_left_out_and_refuses_no_other(tmp_path: Path, header: Dataset, edit: Any, reason: str) -> None:
    report = read_edited(tmp_path, header, edit)
    assert report.landmarks.names == ("sella",)
    np.testing.assert_allclose(report.landmarks.points, [[3.25, 4.5]])
    assert [(item.name, item.reason) for item in report.left_out] == [("case.sr.dcm group 2", reason)]


def test_a_landmark_that_was_not_asked_for_is_an_error_that_does_not_quote_it(tmp_path: Path, header: Dataset) -> None:
    path = written(tmp_path, header)
    with pytest.raises(DicomError, match=r"must be among \['sella'\]; its points \[2\] are others") as caught:
        read_structured_report(path, names=("sella",))
    assert "soft_tissue" not in str(caught.value)


def test_an_image_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(DicomError, match=r"^image\.dcm: the file must be a structured report"):
        read_structured_report(make_dicom(tmp_path / "image.dcm", picture()))


@given(data=st.data())
def test_a_damaged_report_is_read_or_refused_by_its_name(fixed_header: Dataset, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), fixed_header, confidence=[0.5, 0.5, 0.5])
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(132, len(content)) | st.just(len(content)))])
        message = "case.sr.dcm: "
        try:
            read_structured_report(path)
        except DicomError as error:
            message = str(error)
    assert message.startswith("case.sr.dcm: ")
