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

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from monai_gu2net.files import write_text_whole
from monai_gu2net.landmarks.formats.parsing import (
    checked_confidence,
    in_names,
    parse_error,
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
    return write_text_whole(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_coco(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, origin: Origin | None = None
) -> dict[str, LandmarkSet]:
    """Read the landmarks of every annotated image.

    Args:
        path: the file.
        names: of the landmarks to return, in this order; by default those of the image's category. One the file lacks
            is absent; one of the file that is not among them is an error.
        origin: see :func:`write_coco`; by default what the file states, else "center".

    Returns:
        Landmarks in pixel indices by file name; v = 0 or null: absent.

    Raises:
        ValueError: the content is not as described, or an image has more than one annotation.
    """
    path, content = read_json_object(path)
    parts: dict[str, dict[Any, dict[str, Any]]] = {}
    for part in ("images", "categories"):
        parts[part] = {entry.get("id"): entry for entry in _entries(content, part, path)}
    info = content.get("info")
    stated = info.get("keypoint_origin") if isinstance(info, dict) else None
    shift = _shift(origin or (stated if stated in _SHIFTS else "center"))
    table: dict[str, LandmarkSet] = {}
    for position, annotation in enumerate(_entries(content, "annotations", path)):
        image = parts["images"].get(annotation.get("image_id"), {}).get("file_name")
        keypoints = parts["categories"].get(annotation.get("category_id"), {}).get("keypoints")
        what = f"annotations[{position}]"
        if not isinstance(image, str) or not isinstance(keypoints, list):
            raise parse_error(
                path,
                None,
                f"{what} must have an image with a file_name and a category with keypoints",
                {name: annotation.get(name) for name in ("image_id", "category_id")},
                "Correct it",
            )
        if image in table:
            raise parse_error(path, None, f"{what} must be the only one of its image", image, "Split the file")
        table[image] = in_names(_points(annotation, keypoints, shift, what, path), names, 2, "index", path)
    return table


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


def _entries(content: Mapping[str, Any], part: str, path: Path) -> list[dict[str, Any]]:
    entries = content.get(part)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise parse_error(path, None, f"{part!r} must be a list of objects", type(entries).__name__, "Correct the file")
    return entries


def _points(
    annotation: Mapping[str, Any], names: Sequence[Any], shift: float, what: str, path: Path
) -> dict[str, list[float]]:
    numbers = annotation.get("keypoints")
    if not isinstance(numbers, list) or len(numbers) != 3 * len(names):
        raise parse_error(
            path,
            None,
            f"keypoints of {what} must be {3 * len(names)} numbers, x, y and v of each",
            len(numbers) if isinstance(numbers, list) else numbers,
            "Correct it",
        )
    points: dict[str, list[float]] = {}
    for name, x, y, visible in zip(names, numbers[0::3], numbers[1::3], numbers[2::3], strict=True):
        if not isinstance(name, str) or not name or name in points:
            raise parse_error(path, None, f"keypoints of a category of {what} must be different names", name, "Rename")
        point = [parse_number(value, path, None, f"a coordinate of {name!r}") - shift for value in (x, y)]
        points[name] = [math.nan] * 2 if visible in (0, None) or math.isnan(sum(point)) else point
    return points
