# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A module of 3D Slicer: pre-label, correct and submit landmarks with the server of ``python -m monai_gu2net label``.

In Slicer, add this file's folder under Edit, Application Settings, Modules, Additional module paths. It needs only what
Slicer's own Python has, and its logic works without Slicer.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import requests

try:
    import slicer
    from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget
except ImportError:  # outside of Slicer there is the logic alone
    slicer = None
    ScriptedLoadableModule = ScriptedLoadableModuleWidget = object

__all__ = ["GU2NetLandmarks", "GU2NetLandmarksLogic", "GU2NetLandmarksWidget", "Point"]

_CLIENT = "gu2net-slicer"
_SECONDS = 120.0


@dataclass(frozen=True)
class Point:
    """A landmark in pixels of the image file, two or three numbers, or absent (None)."""

    name: str
    pixel: tuple[float, ...] | None
    description: str = ""


class GU2NetLandmarksLogic:
    """The way to the server and back. Every refusal is a RuntimeError with the server's own words.

    Points are pixels here, of a volume voxels, and a label states them in LPS mm where the server says that they lie.
    What it takes for the image's spacing itself does not matter.

    Args:
        server: its address.
    """

    def __init__(self, server: str = "http://127.0.0.1:8000") -> None:
        self.server = server.rstrip("/")

    def models(self) -> dict[str, dict[str, Any]]:
        """What MONAI Label tells of each model, by name."""
        return dict(self._ask("GET", "/info/").json()["models"])

    def strategies(self) -> list[str]:
        """Names of the ways to choose the next image."""
        return list(self._ask("GET", "/info/").json()["strategies"])

    def next_image(self, strategy: str) -> str | None:
        """The id of the next image; None where there is none."""
        response = self._ask("POST", f"/activelearning/{quote(strategy, safe='')}", json={"client_id": _CLIENT}).json()
        return response.get("id")

    def download(self, image: str, folder: Path) -> Path:
        """Fetch an image into a folder: a volume as NIfTI, a radiograph's file with the ending of its kind."""
        if len(self._description(image)["size"]) == 3:
            path = folder / "image.nii"
            path.write_bytes(self._ask("GET", f"/gu2net/image/{quote(image, safe='')}.nii").content)
            return path
        response = self._ask("GET", "/datastore/image", params={"image": image})
        sent = response.headers.get("content-disposition", "")
        name = Path(sent.rpartition("filename=")[2].strip('"; ')).name
        path = folder / f"image{''.join(Path(name).suffixes[-2:]) if name.endswith('.gz') else Path(name).suffix}"
        path.write_bytes(response.content)
        return path

    def label(self, image: str) -> list[Point] | None:
        """The points of the final label; None where there is none."""
        response = self._ask("GET", "/datastore/label", params={"label": image, "tag": "final"}, missing=404)
        if response is None:
            return None
        about = self._description(image)
        to_pixels, dims = np.linalg.inv(about["label_affine"]), len(about["size"])
        points = []
        for markup in response.json()["markups"]:
            if markup.get("type") != "Fiducial":
                continue
            to_lps = _factors(markup)
            for control in markup["controlPoints"]:
                place = control.get("position") if control.get("positionStatus", "defined") == "defined" else None
                pixel = None if place is None else _pixel_of(np.array(place) * to_lps, to_pixels, dims)
                points.append(Point(control["label"], pixel, control.get("description", "")))
        return points

    def pre_label(self, image: str, model: str) -> list[Point]:
        """The points that a model finds."""
        response = self._ask(
            "POST",
            f"/infer/{quote(model, safe='')}",
            params={"image": image, "output": "json"},
            data={"params": json.dumps({"client_id": _CLIENT})},
        ).json()
        points = []
        for found in response["landmarks"]:
            places = [found[axis] for axis in "xyz" if axis in found]
            pixel = None if None in places else tuple(places)
            said = [f"confidence {found['confidence']:.2f}"] if found.get("confidence") is not None else []
            if found.get("radius_90_mm") is not None:
                said.append(f"90 % within {found['radius_90_mm']:.1f} mm")
            points.append(Point(found["name"], pixel, ", ".join(said)))
        return points

    def submit(self, image: str, points: Sequence[Point], *, model: str | None = None) -> None:
        """Save the points as the image's final label.

        Raises:
            RuntimeError: the server refuses them, and the earlier label stays.
        """
        about = self._description(image)
        affine, dims = np.array(about["label_affine"]), len(about["size"])
        control_points: list[dict[str, Any]] = []
        for number, point in enumerate(points, start=1):
            there = {} if point.pixel is None else {"position": to_world(point.pixel[:dims], affine).tolist()}
            status = "undefined" if point.pixel is None else "defined"
            control_points.append({"id": str(number), "label": point.name, **there, "positionStatus": status})
        unit = {"coordinateUnits": "mm"} if about["label_unit"] == "mm" else {}
        markup = {"type": "Fiducial", "coordinateSystem": "LPS", **unit, "controlPoints": control_points}
        about = {"client_id": _CLIENT, **({"model": model} if model else {})}
        self._ask(
            "PUT",
            "/datastore/label",
            params={"image": image, "tag": "final"},
            data={"params": json.dumps(about)},
            files={"label": ("label.mrk.json", json.dumps({"markups": [markup]}), "application/json")},
        )

    def to_ras(self, image: str, shown: np.ndarray) -> np.ndarray:
        """(4, 4) from pixels of the file to where Slicer shows them.

        A radiograph lies wherever Slicer has put it. A volume lies where its file says; Slicer counts the slices of one
        whose axes are left-handed from the other end, so that its own matrix would lead astray.

        Args:
            image: its id.
            shown: (4, 4) from Slicer's own indices of the image to its RAS mm.
        """
        about = self._description(image)
        if len(about["size"]) == 2:
            return shown
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(about["label_affine"]))

    def _description(self, image: str) -> dict[str, Any]:
        return dict(self._ask("GET", f"/gu2net/image/{quote(image, safe='')}.json").json())

    def _ask(self, method: str, path: str, *, missing: int | None = None, **content: Any) -> Any:
        """The response; None where it has the status that says that something is missing."""
        try:
            response = requests.request(method, f"{self.server}{path}", timeout=_SECONDS, **content)
        except requests.RequestException as error:
            raise RuntimeError(
                f"The server must answer at {self.server}; got {type(error).__name__}. See whether it runs."
            ) from None
        if response.status_code == missing:
            return None
        if not response.ok:
            try:
                said = response.json()["detail"]
            except (ValueError, KeyError, TypeError):
                said = response.text
            raise RuntimeError(
                said if isinstance(said, str) and said else f"The server said {response.status_code}: {said}"
            )
        return response


