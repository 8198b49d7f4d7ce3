# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Structured reports as other programs write them, item by item and with pydicom alone.

The trees follow files that those programs wrote: @cornerstonejs/adapters 5.14.0 with dcmjs 0.52.0 (what OHIF 3.13
saves; implicit VR, no character set), dcmjs's adapter for cornerstoneTools 4 (OHIF 2), and the report of landmarks in
dcmqi's issue 440, whose tracking identifiers are 16 hexadecimal digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

ARROW = "Cornerstone3DTools@^0.1.0:ArrowAnnotate"
PROBE = "Cornerstone3DTools@^0.1.0:Probe"
IMAGE_CLASS = "1.2.840.10008.5.1.4.1.1.1"
COMPREHENSIVE = "1.2.840.10008.5.1.4.1.1.88.33"
Code = tuple[str, str, str]

TRACKING: Code = ("112039", "DCM", "Tracking Identifier")
FINDING: Code = ("121071", "DCM", "Finding")
COMMENT: Code = ("121106", "DCM", "Comment")
SITE: Code = ("363698007", "SCT", "Finding Site")
LATERALITY: Code = ("272741003", "SCT", "Laterality")
LOCATION: Code = ("758637006", "SCT", "Anatomical locations")
LABEL: Code = ("111010", "DCM", "label")
GROUP: Code = ("125007", "DCM", "Measurement Group")
REGION: Code = ("111030", "DCM", "Image Region")
TEXT_POSITION: Code = ("TextPosition", "99CS3D", "Text Annotation Position")


def coded(code: Code) -> Dataset:
    made = Dataset()
    # SH is at most 16 characters, and CORNERSTONEFREETEXT has 19
    made.add_new("CodeValue", "SH", "")
    made["CodeValue"]._value = code[0]
    made.CodingSchemeDesignator, made.CodeMeaning = code[1:]
    return made


def item(value_type: str, relation: str, concept: Code | None = None, *children: Dataset, **values: Any) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = relation, value_type
    if concept:
        made.ConceptNameCodeSequence = [coded(concept)]
    for keyword, value in values.items():
        setattr(made, keyword, value)
    if children:
        made.ContentSequence = list(children)
    return made


def text(concept: Code, value: str) -> Dataset:
    return item("TEXT", "CONTAINS", concept, TextValue=value)


def code(concept: Code, value: Code, *children: Dataset) -> Dataset:
    return item("CODE", "CONTAINS", concept, *children, ConceptCodeSequence=[coded(value)])


def graphic(kind: str, data: Sequence[float], image: str, concept: Code | None = None) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = IMAGE_CLASS, image
    selected = item("IMAGE", "SELECTED FROM", ReferencedSOPSequence=[reference])
    return item("SCOORD", "INFERRED FROM", concept, selected, GraphicType=kind, GraphicData=list(data))


def number(concept: Code, value: float, *children: Dataset) -> Dataset:
    unit, measured = Dataset(), Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "1", "UCUM", "no units"
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = str(value), [unit]
    return item("NUM", "CONTAINS", concept, *children, MeasuredValueSequence=[measured])


def group(identifier: str | None, *children: Dataset) -> Dataset:
    tracked = [] if identifier is None else [text(TRACKING, identifier)]
    tracking_uid = ("112040", "DCM", "Tracking Unique Identifier")
    uid = item("UIDREF", "HAS OBS CONTEXT", tracking_uid, UID="2.25.158910985359320284751432926791244512377")
    return item("CONTAINER", "CONTAINS", GROUP, *tracked, uid, *children)


def arrow(
    image: str, tip: Sequence[float], name: str | None, *, moved: bool = False, identifier: str = ARROW
) -> Dataset:
    """An arrow of OHIF 3.13: a POLYLINE from its tip to its tail; ``moved``: its label was dragged elsewhere."""
    tail = [tip[0] + 15, tip[1] + 20]
    line = graphic("POLYLINE", [*tip, *tail], image)
    label = [] if name is None else [text(COMMENT, name)]
    position = [graphic("POINT", [tip[0] + 5, tip[1] + 7], image, TEXT_POSITION)] if moved else []
    return group(identifier, number(LABEL, 0, line), *label, *position)


def probe(image: str, point: Sequence[float], name: str, *, identifier: str = PROBE) -> Dataset:
    carrier = number(("111010", "DCM", "Center"), 0, graphic("POINT", point, image))
    return group(identifier, carrier, text(COMMENT, name))


def free_text_arrow(
    image: str, point: Sequence[float], name: str, scheme: str = "CORNERSTONEJS", *, identifier: str = ARROW
) -> Dataset:
    """An arrow of earlier OHIF 3, or of 2 with its scheme and identifier: a POINT, the name as the finding's text."""
    free = code(FINDING, ("CORNERSTONEFREETEXT", scheme, name))
    carrier = number(("121206", "DCM", "Distance"), 0, graphic("POINT", point, image))
    return group(identifier, free, carrier)


def length(image: str) -> Dataset:
    line = graphic("POLYLINE", [1.0, 2.0, 30.0, 20.0], image)
    identifier = "Cornerstone3DTools@^0.1.0:Length"
    return group(identifier, number(("410668003", "SCT", "Length"), 5, line), text(COMMENT, "sella"))


def of_dcmqi(
    image: str,
    point: Sequence[float],
    identifier: str | None,
    finding: Code,
    site: Code | None = None,
    where: str = "Center",
) -> Dataset:
    """The POINT is that of a code for the place within the finding."""
    site_item = [] if site is None else [code(SITE, site)]
    place = code(LOCATION, (f"9{len(where)}", "99TEST", where), graphic("POINT", point, image))
    return group(identifier, code(FINDING, finding), *site_item, place)


def report(path: Path, *groups: Dataset, written: str = "20240301 120000", character_set: str | None = None) -> Path:
    """A Comprehensive SR of measurement groups."""
    made = pydicom.Dataset()
    made.SOPClassUID, made.SOPInstanceUID = COMPREHENSIVE, generate_uid(entropy_srcs=[path.name])
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.1", "1.2.2"
    made.Modality, made.PatientID = "SR", "p"
    if character_set:
        made.SpecificCharacterSet = character_set
    if written:
        made.ContentDate, made.ContentTime = written.split()
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [coded(("126000", "DCM", "Imaging Measurement Report"))]
    made.ContentSequence = [
        item(
            "CONTAINER", "CONTAINS", ("126010", "DCM", "Imaging Measurements"), *groups, ContinuityOfContent="SEPARATE"
        )
    ]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = COMPREHENSIVE
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    if int(pydicom.__version_info__[0]) >= 3:
        made.save_as(path, enforce_file_format=True)
    else:  # that of MONAI Label
        made.is_implicit_VR, made.is_little_endian = True, True
        made.save_as(path, write_like_original=False)
    return path
