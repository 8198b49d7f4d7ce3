# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import highdicom.sr
import hypothesis.strategies as st
import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from foreign_reports import (
    ARROW,
    COMMENT,
    FINDING,
    LABEL,
    LATERALITY,
    PROBE,
    REGION,
    SITE,
    Code,
    arrow,
    code,
    free_text_arrow,
    graphic,
    group,
    item,
    length,
    number,
    of_dcmqi,
    probe,
    report,
    text,
)
from hypothesis import given
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from monai_gu2net.dicom import (
    Derivation,
    DicomError,
    StructuredReport,
    read_header,
    read_structured_report,
    read_structured_reports,
    write_structured_report,
)
from monai_gu2net.landmarks import LandmarkSet

TROCHANTER: Code = ("764722006", "SCT", "Structure of greater trochanter of right femur")
CONDYLE: Code = ("111", "99TEST", "Lateral condyle")
HEAD: Code = ("222", "99TEST", "Head of femur")
FEMUR: Code = ("71341001", "SCT", "Bone structure of femur")
TIBIA: Code = ("333", "99TEST", "Tibia")


def points(found: StructuredReport) -> dict[str, list[float]]:
    return dict(zip(found.landmarks.names, found.landmarks.points.tolist(), strict=True))


def one(tmp_path: Path, *groups: Dataset, **options: Any) -> dict[str, list[float]]:
    """The points of a report of these groups."""
    return points(read_structured_report(report(tmp_path / "a.dcm", *groups, **options)))


class TestOHIF:
    def test_an_arrow_is_its_tip_and_its_name_is_the_comment(self, tmp_path: Path) -> None:
        found = one(tmp_path, arrow("1.2.3", (5.5, 20.5), "sella"), arrow("1.2.3", (10.0, 2.25), "nasion"))
        assert found == {"sella": [5.0, 20.0], "nasion": [9.5, 1.75]}

    def test_where_a_label_was_dragged_to_is_no_landmark(self, tmp_path: Path) -> None:
        assert one(tmp_path, arrow("1.2.3", (5.5, 20.5), "sella", moved=True)) == {"sella": [5.0, 20.0]}

    def test_a_probe_is_a_point(self, tmp_path: Path) -> None:
        assert one(tmp_path, probe("1.2.3", (25.5, 60.5), "nasion")) == {"nasion": [25.0, 60.0]}

    @pytest.mark.parametrize(
        ("scheme", "identifier"),
        [
            ("CORNERSTONEJS", ARROW),
            ("99dcmjs", ARROW),
            ("CST4", "cornerstoneTools@^4.0.0:ArrowAnnotate"),
        ],
    )
    def test_earlier_versions_have_the_name_as_free_text_in_the_finding(
        self, tmp_path: Path, scheme: str, identifier: str
    ) -> None:
        groups = [
            free_text_arrow("1.2.3", (5.5, 20.5), "sella", scheme, identifier=identifier),
            free_text_arrow("1.2.3", (8.5, 9.5), "nasion", scheme, identifier=identifier),
        ]
        assert one(tmp_path, *groups) == {"sella": [5.0, 20.0], "nasion": [8.0, 9.0]}

    def test_free_text_can_be_in_the_finding_site_beside_a_coded_finding(self, tmp_path: Path) -> None:
        free = code(("G-C0E3", "SRT", "Finding Site"), ("CS3DTEXT", "99dcmjs", "sella"))
        carrier = number(("121206", "DCM", "Distance"), 0, graphic("POINT", [5.5, 6.5], "1.2.3"))
        assert one(tmp_path, group(ARROW, code(FINDING, CONDYLE), free, carrier)) == {"sella": [5.0, 6.0]}

    def test_a_coded_finding_names_an_arrow_that_has_no_text(self, tmp_path: Path) -> None:
        carrier = number(("121206", "DCM", "Distance"), 0, graphic("POINT", [5.5, 6.5], "1.2.3"))
        assert one(tmp_path, group(ARROW, code(FINDING, CONDYLE), carrier)) == {"Lateral condyle": [5.0, 6.0]}

    def test_a_name_may_follow_the_tool(self, tmp_path: Path) -> None:
        assert one(tmp_path, arrow("1.2.3", (5.5, 6.5), None, identifier=f"{ARROW}:C7: tip")) == {"C7: tip": [5.0, 6.0]}

    def test_text_without_a_character_set_is_utf_8(self, tmp_path: Path) -> None:
        written = report(tmp_path / "a.dcm", arrow("1.2.3", (5.5, 6.5), "@@@@@@@@@@@"))
        written.write_bytes(written.read_bytes().replace(b"@@@@@@@@@@@", "Sellä 点 ".encode()))
        assert points(read_structured_report(written)) == {"Sellä 点": [5.0, 6.0]}

    def test_what_is_no_point_is_listed_and_refuses_nothing(self, tmp_path: Path) -> None:
        key_image = probe("1.2.3", (0.0, 0.0), "key", identifier=f"{PROBE}:KeyImage")
        ellipse = group(
            "Cornerstone3DTools@^0.1.0:EllipticalROI",
            number(("42798000", "SCT", "Area"), 5, graphic("ELLIPSE", [1, 2, 3, 4, 5, 6, 7, 8], "1.2.3")),
        )
        angle = group(
            "an angle", number(("1483009", "SCT", "Angle"), 5, graphic("POLYLINE", [1, 2, 3, 4, 5, 6], "1.2.3"))
        )
        whole = group("all of it", number(("1", "99TEST", "Area"), 7))
        nameless = arrow("1.2.3", (7.5, 8.5), None)
        groups = [length("1.2.3"), ellipse, arrow("1.2.3", (5.5, 6.5), "sella"), angle, key_image, whole, nameless]
        found = read_structured_report(report(tmp_path / "a.dcm", *groups))
        assert points(found) == {"sella": [5.0, 6.0]}
        other = "it is a measurement of another kind than a point"
        assert {item.name.removeprefix("a.dcm group "): item.reason for item in found.left_out} == {
            "1": other,
            "2": other,
            "4": other,
            "5": "it marks a whole image",
            "6": "it has no coordinates",
            "7": "it has no name",
        }

    def test_a_report_of_lengths_alone_is_listed(self, tmp_path: Path) -> None:
        found, left_out = read_structured_reports([report(tmp_path / "a.dcm", length("1.2.3"))])
        assert (found, [entry.name for entry in left_out]) == ([], ["a.dcm group 1"])

    def test_two_points_of_one_name_are_both_left_out(self, tmp_path: Path) -> None:
        groups = [arrow("1.2.3", (n + 5.5, 6.5), name) for n, name in enumerate(("sella", "nasion", "sella"))]
        found = read_structured_report(report(tmp_path / "a.dcm", *groups))
        assert points(found) == {"nasion": [6.0, 6.0]}
        assert [(entry.name, entry.reason) for entry in found.left_out] == [
            ("a.dcm group 1", "another point of the image has its name"),
            ("a.dcm group 3", "another point of the image has its name"),
        ]


