# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom_files import make_dicom, picture
from pydicom.dataset import Dataset

from monai_gu2net.data.dicom_entries import read_entries
from monai_gu2net.dicom import Derivation, DicomError, read_header
from monai_gu2net.dicom.readable_report import write_readable_report
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import Measured

NAN = math.nan
MODEL = {"model": "GU2Net", "model_version": "1.2 (abc)"}
HEAD = LandmarkSet(("sella", "nasion", "山田"), [[3.25, 4.5], [NAN, NAN], [0.0, 35.0]], "index")
MEASURED = [
    Measured("SNA", 71.0843, "deg", 1.249, "angle", None, ""),
    Measured("ratio", 0.51249, "1", NAN, "ratio", None, ""),
    Measured("not defined", NAN, "mm", NAN, "distance", None, ""),
]


@pytest.fixture
def header(tmp_path: Path) -> Dataset:
    return read_header(make_dicom(tmp_path / "image.dcm", picture(), ImagerPixelSpacing=[0.1, 0.2]))


def written(tmp_path: Path, header: Dataset, landmarks: LandmarkSet = HEAD, **options: Any) -> pydicom.Dataset:
    return pydicom.dcmread(
        write_readable_report(tmp_path / "case.text.dcm", landmarks, derivation=Derivation(header, **MODEL), **options)
    )


def lines(container: Dataset) -> list[str]:
    """What OHIF's text view shows of a container: meaning and value of each item that holds no others."""
    shown = []
    for item in container.ContentSequence:
        meaning = item.ConceptNameCodeSequence[0].CodeMeaning
        if item.ValueType == "CONTAINER":
            shown += lines(item)
        elif item.ValueType == "NUM":
            value = item.MeasuredValueSequence[0]
            shown.append(f"{meaning}: {float(value.NumericValue):g} {value.MeasurementUnitsCodeSequence[0].CodeValue}")
        elif item.ValueType == "TEXT":
            shown.append(f"{meaning}: {item.TextValue}")
    return shown


def test_a_line_says_what_was_measured_rounded_and_another_what_was_not_found(tmp_path: Path, header: Dataset) -> None:
    report = written(tmp_path, header, measurements=MEASURED, parameters=["spacing source: detector"])
    assert lines(report) == [
        "Device Observer Name: GU2Net",
        "SNA: 71.1 deg",
        "ratio: 0.512 1",
        "Landmarks found: 2 {landmarks}",
        "Comment: Not found: nasion",
        "Algorithm Name: GU2Net",
        "Algorithm Version: 1.2 (abc)",
        "Algorithm Parameters: spacing source: detector",
    ]


def test_it_is_no_measurement_report_and_its_containers_are_separate(tmp_path: Path, header: Dataset) -> None:
    report = written(tmp_path, header, measurements=MEASURED)
    assert report.ConceptNameCodeSequence[0].CodeValue != "126000"
    [findings] = [item for item in report.ContentSequence if item.ValueType == "CONTAINER"]
    assert (report.ContinuityOfContent, findings.ContinuityOfContent) == ("SEPARATE", "SEPARATE")
    sna = findings.ContentSequence[0]
    assert [float(item.MeasuredValueSequence[0].NumericValue) for item in sna.ContentSequence] == [1.2, 1.2]


def test_where_nothing_was_found_it_says_so(tmp_path: Path, header: Dataset) -> None:
    nothing = LandmarkSet(("a", "b"), [[NAN, NAN]] * 2, "index")
    assert lines(written(tmp_path, header, nothing))[1:3] == [
        "Landmarks found: 0 {landmarks}",
        "Comment: Not found: a, b",
    ]


def test_the_same_result_is_the_same_object_and_neither_the_report_of_points(tmp_path: Path, header: Dataset) -> None:
    first = written(tmp_path, header, measurements=MEASURED)
    assert written(tmp_path, header, measurements=MEASURED).SOPInstanceUID == first.SOPInstanceUID
    assert written(tmp_path, header).SOPInstanceUID != first.SOPInstanceUID
    points = pydicom.dcmread(
        write_structured_report(tmp_path / "x.dcm", HEAD, derivation=Derivation(header, **MODEL), measurements=MEASURED)
    )
    assert points.SOPInstanceUID != first.SOPInstanceUID
    assert points.SeriesInstanceUID != first.SeriesInstanceUID


def test_a_folder_takes_it_for_no_report_of_points(tmp_path: Path, header: Dataset) -> None:
    written(tmp_path, header)
    nothing = LandmarkSet(("a",), [[NAN, NAN]], "index")
    for name, landmarks in (("case", HEAD), ("nothing", nothing)):
        write_structured_report(tmp_path / f"{name}.sr.dcm", landmarks, derivation=Derivation(header, **MODEL))
    found = read_entries([tmp_path / name for name in ("case.text.dcm", "case.sr.dcm", "nothing.sr.dcm")])
    assert [(entry.kind, entry.what) for entry in found] == [
        ("other", "a report to be read, without points"),
        ("report", "a structured report"),
        ("report", "a structured report"),
    ]


def test_an_unknown_kind_of_image_is_refused(tmp_path: Path, header: Dataset) -> None:
    header.SOPClassUID = "1.2.3.4"
    with pytest.raises(DicomError, match=r"^case\.text\.dcm: the image must be of a SOP class that DICOM defines"):
        written(tmp_path, header)
