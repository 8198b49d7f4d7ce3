# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Landmarks as a Grayscale Softcopy Presentation State, which shows them on the image in a viewer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydicom.dataset import Dataset

from monai_gu2net.dicom.display import add_display
from monai_gu2net.dicom.limits import DicomError
from monai_gu2net.dicom.study_object import Derivation, StudyObject, checked_landmarks, dicom_text, image_reference
from monai_gu2net.dicom.text_boxes import text_boxes
from monai_gu2net.landmarks import LandmarkSet

__all__ = ["LANDMARK_LAYER", "RADIUS_LAYER", "write_presentation_state"]

LANDMARK_LAYER, RADIUS_LAYER = "LANDMARKS", "RADIUS"
_MAX_TEXT = 1024  # characters of a value of type ST (PS3.5, 6.2)


def write_presentation_state(
    path: str | os.PathLike[str], landmarks: LandmarkSet, *, derivation: Derivation, radius_px: ArrayLike | None = None
) -> Path:
    """Write the landmarks of an image as a presentation state of its study, in a series of its own.

    The layer "LANDMARKS" has a POINT, a cross and, in a box beside them, the name of each landmark that is present; the
    layer "RADIUS" circles of the radii given. The image is shown as it would be without it: its modality LUT, first
    window or VOI LUT, shutter and polarity are stated again, for a presentation state replaces all of them.

    Args:
        path: the file; written whole or not at all.
        landmarks: N points in the frame "index", 2-D.
        derivation: which image that is, and what found the landmarks in it.
        radius_px: (N,) radius in pixels, or (N, 2) half axes along x and y where the pixels are not square; NaN: none.

    Returns:
        The path.

    Raises:
        ImportError: the packages that write DICOM are not installed.
        DicomError: the header does not say which image this is, or the image is not grey.
        ValueError: the landmarks are in mm or 3-D, a name cannot be written in DICOM, or radii have another shape.

    Source: DICOM PS3.3, A.33.1 and C.10.5: coordinates count from the image's top left corner, so that the first
    pixel's centre is at 0.5; C.11.6: polarity is that of the presentation LUT alone.
    """
    checked_landmarks(landmarks)
    header = derivation.header
    axes = _half_axes(radius_px, len(landmarks.names))
    shown = repr((landmarks.names, landmarks.points.tolist(), axes.tolist()))
    presentation = StudyObject(path, derivation, (9802, "Landmarks, to be shown"), ("PR 2", shown))

    def make(image: Dataset, frame: dict[str, Any]) -> Dataset:
        from highdicom.pr import GrayscaleSoftcopyPresentationState

        if header.get("SamplesPerPixel", 1) != 1 or not header.get("Rows") or not header.get("Columns"):
            raise DicomError(
                f"{Path(path).name}: the image of a grayscale presentation state must have rows and columns of one "
                "grey sample; it has not. Write a structured report alone."
            )
        state = GrayscaleSoftcopyPresentationState(
            [image],
            content_label="LANDMARKS",
            content_description=dicom_text(f"Landmarks found by {derivation.by}"),
            **frame,
        )
        state.ReferencedSeriesSequence[0].ReferencedImageSequence = [image_reference(header)]
        add_display(state, header)
        _add_graphics(state, landmarks, axes, header)
        return state

    return presentation.write(make)


def _half_axes(radius_px: ArrayLike | None, count: int) -> np.ndarray:
    """(N, 2) half axes; NaN: none."""
    axes = np.full((count, 2), np.nan) if radius_px is None else np.asarray(radius_px, dtype=np.float64)
    if axes.shape not in ((count,), (count, 2)):
        raise ValueError(
            f"radius_px must have shape ({count},) or ({count}, 2), for each landmark; got {axes.shape}. "
            "Give NaN where there is none."
        )
    return np.repeat(axes[:, None], 2, axis=1) if axes.ndim == 1 else axes