def test_a_point_that_stands_as_region_and_under_a_number_counts_once(tmp_path: Path) -> None:
    twice = [graphic("POINT", [5.5, 6.5], "1.2.3", REGION), number(LABEL, 1, graphic("POINT", [5.5, 6.5], "1.2.3"))]
    assert one(tmp_path, group("sella", *twice)) == {"sella": [5.0, 6.0]}


def test_two_points_of_one_group_are_no_landmark(tmp_path: Path) -> None:
    both = [graphic("POINT", [5.5, 6.5], "1.2.3", REGION), graphic("POINT", [7.5, 6.5], "1.2.3", REGION)]
    found, left_out = read_structured_reports([report(tmp_path / "a.dcm", group("sella", *both))])
    assert (found, [entry.reason for entry in left_out]) == ([], ["it has several points under one name"])


def in_space(kind: str, data: Sequence[float], frame_of_reference: str | None = "1.2.9") -> Dataset:
    made = item("SCOORD3D", "INFERRED FROM", None, GraphicType=kind, GraphicData=list(data))
    if frame_of_reference is not None:
        made.ReferencedFrameOfReferenceUID = frame_of_reference
    return made


def test_points_in_space_are_those_of_a_volume(tmp_path: Path) -> None:
    """As a POINT of any program, and as OHIF's arrow of which the tip counts; beside one in an image."""
    groups = [
        group("bregma", number(LABEL, 0, in_space("POINT", [1.0, 2.5, -3.0]))),
        group(ARROW, number(LABEL, 0, in_space("POLYLINE", [4.0, 5.0, 6.0, 14.0, 15.0, 6.0])), text(COMMENT, "sella")),
        group("nasion", graphic("POINT", [5.5, 6.5], "1.2.3", REGION)),
    ]
    [volume, image], left_out = read_structured_reports([report(tmp_path / "a.dcm", *groups)])
    assert points(volume) == {"bregma": [1.0, 2.5, -3.0], "sella": [4.0, 5.0, 6.0]}
    assert (volume.landmarks.frame, volume.frame_of_reference_uid, volume.sop_instance_uid) == ("LPS", "1.2.9", "")
    assert points(image) == {"nasion": [5.0, 6.0]}
    assert left_out == ()


