# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What was found and measured in an image as a report that viewers show line by line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import COMMENT, FINDINGS, LANDMARKS_FOUND, READABLE_TITLE, Code
from monai_gu2net.dicom.report_document import write_report
from monai_gu2net.dicom.report_items import concept, container, measured_number, number, observed_by
from monai_gu2net.dicom.silence import silent_pydicom
from monai_gu2net.dicom.study_object import Derivation, StudyObject, checked_landmarks
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import Measured

__all__ = ["is_readable_report", "readable_content", "write_readable_report"]

_DECIMALS = {"deg": 1, "mm": 1, "px": 1, "1": 3}


def write_readable_report(
    path: str | os.PathLike[str],
    landmarks: LandmarkSet,
    *,
    derivation: Derivation,
    parameters: Sequence[str] = (),
    measurements: Sequence[Measured] = (),
) -> Path:
    """Write what was measured in an image as a Comprehensive SR of its study, in a series of its own.

    The report of :func:`~monai_gu2net.dicom.write_structured_report` is for programs, and viewers draw it; this one is
    for people: viewers show a line per measurement, such as "SNA: 71.1 deg". It has no points.

    Args:
        path: the file; written whole or not at all.
        landmarks: N points in the frame "index"; it is said how many are present and which are not.
        derivation: which image that is, and what found the landmarks in it.
        parameters: what else the numbers depend on, such as where the spacing is known from.
        measurements: made between the landmarks, rounded here; those without a value are not written.

    Returns:
        The path.

    Raises:
        ImportError: highdicom is not installed.
        DicomError: the header does not say which image this is.
        ValueError: the landmarks are no indices of the image, or a name cannot be written in DICOM.
    """
    checked_landmarks(landmarks, dims=derivation.dims)
    written = repr((landmarks.names, landmarks.present.tolist(), list(parameters), list(measurements)))
    report = StudyObject(path, derivation, (9803, "Landmarks, to be read"), ("SR to be read", written))
    return write_report(report, lambda: readable_content(report, READABLE_TITLE, landmarks, parameters, measurements))


def is_readable_report(header: Dataset) -> bool:
    """Whether a header is of a report that :func:`write_readable_report` wrote, in which there is no point."""
    with silent_pydicom():
        title = (header.get("ConceptNameCodeSequence") or [Dataset()])[0]
        return (title.get("CodeValue"), title.get("CodingSchemeDesignator")) == READABLE_TITLE[:2]


def readable_content(
    report: StudyObject,
    title: Code,
    landmarks: LandmarkSet,
    parameters: Sequence[str],
    measurements: Sequence[Measured] = (),
) -> Dataset:
    """The root container of the report.

    OHIF shows a report as text where its title is not "Imaging Measurement Report" (126000, DCM).

    Args:
        report: with the image and the model.
        title: of the report.
        landmarks: N points, of which those present are counted.
        parameters: of the algorithm, in words.
        measurements: those without a value are left out.
    """
    from highdicom import sr

    present, of = landmarks.present, report.derivation
    absent = [name for name, there in zip(landmarks.names, present.tolist(), strict=True) if not there]
    found: list[Any] = []
    for each in measurements:
        if np.isfinite(each.value):
            found += measured_number(each, decimals=_DECIMALS[each.unit])
    # a viewer has a line for each: of a volume, whose slices are the report's evidence, there would be hundreds
    sources = [] if of.slices else [sr.SourceImageForMeasurement(of.header.SOPClassUID, of.header.SOPInstanceUID)]
    found += number(LANDMARKS_FOUND, int(present.sum()), "landmarks", referenced_images=sources)
    if absent:
        text, contains = f"Not found: {', '.join(absent)}", sr.RelationshipTypeValues.CONTAINS
        found.append(sr.TextContentItem(name=concept(COMMENT), value=text, relationship_type=contains))
    found += sr.AlgorithmIdentification(name=of.model, version=of.model_version, parameters=list(parameters))
    return container(title, [*observed_by(report), container(FINDINGS, found)], root=True)