def _add_graphics(state: Dataset, landmarks: LandmarkSet, axes: np.ndarray, header: Dataset) -> None:
    """Graphic Annotation and Graphic Layer (PS3.3, C.10.5 and C.10.7).

    The graphics are not those of highdicom 0.28.2, which refuse what leaves the image, such as the circle of a landmark
    near its edge.
    """
    from highdicom.pr import GraphicLayer

    arm = max(3.0, 0.004 * max(int(header.Rows), int(header.Columns)))
    size = int(header.Columns), int(header.Rows)
    present = np.flatnonzero(landmarks.present)
    names = [landmarks.names[row][:_MAX_TEXT] for row in present]
    boxes = text_boxes(landmarks.points[present] + 0.5, names, size)
    marks, texts, circles = [], [], []
    for row, name, box in zip(present, names, boxes, strict=True):
        x, y = landmarks.points[row] + 0.5
        marks.append(_graphic("POINT", [(x, y)]))
        left, right = np.clip([x - arm, x + arm], min(x, 0), max(x, size[0]))
        top, bottom = np.clip([y - arm, y + arm], min(y, 0), max(y, size[1]))
        marks.append(_graphic("POLYLINE", [(left, y), (right, y), (x, y), (x, top), (x, bottom)]))
        texts.append(_text(name, (x, y), box))
        if np.isfinite(axes[row]).all() and (axes[row] > 0).all():
            circles.append(_outline(x, y, *axes[row]))
    annotations, layers = [], []
    for order, (name, what, graphics, labels) in enumerate(
        (
            (LANDMARK_LAYER, "Landmarks and their names", marks, texts),
            (RADIUS_LAYER, "Radius that holds 90 percent of such landmarks", circles, []),
        ),
        start=1,
    ):
        if not graphics:
            continue
        annotation = Dataset()
        annotation.ReferencedImageSequence = [image_reference(header)]
        annotation.GraphicLayer = name
        annotation.GraphicObjectSequence = graphics
        if labels:
            annotation.TextObjectSequence = labels
        annotations.append(annotation)
        layers.append(GraphicLayer(name, order, what))
    if annotations:
        state.GraphicAnnotationSequence, state.GraphicLayerSequence = annotations, layers


def _graphic(kind: str, points: list[tuple[float, float]]) -> Dataset:
    graphic = Dataset()
    graphic.GraphicAnnotationUnits = "PIXEL"
    graphic.GraphicDimensions = 2
    graphic.NumberOfGraphicPoints = len(points)
    graphic.GraphicData = [float(value) for point in points for value in point]
    graphic.GraphicType = kind
    if kind in ("CIRCLE", "ELLIPSE"):
        graphic.GraphicFilled = "N"
    return graphic


def _outline(x: float, y: float, half_x: float, half_y: float) -> Dataset:
    """A circle by centre and a point on it, or an ellipse by the ends of its major and minor axis."""
    if np.isclose(half_x, half_y, rtol=1e-4):
        return _graphic("CIRCLE", [(x, y), (x + half_x, y)])
    ends = [[(x - half_x, y), (x + half_x, y)], [(x, y - half_y), (x, y + half_y)]]
    major, minor = ends if half_x > half_y else ends[::-1]
    return _graphic("ELLIPSE", [*major, *minor])


def _text(text: str, anchor: tuple[float, float], box: np.ndarray) -> Dataset:
    """A text in its box, with a line to what it names."""
    item = Dataset()
    item.BoundingBoxAnnotationUnits = item.AnchorPointAnnotationUnits = "PIXEL"
    item.UnformattedTextValue = text
    item.BoundingBoxTopLeftHandCorner, item.BoundingBoxBottomRightHandCorner = box[:2].tolist(), box[2:].tolist()
    item.BoundingBoxTextHorizontalJustification = "RIGHT" if box[2] <= anchor[0] else "LEFT"
    item.AnchorPoint = [float(value) for value in anchor]
    item.AnchorPointVisibility = "Y"
    return item