@pytest.mark.parametrize(
    ("coordinates", "reason"),
    [
        (in_space("POINT", [1.0, 2.0, 3.0], None), "a point in space must have a frame of reference"),
        (in_space("POINT", [1.0, 2.0]), "a point must have three finite coordinates"),
        (in_space("POINT", [1.0, 2.0, float("nan")]), "a point must have three finite coordinates"),
        (in_space("ELLIPSOID", [1.0] * 18), "it is a measurement of another kind than a point"),
    ],
)
def test_an_odd_point_in_space_is_listed(tmp_path: Path, coordinates: Dataset, reason: str) -> None:
    groups = [group("a", number(LABEL, 0, coordinates)), group("b", number(LABEL, 0, in_space("POINT", [1, 2, 3])))]
    found = read_structured_report(report(tmp_path / "a.dcm", *groups))
    assert points(found) == {"b": [1.0, 2.0, 3.0]}
    assert [entry.reason for entry in found.left_out] == [reason]


def test_a_report_about_several_images_gives_each_its_own_points(tmp_path: Path) -> None:
    groups = [arrow("1.2.3", (5.5, 6.5), "sella"), arrow("1.2.4", (7.5, 8.5), "sella"), length("1.2.4")]
    path = report(tmp_path / "a.dcm", *groups)
    found, left_out = read_structured_reports([path])
    assert {each.sop_instance_uid: points(each) for each in found} == {
        "1.2.3": {"sella": [5.0, 6.0]},
        "1.2.4": {"sella": [7.0, 8.0]},
    }
    assert len(left_out) == 1
    with pytest.raises(DicomError, match=r"^a\.dcm: all points must lie in one image; they lie in 2"):
        read_structured_report(path)


class TestRandomIdentifiers:
    """A random tracking identifier for every point, and the name in the finding."""

    def make(self, tmp_path: Path, identifiers: Any, findings: Sequence[Any]) -> list[Path]:
        """Three images with a point for each finding, a pixel further right in each image."""
        return [
            report(
                tmp_path / f"{image}.dcm",
                *(
                    of_dcmqi(f"1.2.{image}", (image + 0.5, place + 0.5), identifiers(image, place), *finding)
                    for place, finding in enumerate(findings)
                ),
            )
            for image in range(3)
        ]

    @pytest.mark.parametrize(
        "identifiers",
        [
            lambda image, place: f"{0x76CF16B1D9619FF3 + 7919 * (10 * image + place):016X}",
            lambda image, place: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{image} {place}")),
            lambda image, place: f"1.2.826.0.1.3680043.8.498.{image + 1}{place + 1}",
            lambda image, place: f"q2xk7v0b{image}9ad{place}f4",
            lambda image, place: f"lesion of visit {chr(97 + image)}{chr(97 + place)}",  # of one image each
            lambda image, place: str(place + 1),
            lambda image, place: f"Measurement group {(place + image) % 3}",
            lambda image, place: None,
        ],
    )
    def test_three_points_in_three_images_are_three_landmarks(self, tmp_path: Path, identifiers: Any) -> None:
        paths = self.make(tmp_path, identifiers, [(TROCHANTER, FEMUR), (CONDYLE, FEMUR), (HEAD, FEMUR)])
        found, left_out = read_structured_reports(paths)
        names = [meaning for _, _, meaning in (TROCHANTER, CONDYLE, HEAD)]
        expected = [{name: [image, y] for y, name in enumerate(names)} for image in range(3)]
        assert ([points(each) for each in found], left_out) == (expected, ())

    def test_the_finding_site_tells_equal_findings_apart(self, tmp_path: Path) -> None:
        paths = self.make(tmp_path, lambda *_: uuid.uuid4().hex, [(HEAD, FEMUR), (HEAD, TIBIA), (CONDYLE, TIBIA)])
        found, _ = read_structured_reports(paths)
        names = ("Head of femur, Bone structure of femur", "Head of femur, Tibia", "Lateral condyle, Tibia")
        assert [each.landmarks.names for each in found] == [names] * 3

    def test_a_finding_that_all_have_is_no_part_of_the_name(self, tmp_path: Path) -> None:
        paths = self.make(tmp_path, lambda *_: uuid.uuid4().hex, [(HEAD, FEMUR), (HEAD, TIBIA)])
        found, _ = read_structured_reports(paths)
        assert [each.landmarks.names for each in found] == [("Bone structure of femur", "Tibia")] * 3

    def test_the_location_tells_equal_findings_and_sites_apart(self, tmp_path: Path) -> None:
        paths = self.make(tmp_path, lambda *_: uuid.uuid4().hex, [(HEAD, FEMUR, "Center"), (HEAD, FEMUR, "Top")])
        found, _ = read_structured_reports(paths)
        assert [each.landmarks.names for each in found] == [("Center", "Top")] * 3

    def test_the_laterality_tells_equal_sites_apart(self, tmp_path: Path) -> None:
        groups = [
            group(
                uuid.uuid4().hex,
                code(FINDING, finding),
                code(SITE, FEMUR, code(LATERALITY, ("1", "SCT", side))),
                graphic("POINT", [n + 0.5, 1.5], "1.2.3", REGION),
            )
            for n, (finding, side) in enumerate([(HEAD, "Left"), (HEAD, "Right"), (CONDYLE, "Left")])
        ]
        femur = "Bone structure of femur"
        names = ["Head of femur, {}, Left", "Head of femur, {}, Right", "Lateral condyle, {}, Left"]
        assert list(one(tmp_path, *groups)) == [name.format(femur) for name in names]

    def test_points_that_nothing_tells_apart_are_left_out(self, tmp_path: Path) -> None:
        paths = self.make(tmp_path, lambda *_: uuid.uuid4().hex, [(HEAD, FEMUR), (HEAD, FEMUR), (CONDYLE, FEMUR)])
        found, left_out = read_structured_reports(paths)
        assert [each.landmarks.names for each in found] == [("Lateral condyle",)] * 3
        assert {entry.reason for entry in left_out} == {"another point of the image has its name"}
        assert len(left_out) == 6

    def test_identifiers_that_come_again_are_names_whatever_the_findings(self, tmp_path: Path) -> None:
        names = ("left hip", "right hip")
        paths = self.make(tmp_path, lambda _, place: names[place], [(HEAD, FEMUR), (CONDYLE, FEMUR)])
        found, _ = read_structured_reports(paths)
        assert [each.landmarks.names for each in found] == [names] * 3

    def test_numbers_are_names_where_the_findings_tell_nothing(self, tmp_path: Path) -> None:
        paths = self.make(tmp_path, lambda _, place: f"landmark_{place:02d}", [(HEAD,), (HEAD,)])
        found, _ = read_structured_reports(paths)
        assert [each.landmarks.names for each in found] == [("landmark_00", "landmark_01")] * 3


