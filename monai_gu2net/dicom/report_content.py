# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The content tree of a report about landmarks, after template TID 1500, as highdicom builds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import (
    ANATOMICAL_POINT,
    CONFIDENCE,
    LANDMARKS_FOUND,
    RADIUS_90,
    UNITS,
    Code,
    finding_site,
    landmark_code,
    measurement_code,
)
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.study_object import dicom_text
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.measurements import Measured

if TYPE_CHECKING:
    from highdicom.sr import AlgorithmIdentification, Measurement

__all__ = ["Column", "report_content"]

Column = Sequence[float | None]
"""A number per landmark; None: there is none."""

_PROCEDURE: Code = ("363679005", "SCT", "Imaging procedure")  # PS3.16, CID 100


def report_content(
    landmarks: LandmarkSet,
    *,
    header: Dataset,
    confidence: Column,
    radius_px: Column,
    radius_mm: Column,
    measurements: Sequence[Measured],
    model: str,
    model_version: str,
    parameters: Sequence[str],
    uid: str,
) -> Dataset:
    """The root container of the report.

    Args:
        landmarks: N points in the frame "index"; absent ones are left out.
        header: of the image that they are in.
        confidence: N numbers.
        radius_px: N radii.
        radius_mm: N radii.
        measurements: those without a value are left out.
        model: name of what found the landmarks.
        model_version: its version.
        parameters: of the algorithm, in words.
        uid: of the report; the tracking UIDs are derived from it.

    Source: DICOM PS3.16, TID 1500, 1410, 1501, 300, 310, 4019.
    """
    from highdicom import sr

    algorithm = sr.AlgorithmIdentification(name=model, version=model_version, parameters=list(parameters))
    groups: list[Any] = []
    for row in np.flatnonzero(landmarks.present).tolist():
        numbers = [
            _number(code, value, unit)
            for code, value, unit in (
                (CONFIDENCE, confidence[row], "1"),
                (RADIUS_90, radius_px[row], "px"),
                (RADIUS_90, radius_mm[row], "mm"),
            )
            if value is not None
        ]
        groups.append(_landmark_group(landmarks.names[row], landmarks.points[row], numbers, header, uid, algorithm))
    found = [_measurement(measured) for measured in measurements if np.isfinite(measured.value)]
    if not groups:
        found.append(_number(LANDMARKS_FOUND, 0, "1"))
    if found:
        groups.append(_measurement_group(found, header, uid, algorithm))
    observer = sr.ObserverContext(
        observer_type=_concept(("121007", "DCM", "Device")),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", model, model_version), name=model
        ),
    )
    return sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=_concept(_PROCEDURE),
        imaging_measurements=groups,
    )[0]


def _landmark_group(
    name: str,
    point: np.ndarray,
    numbers: Sequence[Measurement],
    header: Dataset,
    uid: str,
    algorithm: AlgorithmIdentification,
) -> Any:
    """TID 1410 of one landmark."""
    from highdicom import sr

    site = finding_site(name)
    return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=derived_uid(uid, "landmark", name), identifier=name),
        referenced_region=sr.ImageRegion(
            graphic_type=sr.GraphicTypeValues.POINT,
            graphic_data=point[None] + 0.5,
            source_image=sr.SourceImageForRegion(header.SOPClassUID, header.SOPInstanceUID),
        ),
        finding_category=_concept(ANATOMICAL_POINT),
        finding_type=_concept(landmark_code(name)),
        finding_sites=None if site is None else [sr.FindingSite(_concept(site))],
        algorithm_id=algorithm,
        measurements=numbers,
    )


def _measurement_group(
    measurements: Sequence[Measurement], header: Dataset, uid: str, algorithm: AlgorithmIdentification
) -> Any:
    """TID 1501 of what is measured in the whole image."""
    from highdicom import sr

    return sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=derived_uid(uid, "measurements"), identifier="measurements"),
        algorithm_id=algorithm,
        measurements=measurements,
        source_images=[sr.SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID)],
    )


def _measurement(measured: Measured) -> Measurement:
    """TID 300 of one measurement, with its standard error to both sides (TID 310)."""
    from highdicom import sr

    properties = sr.MeasurementProperties()
    if np.isfinite(measured.error):
        for code in (
            ("371886008", "SCT", "+, range of upper measurement uncertainty"),
            ("371885007", "SCT", "-, range of lower measurement uncertainty"),
        ):
            properties.append(
                sr.NumContentItem(
                    name=_concept(code),
                    value=float(measured.error),
                    unit=_concept(UNITS[measured.unit]),
                    relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES,
                )
            )
    code = measured.code or measurement_code(measured.name)
    return _number(code, measured.value, measured.unit, properties if len(properties) else None)


def _number(code: Code, value: float, unit: str, properties: Any = None) -> Measurement:
    from highdicom import sr

    return sr.Measurement(name=_concept(code), value=float(value), unit=_concept(UNITS[unit]), properties=properties)


def _concept(code: Code) -> Any:
    from highdicom import sr

    value, scheme, meaning = code
    return sr.CodedConcept(value, scheme, dicom_text(meaning))