def to_world(pixel: Sequence[float], affine: np.ndarray) -> np.ndarray:
    """(3,) where a pixel lies by a (4, 4) affine; one of two numbers is in the first slice."""
    return np.asarray((affine @ np.array([*[*pixel, 0.0][:3], 1.0]))[:3])


def to_pixel(place: Sequence[float], affine: np.ndarray) -> tuple[float, ...]:
    """The voxel, three numbers, at a place of the affine's world."""
    return _pixel_of(np.asarray(place), np.linalg.inv(affine), 3)


def _factors(markup: dict[str, Any]) -> np.ndarray:
    """(3,) from coordinates of a list to LPS mm, whatever a label may say: RAS, which files also call "0", and um."""
    signs = [-1.0, -1.0, 1.0] if markup.get("coordinateSystem") in ("RAS", "0") else [1.0, 1.0, 1.0]
    unit = markup.get("coordinateUnits", "mm")
    unit = unit[0] if isinstance(unit, list) and unit else unit
    return np.array(signs) * (1e-3 if unit == "um" else 1.0)


def _pixel_of(place: np.ndarray, to_pixels: np.ndarray, dims: int) -> tuple[float, ...]:
    """As :func:`to_pixel`, of the image's axes alone."""
    return tuple((to_pixels @ np.array([*place, 1.0]))[:dims].tolist())