def test_highdicoms_tracking_identifiers_are_names(tmp_path: Path) -> None:
    image = pydicom.dcmread(make_dicom(tmp_path / "image.dcm", picture()))
    groups = [
        highdicom.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            tracking_identifier=highdicom.sr.TrackingIdentifier(uid=highdicom.UID(), identifier=name),
            referenced_region=highdicom.sr.ImageRegion(
                graphic_type=highdicom.sr.GraphicTypeValues.POINT,
                graphic_data=np.array([[n + 3.75, 5.0]]),
                source_image=highdicom.sr.SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
            ),
            finding_type=codes.SCT.AnatomicalPoint,
        )
        for n, name in enumerate(("sella", "nasion"))
    ]
    root = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=groups,
    )[0]
    content = list(root.ContentSequence[-1].ContentSequence)
    found = read_structured_report(report(tmp_path / "a.dcm", *content))
    assert points(found) == {"sella": [3.25, 4.5], "nasion": [4.25, 4.5]}
    assert found.sop_instance_uid == image.SOPInstanceUID


def test_a_file_that_is_no_report_is_listed_and_refuses_no_other(tmp_path: Path) -> None:
    (tmp_path / "torn.dcm").write_text("words")
    image = make_dicom(tmp_path / "image.dcm", picture())
    empty = report(tmp_path / "empty.dcm")
    good = report(tmp_path / "good.dcm", arrow("1.2.3", (5.5, 6.5), "sella"))
    found, left_out = read_structured_reports([tmp_path / "torn.dcm", image, empty, good])
    assert [points(each) for each in found] == [{"sella": [5.0, 6.0]}]
    assert [(entry.what, entry.name) for entry in left_out] == [
        ("report", "torn.dcm"),
        ("report", "image.dcm"),
        ("report", "empty.dcm"),
    ]
    assert left_out[2].reason == "it has no points"


def test_landmarks_that_were_not_asked_for_are_listed(tmp_path: Path) -> None:
    path = report(tmp_path / "a.dcm", arrow("1.2.3", (5.5, 6.5), "sella"), arrow("1.2.3", (7.5, 6.5), "a scar"))
    [found], left_out = read_structured_reports([path], names=("nasion", "sella"))
    assert found.landmarks.names == ("nasion", "sella")
    assert found.landmarks.present.tolist() == [False, True]
    assert [(entry.what, entry.name, entry.reason) for entry in left_out] == [
        ("landmark", "a.dcm point 2", "it was not asked for")
    ]


