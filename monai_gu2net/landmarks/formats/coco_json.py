# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""COCO keypoints: one JSON about many images.

``images`` have ``file_name``, ``width`` and ``height``; ``categories`` the names of their ``keypoints``;
``annotations`` a flat list x1, y1, v1, x2, ... where v = 0 says that the keypoint is absent.

COCO does not say whether whole numbers are pixel centres or corners. Its annotations are whole pixel indices, which is
"center" here and the frame "index"; tools that measure from the image's top left corner, such as CVAT, need "corner",
where the first pixel's centre is 0.5. A file of this package states which it is in ``info``, as ``keypoint_origin``.

Source: COCO's data format (keypoint detection); Detectron2, "Use Custom Datasets", on keypoints as pixel indices.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net.files import LeftOut, write_json_whole
from monai_gu2net.landmarks.formats.parsing import (
    LandmarkTable,
    ParseError,
    checked_confidence,
    in_names,
    parse_number,
    read_json_object,
)
from monai_gu2net.landmarks.landmark_set import LandmarkSet

__all__ = ["CocoImage", "Origin", "read_coco", "write_coco"]

Origin = Literal["center", "corner"]
_SHIFTS = {"center": 0.0, "corner": 0.5}


@dataclass(frozen=True, eq=False)
class CocoImage:
    """An image and its landmarks.

    Args:
        file_name: without folders.
        size: (width, height) in pixels.
        landmarks: 2-D points in the frame "index".
        category: what the landmarks are of, such as the domain; images of one category have the same names.
        confidence: a number for each landmark; NaN: none.
    """

    file_name: str
    size: tuple[int, int]
    landmarks: LandmarkSet
    category: str
    confidence: ArrayLike | None = None


def write_coco(path: str | os.PathLike[str], images: Sequence[CocoImage], *, origin: Origin = "center") -> Path:
    """Write the landmarks of images as COCO keypoints.

    Args:
        path: the file; written whole or not at all.
        images: in the order of their ids, which count from 1.
        origin: "center": keypoints are pixel indices; "corner": they count from the image's top left corner.

    Returns:
        The path.

    Raises:
        ValueError: landmarks are in mm or 3-D, or those of one category have different names.
    """
    shift = _shift(origin)
    categories: dict[str, tuple[str, ...]] = {}
    entries, annotations = [], []
    for number, image in enumerate(images, start=1):
        found = image.landmarks
        if found.frame != "index" or found.dims != 2:
            raise ValueError(
                f"{image.file_name}: landmarks of COCO must be 2-D pixel indices; got {found.dims}-D ones in the frame "
                f"{found.frame!r}. Convert them with to_index(affine)."
            )
        if categories.setdefault(image.category, found.names) != found.names:
            raise ValueError(
                f"{image.file_name}: the landmarks of category {image.category!r} must be "
                f"{list(categories[image.category])}; got {list(found.names)}. Give each set a category of its own."
            )
        entries.append(
            {"id": number, "file_name": image.file_name, "width": int(image.size[0]), "height": int(image.size[1])}
        )
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1 + list(categories).index(image.category),
                **_annotation(found, checked_confidence(image.confidence, len(found.names)), shift),
            }
        )
    content = {
        "info": {"description": "Landmarks as COCO keypoints", "keypoint_origin": origin},
        "images": entries,
        "categories": [
            {"id": number, "name": name, "supercategory": "radiograph", "keypoints": list(names), "skeleton": []}
            for number, (name, names) in enumerate(categories.items(), start=1)
        ],
        "annotations": annotations,
    }
    return write_json_whole(path, content)


def read_coco(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, origin: Origin | None = None
) -> LandmarkTable:
    """Read the landmarks of every image that has one annotation with keypoints.

    Args:
        path: the file.
        names: of the landmarks to return, in this order; by default those of the image's category. One the file lacks
            is absent; annotations of a category with others are left out.
        origin: see :func:`write_coco`; by default what the file states, else "center".

    Returns:
        Landmarks in pixel indices by file name; v = 0 or null: absent. Its ``left_out`` has the annotations of crowds,
        those without keypoints (boxes and masks, or all keypoints v = 0 beside another annotation of the image), with
        another number of them than their category, or with a coordinate that is no number; those whose image or
        category is not there; and all of an image that has several, for which one is meant is not said.

    Raises:
        ValueError: the file has no lists of images, categories and annotations, or all its annotations with keypoints
            have landmarks that are not among those named.
    """
    path, content = read_json_object(path)
    images = _by_id(_entries(content, "images", path))
    categories = _by_id(_entries(content, "categories", path))
    info = content.get("info")
    stated = info.get("keypoint_origin") if isinstance(info, dict) else None
    shift = _shift(origin or (stated if stated in _SHIFTS else "center"))
    found: dict[str, list[tuple[str, dict[str, list[float]]]]] = {}
    left_out: list[LeftOut] = []
    others: list[str] = []
    for position, annotation in enumerate(_entries(content, "annotations", path)):
        place = f"annotations[{position}]"
        try:
            image = _image_name(annotation, images, place, path)
            place += f" ({image})"
            points = _points(annotation, _keypoints(annotation, categories, place, path), shift, place, path)
        except ParseError as error:
            left_out.append(error.left_out("annotation", place))
            continue
        others = [name for name in points if names is not None and name not in names]
        if others:
            left_out.append(LeftOut("annotation", f"{path.name} {place}", "its landmarks were not asked for"))
            continue
        found.setdefault(image, []).append((place, points))
    if others and not found:
        raise ParseError(path, None, f"landmarks must be among {list(names or ())}", others, "Correct the names")
    table: dict[str, LandmarkSet] = {}
    for image, annotated in found.items():
        marked = [one for one in annotated if any(not math.isnan(x) for x, _ in one[1].values())] or annotated[:1]
        reason = "none of its keypoints is visible, beside another annotation of its image"
        unmarked = [place for place, points in annotated if all(points is not one[1] for one in marked)]
        if len(marked) > 1:
            reason, unmarked = "its image has several annotations with keypoints", [place for place, _ in annotated]
        else:
            table[image] = in_names(marked[0][1], names, 2, "index", path)
        left_out += [LeftOut("annotation", f"{path.name} {place}", reason) for place in unmarked]
    return LandmarkTable(table, left_out)