class GU2NetLandmarks(ScriptedLoadableModule):
    """What Slicer shows of the module in its list."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = "GU2Net Landmarks"
        parent.categories = ["Active Learning"]
        parent.dependencies = []
        parent.contributors = ["the monai_gu2net authors"]
        parent.helpText = "Pre-label, correct and submit landmarks with the server of monai_gu2net."
        parent.acknowledgementText = ""


class GU2NetLandmarksWidget(ScriptedLoadableModuleWidget):
    """The module's panel: server, model, next image, pre-label, submit."""

    def setup(self) -> None:
        """Make the panel; Slicer calls it once."""
        import ctk
        import qt

        super().setup()
        self.image: str | None = None
        self.volume: Any = None
        self.points: Any = None
        self.server = qt.QLineEdit("http://127.0.0.1:8000")
        self.model, self.strategy = qt.QComboBox(), qt.QComboBox()
        panel = ctk.ctkCollapsibleButton()
        panel.text = "Landmarks"
        self.layout.addWidget(panel)
        form = qt.QFormLayout(panel)
        form.addRow("Server", self.server)
        form.addRow("Model", self.model)
        form.addRow("Next by", self.strategy)
        for text, action in (
            ("Connect", self._connect),
            ("Next image", self._next),
            ("Pre-label", self._pre_label),
            ("Submit", self._submit),
        ):
            button = qt.QPushButton(text)
            button.connect("clicked()", lambda action=action: self._try(action))
            form.addRow(button)
        self.status = qt.QLabel("")
        self.status.wordWrap = True
        form.addRow(self.status)
        self.layout.addStretch(1)

    def _logic(self) -> GU2NetLandmarksLogic:
        return GU2NetLandmarksLogic(self.server.text)

    def _try(self, action: Any) -> None:
        """Do it; a refusal is shown in full."""
        try:
            self.status.text = action() or ""
        except RuntimeError as error:
            slicer.util.errorDisplay(str(error))

    def _connect(self) -> str:
        logic = self._logic()
        models = logic.models()
        for box, names in ((self.model, models), (self.strategy, logic.strategies())):
            box.clear()
            box.addItems(list(names))
        return f"{len(models)} models"

    def _next(self) -> str:
        logic = self._logic()
        image = logic.next_image(self.strategy.currentText)
        if image is None:
            return "Every image has a label."
        for node in (self.volume, self.points):
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)
        with tempfile.TemporaryDirectory() as folder:
            path = logic.download(image, Path(folder))
            self.volume = slicer.util.loadVolume(str(path), properties={"singleFile": True})
        self.image, self.points = image, None
        slicer.util.setSliceViewerLayers(background=self.volume, fit=True)
        saved = logic.label(image)
        self._show(logic.pre_label(image, self.model.currentText) if saved is None else saved)
        return f"{image}: {'pre-label' if saved is None else 'saved label'}"

    def _pre_label(self) -> str:
        self._show(self._logic().pre_label(self._opened(), self.model.currentText))
        return f"{self.image}: pre-label"

    def _submit(self) -> str:
        node, affine = self.points, self._to_ras()
        points = []
        for n in range(node.GetNumberOfControlPoints()):
            is_set = node.GetNthControlPointPositionStatus(n) == slicer.vtkMRMLMarkupsNode.PositionDefined
            pixel = to_pixel(node.GetNthControlPointPositionWorld(n), affine) if is_set else None
            points.append(Point(node.GetNthControlPointLabel(n), pixel))
        self._logic().submit(self._opened(), points, model=self.model.currentText)
        return f"{self.image}: saved"

    def _opened(self) -> str:
        if self.image is None:
            raise RuntimeError("An image must be open; there is none. Press Next image.")
        return self.image

    def _to_ras(self) -> np.ndarray:
        import vtk

        image = self._opened()
        matrix = vtk.vtkMatrix4x4()
        self.volume.GetIJKToRASMatrix(matrix)
        return self._logic().to_ras(image, np.asarray(slicer.util.arrayFromVTKMatrix(matrix)))

    def _show(self, points: Sequence[Point]) -> None:
        """A new list of points in the scene; an absent one is there without a position, to be placed."""
        if self.points is not None:
            slicer.mrmlScene.RemoveNode(self.points)
        self.points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "landmarks")
        affine = self._to_ras()
        for point in points:
            place = to_world((0.0, 0.0, 0.0) if point.pixel is None else point.pixel, affine)
            n = self.points.AddControlPoint(place.tolist(), point.name)
            self.points.SetNthControlPointDescription(n, point.description)
            if point.pixel is None:
                self.points.UnsetNthControlPointPosition(n)