def test_our_report_comes_back_as_ohif_saves_it_again(tmp_path: Path) -> None:
    """OHIF takes a finding over and writes its own tracking identifier; the comment is the name."""
    finding = code(FINDING, ("soft_ti_0f3a9b12", "99MONAIGU2NET", "soft_tissue_pogonion"))
    line = number(LABEL, 0, graphic("POLYLINE", [5.5, 6.5, 30.0, 30.0], "1.2.3"))
    assert one(tmp_path, group(ARROW, finding, line, text(COMMENT, "soft_tissue_pogonion"))) == {
        "soft_tissue_pogonion": [5.0, 6.0]
    }


def test_earlier_reports_of_this_package_come_back(tmp_path: Path) -> None:
    """The tracking identifier was the name, the point the group's region, and the measurements a group beside them."""
    names = ("sella", "76CF16B1D9619FF3", "7", "soft_tissue_pogonion")
    groups = [
        group(
            name,
            code(FINDING, (f"x{n}", "99MONAIGU2NET", "another name")),
            graphic("POINT", [n + 0.5, 6.5], "1.2.3", REGION),
            number(("confidence", "99MONAIGU2NET", "Height of the heatmap's peak, 0 to 1"), 0.5),
        )
        for n, name in enumerate(names)
    ]
    measured = group("measurements", number(("SNA", "99MONAIGU2NET", "SNA"), 82.5))
    found = read_structured_report(report(tmp_path / "a.dcm", *groups, measured))
    assert points(found) == {name: [n, 6.0] for n, name in enumerate(names)}
    assert (found.confidence.tolist(), found.left_out) == ([0.5] * 4, ())


def test_three_hundred_landmarks_come_back(tmp_path: Path, rng: np.random.Generator) -> None:
    header = read_header(make_dicom(tmp_path / "image.dcm", picture()))
    many = LandmarkSet(tuple(f"landmark_{n:03d}" for n in range(300)), rng.uniform(0, 40, (300, 2)), "index")
    numbers = {"confidence": np.full(300, 0.5), "radius_px": np.full(300, 2.0), "radius_mm": np.full(300, 0.2)}
    path = write_structured_report(tmp_path / "a.dcm", many, derivation=Derivation(header, "m", "1"), **numbers)
    again = read_structured_report(path)
    assert again.landmarks.names == many.names
    np.testing.assert_allclose(again.landmarks.points, many.points, atol=0.01)
    assert again.left_out == ()


NAMES = st.lists(
    st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=80),
    unique=True,
    min_size=1,
    max_size=4,
)


@given(names=NAMES, data=st.data())
def test_the_form_that_ohif_takes_over_comes_back(names: list[str], data: st.DataObject) -> None:
    """A number carries the point, the comment is the name, and it follows the tool in the tracking identifier."""
    coordinate = st.floats(-0.5, 20_000.0, width=32)
    places = [data.draw(st.tuples(coordinate, coordinate)) for _ in names]
    groups = [
        group(
            f"{ARROW}:{name}",
            code(FINDING, ("x", "99MONAIGU2NET", name[:64].replace("\\", "/"))),
            number(("confidence", "99MONAIGU2NET", "Confidence"), 0.25, graphic("POINT", np.add(place, 0.5), "1.2.3")),
            text(COMMENT, name),
        )
        for name, place in zip(names, places, strict=True)
    ]
    with TemporaryDirectory() as folder:
        again = read_structured_report(report(Path(folder) / "a.dcm", *groups, character_set="ISO_IR 192"))
    assert again.landmarks.names == tuple(names)
    np.testing.assert_allclose(again.landmarks.points, places, rtol=0, atol=0.01)
    assert again.confidence.tolist() == [0.25] * len(names)
    assert again.left_out == ()


@given(data=st.data())
def test_a_damaged_report_never_refuses_its_neighbour(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        bad = report(Path(folder) / "bad.dcm", arrow("1.2.3", (5.5, 6.5), "sella"), length("1.2.3"))
        good = report(Path(folder) / "good.dcm", arrow("1.2.4", (7.5, 8.5), "sella"))
        content = bytearray(bad.read_bytes())
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(132, len(content) - 1))] = data.draw(st.integers(0, 255))
        bad.write_bytes(content[: data.draw(st.integers(132, len(content)) | st.just(len(content)))])
        found, _ = read_structured_reports([bad, good])
    last = found[-1]
    assert (last.sop_instance_uid, points(last)) == ("1.2.4", {"sella": [7.0, 8.0]})
