# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What 3D Slicer's module does, without Slicer."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image
from posed_volumes import POSES, lps_of, write_volume

from monai_gu2net.landmarks.formats import read_markups

HERE = Path(__file__).parent
FILE = HERE.parents[1] / "monai_gu2net" / "label_app" / "slicer" / "GU2NetLandmarks.py"
NAMES = ("sella", "nasion", "porion")
SPACING = (0.1, 0.25)
VOXELS = ((2.5, 3.0, 4.0), (9.0, 11.25, 1.0))
VOLUMES = {name.partition(".")[0]: name for name in ("oblique.nii.gz", "swapped.nrrd", "steep.mha")}

# of ITK's modules, which would crash if their import were ended by it
pytestmark = pytest.mark.filterwarnings("ignore:builtin type [sS]wig:DeprecationWarning")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("GU2NetLandmarks", FILE)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def studies(tmp_path_factory, make_dicom) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    picture = np.arange(60 * 80, dtype=np.uint16).reshape(60, 80)
    make_dicom(folder / "mm.dcm", picture, ImagerPixelSpacing=[SPACING[1], SPACING[0]])
    Image.fromarray(picture).save(folder / "pixels.png")
    Image.fromarray(picture).save(folder / "refused.png")
    for name in VOLUMES.values():
        write_volume(folder / name, np.arange(12 * 14 * 10.0).reshape(12, 14, 10), POSES[name])
    return folder


@pytest.fixture(scope="module")
def server(studies, start_server, tmp_path_factory) -> Iterator[Any]:
    app = tmp_path_factory.mktemp("app")
    found = [{"x": 10.5, "y": 20.0}, {"x": 60.0, "y": 30.25}, {"x": None, "y": None}]
    landmarks = [{"name": name, "confidence": 0.5, **place} for name, place in zip(NAMES, found, strict=True)]
    replies = {name: {"landmarks": landmarks} for name in ("mm", "pixels", "refused")}
    places = [dict(zip("xyz", voxel, strict=True)) for voxel in (*VOXELS, (None, None, None))]
    landmarks = [{"name": name, "confidence": 0.5, **place} for name, place in zip(NAMES, places, strict=True)]
    replies |= {name: {"landmarks": landmarks} for name in VOLUMES}
    (app / "replies.json").write_text(json.dumps(replies))
    with start_server([HERE / "page_server.py", studies, app]) as running:
        yield running


@pytest.fixture
def logic(module, server) -> Any:
    return module.GU2NetLandmarksLogic(server.url)


def test_an_annotator_goes_from_the_next_image_to_a_corrected_label(logic, studies, tmp_path):
    assert list(logic.models()) == ["told"]
    image = logic.next_image(logic.strategies()[0])
    assert image == "mm"
    file = logic.download(image, tmp_path)
    assert file.suffix == ".dcm"
    assert file.read_bytes() == (studies / "mm.dcm").read_bytes()
    assert logic.label(image) is None
    points = logic.pre_label(image, "told")
    assert [(point.name, point.pixel) for point in points] == [
        ("sella", (10.5, 20.0)),
        ("nasion", (60.0, 30.25)),
        ("porion", None),
    ]
    assert points[0].description == "confidence 0.50"
    np.testing.assert_array_equal(logic.to_ras(image, np.diag([-2.0, -2.0, 1.0, 1.0])), np.diag([-2.0, -2.0, 1.0, 1.0]))
    points[0] = replace(points[0], pixel=(points[0].pixel[0] + 1 / SPACING[0], points[0].pixel[1]))  # 1 mm to the right
    logic.submit(image, points, model="told")
    saved = read_markups(studies / "labels" / "final" / "mm.mrk.json", dims=2)
    expected = [(10.5 * SPACING[0] + 1, 20 * SPACING[1]), (60 * SPACING[0], 30.25 * SPACING[1]), (np.nan, np.nan)]
    assert saved.names == NAMES
    np.testing.assert_allclose(saved.points, expected)
    again = logic.label(image)
    assert [point.name for point in again] == list(NAMES)
    np.testing.assert_allclose(again[0].pixel, (20.5, 20.0))
    assert again[2].pixel is None


def test_a_label_without_spacing_is_in_pixels(logic, studies):
    logic.submit("pixels", logic.pre_label("pixels", "told"))
    saved = read_markups(studies / "labels" / "final" / "pixels.mrk.json", dims=2)
    np.testing.assert_allclose(saved.points[:2], [(10.5, 20.0), (60.0, 30.25)])


