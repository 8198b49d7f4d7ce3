# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Content items that the reports have in common: concepts, numbers, and who observed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from monai_gu2net.dicom.codes import UNITS, Code, private_code
from monai_gu2net.dicom.derived_uid import derived_uid
from monai_gu2net.dicom.study_object import StudyObject, dicom_text
from monai_gu2net.measurements import Measured

if TYPE_CHECKING:
    from highdicom.sr import Measurement, ObservationContext

__all__ = ["concept", "container", "measured_number", "number", "observed_by"]


def concept(code: Code) -> Any:
    """A coded concept of highdicom, its meaning cut to what DICOM takes."""
    from highdicom import sr

    value, scheme, meaning = code
    return sr.CodedConcept(value, scheme, dicom_text(meaning))


def number(code: Code, value: float, unit: str, **content: Any) -> Measurement:
    """TID 300 of a number; ``content`` is what highdicom's measurement takes besides."""
    from highdicom import sr

    return sr.Measurement(name=concept(code), value=value, unit=concept(UNITS[unit]), **content)


def measured_number(measured: Measured, *, decimals: int | None = None) -> Measurement:
    """TID 300 of one measurement, with its standard error to both sides (TID 310).

    Args:
        measured: a measurement with a value.
        decimals: that value and error are rounded to; by default they are not.
    """
    from highdicom import sr

    value, error = (each if decimals is None else round(each, decimals) for each in (measured.value, measured.error))
    properties = sr.MeasurementProperties()
    if np.isfinite(error):
        for code in (
            ("371886008", "SCT", "+, range of upper measurement uncertainty"),
            ("371885007", "SCT", "-, range of lower measurement uncertainty"),
        ):
            properties.append(
                sr.NumContentItem(
                    name=concept(code),
                    value=float(error),
                    unit=concept(UNITS[measured.unit]),
                    relationship_type=sr.RelationshipTypeValues.HAS_PROPERTIES,
                )
            )
    code = measured.code or private_code(measured.name)
    return number(code, float(value), measured.unit, properties=properties if len(properties) else None)


def container(code: Code, items: Any, *, root: bool = False) -> Any:
    """A container whose items a viewer shows one below the other (SEPARATE)."""
    from highdicom import sr

    made = sr.ContainerContentItem(
        name=concept(code),
        is_content_continuous=False,
        relationship_type=None if root else sr.RelationshipTypeValues.CONTAINS,
    )
    made.ContentSequence = sr.ContentSequence(items)
    return made


def observed_by(report: StudyObject) -> ObservationContext:
    """TID 1001 of a model as the observer."""
    from highdicom import sr

    of = report.derivation
    observer = sr.ObserverContext(
        observer_type=concept(("121007", "DCM", "Device")),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derived_uid("device", of.model, of.model_version), name=of.model
        ),
    )
    return sr.ObservationContext(observer_device_context=observer)
