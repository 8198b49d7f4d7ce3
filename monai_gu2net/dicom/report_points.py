# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The labelled points in the content tree of a structured report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from monai_gu2net.dicom.codes import CERTAINTY, COMMENT, CONFIDENCE, LANDMARKS_FOUND
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.silence import silent_pydicom

__all__ = ["ReportPoint", "report_points"]

Concept = tuple[str, str]
_TRACKING_IDENTIFIER: Concept = ("112039", "DCM")
_FINDING: Concept = ("121071", "DCM")
_CONFIDENCE, _CERTAINTY, _LANDMARKS_FOUND = CONFIDENCE[:2], CERTAINTY[:2], LANDMARKS_FOUND[:2]
_COMMENT = COMMENT[:2]
_CORNERSTONE = "Cornerstone3DTools@"  # so begins an identifier that says which tool drew it, and not what it is


@dataclass(frozen=True)
class ReportPoint:
    """A point of a report.

    Args:
        label: what the report calls it.
        point: (x, y) in pixel indices.
        confidence: from 0 to 1; NaN: not given.
    """

    label: str
    point: tuple[float, float]
    confidence: float


def report_points(header: Dataset, *, name: str) -> tuple[list[ReportPoint], str]:
    """The POINTs of a report, in its order, and the SOP Instance UID of the image they lie in.

    Args:
        header: the report.
        name: of its file, for errors.

    Raises:
        DicomError: there is no POINT; a POINT has no label, no two numbers, or no image; two have one label; or they
            lie in different images or frames.
    """
    try:
        with silent_pydicom():
            return _points(header, name)
    except DicomError:
        raise
    except Exception as error:  # whatever a foreign tree lacks; the message could quote it
        raise DicomError(
            f"{name}: a structured report must be well-formed; reading it ended in {type(error).__name__}. "
            "Export it again."
        ) from None


def _points(header: Dataset, name: str) -> tuple[list[ReportPoint], str]:
    if header.get("ValueType") != "CONTAINER" or not header.get("ContentSequence"):
        raise DicomError(f"{name}: the file must be a structured report; it has no content. Give an SR.")
    points: list[ReportPoint] = []
    images: set[tuple[str, int]] = set()
    for number, (item, parents) in enumerate(_point_items(header), start=1):
        data = np.asarray(item.get("GraphicData"), dtype=float).ravel()
        if len(data) != 2 or not np.isfinite(data).all():
            raise DicomError(f"{name}: a POINT must have two finite coordinates; point {number} has not. Correct it.")
        label, confidence = _described(parents)
        if not label:
            raise DicomError(
                f"{name}: a POINT must have a tracking identifier or a finding; point {number} has none. Name it."
            )
        if any(label == other.label for other in points):
            raise DicomError(
                f"{name}: points must have labels of their own; point {number} has that of an earlier one. Rename it."
            )
        images.add(_image(item, name, number))
        points.append(ReportPoint(label, (float(data[0]) - 0.5, float(data[1]) - 0.5), confidence))
    if len(images) > 1:
        raise DicomError(f"{name}: all points must lie in one image; they lie in {len(images)}. Split the report.")
    if points:
        return points, next(iter(images))[0]
    if not any(_concept(item) == _LANDMARKS_FOUND for item, _ in _items(header)):
        raise DicomError(
            f"{name}: the report must have points (SCOORD of type POINT); it has none. Give one with landmarks."
        )
    image = next(item for item, _ in _items(header) if item.get("ValueType") == "IMAGE")
    return [], str(image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _items(root: Dataset) -> Iterator[tuple[Dataset, tuple[Dataset, ...]]]:
    """Every item of the tree, in its order, with its parents, nearest first and without the root."""
    pending: list[tuple[Dataset, tuple[Dataset, ...]]] = [(item, ()) for item in reversed(root.ContentSequence)]
    while pending:
        item, parents = pending.pop()
        yield item, parents
        pending += [(child, (item, *parents)) for child in reversed(item.get("ContentSequence") or ())]


def _point_items(root: Dataset) -> Iterator[tuple[Dataset, tuple[Dataset, ...]]]:
    for item, parents in _items(root):
        if item.get("ValueType") == "SCOORD" and item.get("GraphicType") == "POINT":
            yield item, parents


def _described(parents: Sequence[Dataset]) -> tuple[str, float]:
    """Label and confidence from the nearest parent that has a label."""
    for parent in parents:
        children = list(parent.get("ContentSequence") or ())
        label = _first(children, _TRACKING_IDENTIFIER, "TEXT")
        if label.startswith(_CORNERSTONE):
            label = _first(children, _COMMENT, "TEXT")
        label = label or _first(children, _FINDING, "CODE")
        if label:
            return label, _confidence(children)
    return "", math.nan


def _first(children: Sequence[Dataset], concept: Concept, value_type: str) -> str:
    for child in children:
        if _concept(child) == concept and child.get("ValueType") == value_type:
            value: Any = child.TextValue if value_type == "TEXT" else child.ConceptCodeSequence[0].CodeMeaning
            return str(value or "")
    return ""


def _confidence(children: Sequence[Dataset]) -> float:
    """That of this package, else DICOM's certainty of a finding, which is in percent (PS3.16, TID 4006)."""
    for concept, scale in ((_CONFIDENCE, 1.0), (_CERTAINTY, 0.01)):
        for child in children:
            if _concept(child) == concept and child.get("ValueType") == "NUM" and child.get("MeasuredValueSequence"):
                return float(child.MeasuredValueSequence[0].NumericValue) * scale
    return math.nan


def _concept(item: Dataset) -> Concept:
    code = (item.get("ConceptNameCodeSequence") or [Dataset()])[0]
    return str(code.get("CodeValue", "")), str(code.get("CodingSchemeDesignator", ""))


def _image(item: Dataset, name: str, number: int) -> tuple[str, int]:
    """SOP Instance UID and frame of the image that a POINT is selected from."""
    for child in item.get("ContentSequence") or ():
        if child.get("ValueType") == "IMAGE" and child.get("ReferencedSOPSequence"):
            reference = child.ReferencedSOPSequence[0]
            frame = reference.get("ReferencedFrameNumber") or 1
            if reference.get("ReferencedSOPInstanceUID") and isinstance(frame, int):
                return str(reference.ReferencedSOPInstanceUID), int(frame)
    raise DicomError(f"{name}: a POINT must be selected from one frame of an image; point {number} is not. Correct it.")