def test_the_servers_refusal_is_the_error(module, logic, studies):
    with pytest.raises(
        RuntimeError, match=r"^The landmarks must be known; got \['sela'\] of 'refused'\. Rename them\.$"
    ):
        logic.submit("refused", [module.Point("sela", (1.0, 2.0))])
    assert not (studies / "labels" / "final" / "refused.mrk.json").exists()


def test_a_server_that_is_not_there_is_said(module):
    with pytest.raises(RuntimeError, match=r"must answer at http://127\.0\.0\.1:1; got ConnectionError"):
        module.GU2NetLandmarksLogic("http://127.0.0.1:1/").models()


def test_points_find_their_way_back_from_wherever_the_volume_lies(module, rng):
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    ijk_to_world = np.eye(4)
    ijk_to_world[:3, :3] = turned @ np.diag([0.1, 0.25, 1])
    ijk_to_world[:3, 3] = rng.normal(size=3) * 100
    place = module.to_world((12.25, 40.5), ijk_to_world)
    expected = ijk_to_world[:3, 3] + 12.25 * ijk_to_world[:3, 0] + 40.5 * ijk_to_world[:3, 1]
    np.testing.assert_allclose(place, expected)
    np.testing.assert_allclose(module.to_pixel(place.tolist(), ijk_to_world), (12.25, 40.5, 0.0), atol=1e-9)
    deep = module.to_world((12.25, 40.5, 7.5), ijk_to_world)
    np.testing.assert_allclose(deep, expected + 7.5 * ijk_to_world[:3, 2])
    np.testing.assert_allclose(module.to_pixel(deep.tolist(), ijk_to_world), (12.25, 40.5, 7.5))


@pytest.mark.parametrize("image", VOLUMES)
def test_an_annotator_corrects_a_volume_whatever_its_axes(module, logic, studies, tmp_path, image):
    file = logic.download(image, tmp_path)
    placed = nibabel.affines.apply_affine(nibabel.load(file).affine, VOXELS) * [-1, -1, 1]
    np.testing.assert_allclose(placed, lps_of(studies / VOLUMES[image], np.array(VOXELS)), atol=1e-4)
    points = logic.pre_label(image, "told")
    assert [point.pixel for point in points] == [*VOXELS, None]
    points[0] = replace(points[0], pixel=(3.5, 4.0, 5.25))
    logic.submit(image, points, model="told")
    saved = read_markups(studies / "labels" / "final" / f"{image}.mrk.json")
    expected = lps_of(studies / VOLUMES[image], np.array([(3.5, 4.0, 5.25), VOXELS[1]]))
    np.testing.assert_allclose(saved.points[:2], expected, atol=1e-4)
    again = logic.label(image)
    np.testing.assert_allclose(again[0].pixel, (3.5, 4.0, 5.25), atol=1e-6)
    to_ras = logic.to_ras(image, np.full((4, 4), np.nan))  # whatever Slicer's own matrix is
    np.testing.assert_allclose(module.to_world(VOXELS[1], to_ras) * [-1, -1, 1], expected[1], atol=1e-4)
    assert again[2].pixel is None


@pytest.mark.parametrize("image", VOLUMES)
def test_a_label_is_shown_where_it_lies_whatever_its_frame_and_unit(logic, studies, image):
    """As another program may have saved it, with a line between two points beside the list."""
    micrometres = lps_of(studies / VOLUMES[image], np.array(VOXELS[:1])) * [-1000, -1000, 1000]
    control = [{"label": "sella", "position": micrometres[0].tolist()}]
    about = {"coordinateSystem": "0", "coordinateUnits": ["um", "UCUM", "micrometer"]}  # "0" is RAS
    line = {"type": "Line", "controlPoints": [{"label": "porion", "position": [0.0, 0.0, 0.0]}]}
    label = {"markups": [{"type": "Fiducial", **about, "controlPoints": control}, line]}
    files = {"label": ("label.mrk.json", json.dumps(label), "application/json")}
    logic._ask("PUT", "/datastore/label", params={"image": image, "tag": "final"}, files=files)
    [point] = logic.label(image)
    assert point.name == "sella"
    np.testing.assert_allclose(point.pixel, VOXELS[0], atol=1e-4)
