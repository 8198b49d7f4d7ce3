# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""3D Slicer's own libraries load images and point lists; what they saw is printed as JSON.

Run by the Python that has slicer-core. Arguments: for each case an image, its point list, where to save that list
again, and where to save a list of points placed at the pixels (3.25, 4.5) and (10, 20), beside it also as ``.fcsv``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import slicer
import vtk

_STATUS = {0: "undefined", 1: "preview", 2: "defined", 3: "missing"}
_PLACED = {"a": (3.25, 4.5), "b": (10.0, 20.0)}


def value_at(volume: Any, pixel: list[float]) -> float | None:
    """The first channel of the nearest voxel; None outside of the volume."""
    data = volume.GetImageData()
    nearest = [round(index) for index in pixel]
    if not all(0 <= index < length for index, length in zip(nearest, data.GetDimensions(), strict=True)):
        return None
    return data.GetScalarComponentAsDouble(*nearest, 0)


def look(image: str, given: str, saved: str, placed: str) -> dict[str, Any]:
    scene = slicer.vtkMRMLScene()
    reader = scene.AddNode(slicer.vtkMRMLVolumeArchetypeStorageNode())
    reader.SetFileName(image)
    reader.SetSingleFile(1)
    volume = scene.AddNode(slicer.vtkMRMLScalarVolumeNode())
    assert reader.ReadData(volume)
    to_pixels, to_place = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(to_pixels)
    volume.GetIJKToRASMatrix(to_place)

    storage = scene.AddNode(slicer.vtkMRMLMarkupsJsonStorageNode())
    points = scene.AddNode(slicer.vtkMRMLMarkupsFiducialNode())
    storage.SetFileName(given)
    assert storage.ReadData(points)
    messages = [
        storage.GetUserMessages().GetNthMessage(i) for i in range(storage.GetUserMessages().GetNumberOfMessages())
    ]
    seen = {}
    for i in range(points.GetNumberOfControlPoints()):
        place = [0.0, 0.0, 0.0]
        points.GetNthControlPointPosition(i, place)
        pixel = list(to_pixels.MultiplyPoint([*place, 1.0]))[:3]
        status = _STATUS[points.GetNthControlPointPositionStatus(i)]
        seen[points.GetNthControlPointLabel(i)] = [status, pixel, value_at(volume, pixel)]
    storage.SetFileName(saved)
    assert storage.WriteData(points)

    own = scene.AddNode(slicer.vtkMRMLMarkupsFiducialNode())
    for name, (x, y) in _PLACED.items():
        own.AddControlPoint(vtk.vtkVector3d(*to_place.MultiplyPoint([x, y, 0.0, 1.0])[:3]), name)
    storage.SetFileName(placed)
    assert storage.WriteData(own)
    older = scene.AddNode(slicer.vtkMRMLMarkupsFiducialStorageNode())
    older.SetFileName(f"{placed.removesuffix('.mrk.json')}.fcsv")
    assert older.WriteData(own)
    return {"spacing": list(volume.GetSpacing())[:2], "points": seen, "messages": messages}


arguments = sys.argv[1:]
print(json.dumps([look(*arguments[i : i + 4]) for i in range(0, len(arguments), 4)]))