def _annotation(found: LandmarkSet, confidence: Sequence[float | None], shift: float) -> dict[str, Any]:
    """Keypoints with their bounding box; the score is the mean confidence of those present."""
    points = found.points + shift
    present = points[found.present]
    low, high = (present.min(axis=0), present.max(axis=0)) if len(present) else (np.zeros(2), np.zeros(2))
    width, height = (high - low).tolist()
    scores = [value for value, here in zip(confidence, found.present, strict=True) if here and value is not None]
    return {
        "keypoints": [
            value
            for point, here in zip(points.tolist(), found.present, strict=True)
            for value in ([*point, 2] if here else [0, 0, 0])
        ],
        "num_keypoints": len(present),
        "bbox": [*low.tolist(), width, height],
        "area": width * height,
        "iscrowd": 0,
        **({"score": math.fsum(scores) / len(scores)} if scores else {}),
        **({"keypoint_scores": list(confidence)} if any(value is not None for value in confidence) else {}),
    }


def _shift(origin: str) -> float:
    if origin not in _SHIFTS:
        raise ValueError(f"origin must be among {list(_SHIFTS)}; got {origin!r}. Ask whoever made the file.")
    return _SHIFTS[origin]


def _entries(content: Mapping[str, Any], part: str, path: Path) -> list[Any]:
    entries = content.get(part)
    if not isinstance(entries, list):
        raise ParseError(path, None, f"{part!r} must be a list of objects", type(entries).__name__, "Correct the file")
    return entries


def _by_id(entries: Sequence[Any]) -> dict[Any, dict[str, Any]]:
    """The objects by their ids; without those that share one and differ."""
    found: dict[Any, dict[str, Any]] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("id"), int | str):
            found[entry["id"]] = entry if found.get(entry["id"], entry) == entry else {}
    return found


def _named(annotation: Mapping[str, Any], key: str, among: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    """The image or category that an annotation names; empty where it names none."""
    named = annotation.get(key)
    return among.get(named, {}) if isinstance(named, int | str) else {}


def _image_name(annotation: Any, images: Mapping[Any, dict[str, Any]], place: str, path: Path) -> str:
    if not isinstance(annotation, dict):
        raise ParseError(path, None, "an annotation must be an object", annotation, f"Correct {place}")
    name = _named(annotation, "image_id", images).get("file_name")
    if not isinstance(name, str) or not name:
        value = annotation.get("image_id")
        raise ParseError(path, None, "its image must be in 'images', with a file_name", value, f"Correct {place}")
    return name


def _keypoints(
    annotation: Mapping[str, Any], categories: Mapping[Any, dict[str, Any]], place: str, path: Path
) -> list[str]:
    """The names of an annotation's keypoints."""
    if annotation.get("iscrowd"):
        raise ParseError(path, None, "it must not be of a crowd (iscrowd)", annotation["iscrowd"], f"Remove {place}")
    if not annotation.get("keypoints"):
        raise ParseError(path, None, "it must have keypoints", annotation.get("keypoints"), f"Complete {place}")
    names = _named(annotation, "category_id", categories).get("keypoints")
    if not isinstance(names, list) or not names:
        value = annotation.get("category_id")
        raise ParseError(path, None, "its category must be in 'categories', with keypoints", value, f"Correct {place}")
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ParseError(path, None, "the keypoints of its category must be different names", names, "Rename them")
    return names


def _points(
    annotation: Mapping[str, Any], names: Sequence[str], shift: float, place: str, path: Path
) -> dict[str, list[float]]:
    numbers = annotation.get("keypoints")
    if not isinstance(numbers, list) or len(numbers) != 3 * len(names):
        count = len(numbers) if isinstance(numbers, list) else numbers
        rule = f"its keypoints must be {3 * len(names)} numbers, x, y and v of each"
        raise ParseError(path, None, rule, count, f"Correct {place}")
    points: dict[str, list[float]] = {}
    for name, x, y, visible in zip(names, numbers[0::3], numbers[1::3], numbers[2::3], strict=True):
        point = [parse_number(value, path, None, f"a coordinate of {name!r}") - shift for value in (x, y)]
        points[name] = [math.nan] * 2 if visible in (0, None) or math.isnan(sum(point)) else point
    return points
