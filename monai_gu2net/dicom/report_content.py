# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The content tree of a report about landmarks, after template TID 1500, as highdicom builds it.

It has the form that OHIF opens, draws and takes over (3.12.10 and 3.13.2): every group under "Imaging Measurements" is
an arrow, of a volume a probe, by its tracking identifier, its name a comment, and its one number carries the point. A
group there without a point ends OHIF's viewport in an error, further numbers are written over the image, and a point
beside the number loses its name. Whatever else was measured is therefore under "Derived Imaging Measurements", which
OHIF passes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import (
    ANATOMICAL_POINT,
    COMMENT,
    CONFIDENCE,
    LANDMARKS_FOUND,
    RADIUS_90,
    Code,
    finding_site,
    private_code,
)
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.patient_space import frame_of_reference, series_affine
from monai_gu2net.dicom.report_items import concept, container, measured_number, number, observed_by
from monai_gu2net.dicom.study_object import Derivation, StudyObject
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import Measured

__all__ = ["ARROW", "PROBE", "Column", "report_content"]

Column = Sequence[float | None]
"""A number per landmark; None: there is none."""

ARROW = "Cornerstone3DTools@^0.1.0:ArrowAnnotate"
"""How the tracking identifiers begin of what OHIF takes over as an arrow."""

PROBE = "Cornerstone3DTools@^0.1.0:Probe"
"""The same of points in space, as probes: drawing an arrow of one point in space, OHIF 3.13.2 ends in an error."""

_PROCEDURE: Code = ("363679005", "SCT", "Imaging procedure")  # PS3.16, CID 100
_DERIVED: Code = ("126011", "DCM", "Derived Imaging Measurements")
_DIGITS = 6  # of a confidence, which a single-precision number has


def report_content(
    report: StudyObject,
    landmarks: LandmarkSet,
    columns: Sequence[Column],
    measurements: Sequence[Measured],
    parameters: Sequence[str],
) -> Dataset:
    """The root container of the report.

    Args:
        report: with the image, the model, and the UID that the tracking UIDs are derived from.
        landmarks: N points in the frame "index", one at least present; absent ones are left out. Those of a volume are
            written in the patient's space.
        columns: three of N numbers: confidence, radius in pixels, radius in mm.
        measurements: those without a value are left out.
        parameters: of the algorithm, in words.

    Raises:
        DicomError: the slices of a volume do not say where they lie, see
            :func:`~monai_gu2net.dicom.patient_space.frame_of_reference`.

    Source: DICOM PS3.16, TID 1500, 1501, 300, 310, 320, 4019.
    """
    from highdicom import sr

    of, uid = report.derivation, report.uid
    placed = _placed(of, landmarks, Path(report.path).name)
    algorithm = sr.AlgorithmIdentification(name=of.model, version=of.model_version, parameters=list(parameters))
    confidence, radius_px, radius_mm = columns
    groups: list[Any] = []
    derived: list[Any] = []
    for row in np.flatnonzero(landmarks.present).tolist():
        name, value = landmarks.names[row], confidence[row]
        tracking = derived_uid(uid, "landmark", name)
        code, carried = (LANDMARKS_FOUND, 1.0) if value is None else (CONFIDENCE, round(value, _DIGITS))
        carrier = number(code, carried, "1", referenced_coordinates=[placed[row]])
        groups.append(_landmark_group(name, PROBE if of.slices else ARROW, carrier, tracking, algorithm))
        radii = [
            number(RADIUS_90, radius, unit)
            for radius, unit in ((radius_px[row], "px"), (radius_mm[row], "mm"))
            if radius is not None
        ]
        if radii:
            derived.append(_derived_group(name, radii, tracking, algorithm))
    found = [measured_number(measured) for measured in measurements if np.isfinite(measured.value)]
    if found:
        derived.append(_derived_group("measurements", found, derived_uid(uid, "measurements"), algorithm))
    root = sr.MeasurementReport(
        observation_context=observed_by(report),
        procedure_reported=concept(_PROCEDURE),
        imaging_measurements=groups,
    )[0]
    if derived:
        root.ContentSequence.append(container(_DERIVED, derived))
    return root


def _placed(of: Derivation, landmarks: LandmarkSet, name: str) -> list[Any]:
    """The coordinates of each landmark: selected from the image, or in the space that a volume lies in."""
    from highdicom import sr

    if of.slices:
        space = frame_of_reference(of.slices, name=name)
        return [
            sr.CoordinatesForMeasurement3D(sr.GraphicTypeValues3D.POINT, point[None], frame_of_reference_uid=space)
            for point in landmarks.to_lps(series_affine(of.slices, name=name)).points
        ]
    image = of.header.SOPClassUID, of.header.SOPInstanceUID
    return [
        sr.CoordinatesForMeasurement(
            sr.GraphicTypeValues.POINT, point[None] + 0.5, source_image=sr.SourceImageForRegion(*image)
        )
        for point in landmarks.points
    ]


def _landmark_group(name: str, tool: str, carrier: Any, tracking_uid: str, algorithm: Any) -> Any:
    """TID 1501 of one landmark, whose point is that of its number."""
    from highdicom import sr

    site = finding_site(name)
    # a backslash parts values in an archive's JSON, and OHIF wants one value
    identifier = f"{tool}:{name}".replace("\\", "/")
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=tracking_uid, identifier=identifier),
        finding_category=concept(ANATOMICAL_POINT),
        finding_type=concept(private_code(name)),
        finding_sites=None if site is None else [sr.FindingSite(concept(site))],
        algorithm_id=algorithm,
        measurements=[carrier],
    )
    group[0].ContentSequence.append(
        sr.TextContentItem(name=concept(COMMENT), value=name, relationship_type=sr.RelationshipTypeValues.CONTAINS)
    )
    return group


def _derived_group(name: str, numbers: Sequence[Any], tracking_uid: str, algorithm: Any) -> Any:
    """A group of numbers that have no place of their own in the image."""
    from highdicom import sr

    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=tracking_uid, identifier=name),
        algorithm_id=algorithm,
        measurements=numbers,
    )[0]
    del group.ContentTemplateSequence  # that of such groups, TID 1420, wants what each number is inferred from
    return group
