# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes on the annotation page, in a real browser that draws with WebGL in software."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chromium
import numpy as np
import pytest
from PIL import Image
from posed_volumes import POSES, lps_of, write_volume

from monai_gu2net.data import Domain
from monai_gu2net.label_app import check_label

HERE = Path(__file__).parent
NAMES = ("tip", "wrist", "thumb", "palm")
SIZE = (36, 44, 30)
POINTS = ((10.0, 12.0, 15.0), (26.0, 30.0, 15.0), (10.0, 30.0, 20.0), None)
VIEWS = ("axial", "coronal", "sagittal")
LABELLED = {"labelled": ("RAS", "mm", 1), "micrometres": ("0", ["um", "UCUM", "micrometer"], 1000)}  # "0" is RAS, too
IMAGES = {name.partition(".")[0]: name for name in POSES}

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        chromium.PROGRAM is None and not os.environ.get("CI"), reason="needs the Debian package chromium"
    ),
    # of ITK's modules, which would crash if their import were ended by it
    pytest.mark.filterwarnings("ignore:builtin type [sS]wig:DeprecationWarning"),
]


def reply() -> dict[str, Any]:
    landmarks = []
    for index, (name, point) in enumerate(zip(NAMES, POINTS, strict=True)):
        place = dict(zip("xyz", point or (None, None, None), strict=True))
        radius = {"radius_90": 3.0 + index, "radius_90_mm": 2.0 + index}
        landmarks.append({"name": name, "index": index, **place, "confidence": 0.9 - 0.2 * index, **radius})
    return {"landmarks": landmarks, "unit": "mm", "spacing_source": "file", "domain": "hand", "model": "told"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A volume in each pose, and some more as each test saves labels; two voxels of the points are bright."""
    folder = tmp_path_factory.mktemp("studies")
    voxels = np.full(SIZE, 60.0)
    voxels[10, 12, 15] = voxels[26, 30, 15] = 1000
    written = {name: write_volume(folder / file, voxels, POSES[file]) for name, file in IMAGES.items()}
    for name in ("drag", "edge", "keys", "place", "navigate", "window", "none"):
        written[name] = write_volume(folder / f"{name}.nii.gz", voxels, POSES["oblique.nii.gz"])
    (folder / "labels" / "final").mkdir(parents=True)
    for name, (system, unit, scale) in LABELLED.items():
        written[name] = write_volume(folder / f"{name}.nii.gz", voxels, POSES["oblique.nii.gz"])
        [place] = scale * lps_of(written[name], np.array([[20.0, 21.0, 22.0]])) * [-1, -1, 1]
        control = [{"label": "wrist", "position": place.tolist()}]
        about = {"coordinateSystem": system, "coordinateUnits": unit}
        label = {"markups": [{"type": "Fiducial", **about, "controlPoints": control}]}
        (folder / "labels" / "final" / f"{name}.mrk.json").write_text(json.dumps(label))
    written["flat"] = folder / "flat.png"
    Image.fromarray(np.full((44, 36), 60, np.uint8)).save(written["flat"])
    return written


@pytest.fixture(scope="module")
def server(files: dict[str, Path], start_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    app = tmp_path_factory.mktemp("app")
    flat = reply()
    flat["landmarks"] = [{key: value for key, value in each.items() if key != "z"} for each in flat["landmarks"]]
    (app / "replies.json").write_text(json.dumps({name: flat if name == "flat" else reply() for name in files}))
    with start_server([HERE / "page_server.py", files["drag"].parent, app]) as running:
        yield running


@pytest.fixture
def page(server: Any, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Opens a volume in the page."""
    with chromium.Chromium(tmp_path, options=chromium.SOFTWARE_3D) as browser:

        def open_image(name: str) -> Any:
            browser.open(f"{server.url}/gu2net/?image={name}")
            browser.wait("'ready' in document.body.dataset", seconds=60)
            browser.wait("document.querySelector('#volume g.axial g.point') !== null", seconds=60)
            return browser

        yield open_image
        assert browser.errors() == []


def mark(browser: Any, view: str, name: str) -> np.ndarray:
    """Where a point is on the screen in one of the views."""
    return np.array(browser.center(f'#volume g.{view} g.point[data-index="{NAMES.index(name)}"] .hold'))


def beside(browser: Any, view: str, name: str, dx: float, dy: float) -> tuple[float, float]:
    """A place on the screen beside a point."""
    x, y = mark(browser, view, name)
    return float(x + dx), float(y + dy)


def choose(browser: Any, name: str) -> None:
    browser.click(f'tr[data-index="{NAMES.index(name)}"] button')


def cross(browser: Any, view: str) -> np.ndarray:
    """Where the lines of a view cross."""
    return np.array(
        browser.js(
            f"(() => {{ const [v, h] = document.querySelectorAll('#volume g.{view} .cross');"
            " const b = document.querySelector('#volume svg').getBoundingClientRect();"
            " return [b.left + Number(v.getAttribute('x1')), b.top + Number(h.getAttribute('y1'))]; })()"
        )
    )


def state(browser: Any) -> str:
    return str(browser.js("document.querySelector('#state').textContent"))


def submit(browser: Any) -> None:
    browser.click("#submit")
    browser.wait("document.querySelector('#state').textContent === 'Saved'")


def saved(files: dict[str, Path], name: str) -> tuple[dict[str, Any], np.ndarray]:
    """The markup of a label, and its (N, 3) LPS mm, read without the package."""
    [markup] = json.loads((files[name].parent / "labels" / "final" / f"{name}.mrk.json").read_text())["markups"]
    places = [point.get("position", [np.nan] * 3) for point in markup["controlPoints"]]
    return markup, np.array(places, dtype=float)


def test_a_point_dragged_in_a_view_has_the_millimetres_of_as_many_pixels(page: Any, files: dict[str, Path]) -> None:
    browser = page("drag")
    choose(browser, "wrist")
    # the first two points are known to be 16 and 18 voxels apart along x and y, in the same slice
    pixels = mark(browser, "axial", "wrist") - mark(browser, "axial", "tip")
    per_voxel = pixels / (16.0, 18.0)
    start = beside(browser, "axial", "tip", 3, 2)  # held beside its centre, it does not jump
    browser.drag(start, (30, -24))
    assert state(browser) == "Changed"
    submit(browser)
    markup, places = saved(files, "drag")
    assert (markup["coordinateSystem"], markup["coordinateUnits"]) == ("LPS", "mm")
    expected = np.array([*(POINTS[0][:2] + np.array([30, -24]) / per_voxel), 15.0])
    np.testing.assert_allclose(places[:1], lps_of(files["drag"], expected[None]), atol=0.02)
    np.testing.assert_allclose(places[1:3], lps_of(files["drag"], np.array(POINTS[1:3])), atol=1e-6)
    assert markup["controlPoints"][3]["positionStatus"] == "undefined"


def test_a_point_dragged_out_of_a_view_stays_in_the_volume_and_its_label_is_taken(
    page: Any, files: dict[str, Path]
) -> None:
    browser = page("edge")
    choose(browser, "tip")
    x, y = mark(browser, "axial", "tip")
    browser.drag((x, y), (-x + 2, -y + 2))  # to the corner of the page: the patient's right, in front
    submit(browser)
    label = files["edge"].parent / "labels" / "final" / "edge.mrk.json"
    _, points = check_label(label, files["edge"], domains={"hand": Domain("hand", NAMES, (16, 16, 16))})
    np.testing.assert_allclose(points.points[0], [SIZE[0] - 0.5, SIZE[1] - 0.5, 15.0], atol=1e-4)


@pytest.mark.parametrize("image", IMAGES)
def test_points_are_drawn_on_their_voxels_in_all_views_of_every_pose(page: Any, image: str) -> None:
    browser = page(image)
    for name in ("tip", "wrist"):
        choose(browser, name)
        places = {view: mark(browser, view, name) for view in VIEWS}
        for view in VIEWS:
            np.testing.assert_allclose(cross(browser, view), places[view], atol=0.1)
        browser.js("document.querySelector('#volume svg').style.visibility = 'hidden'")
        shown = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L")).astype(int)
        browser.js("document.querySelector('#volume svg').style.visibility = ''")
        for view, (x, y) in places.items():
            side = 9
            box = shown[int(y) - side : int(y) + side + 1, int(x) - side : int(x) + side + 1]
            rows, columns = np.nonzero(box > 200)
            assert rows.size, (view, name)
            center = [
                int(x) - side + (columns.min() + columns.max()) / 2,
                int(y) - side + (rows.min() + rows.max()) / 2,
            ]
            np.testing.assert_allclose(np.add(center, 0.5), (x, y), atol=1.5)


def test_a_name_that_is_clicked_brings_the_lines_to_its_point_and_a_click_takes_them_elsewhere(page: Any) -> None:
    browser = page("navigate")
    choose(browser, "thumb")
    for view in VIEWS:
        np.testing.assert_allclose(cross(browser, view), mark(browser, view, "thumb"), atol=0.1)
    place = beside(browser, "coronal", "thumb", 25, -15)
    browser.click(place)
    np.testing.assert_allclose(cross(browser, "coronal"), place, atol=0.1)
    np.testing.assert_allclose(
        cross(browser, "axial")[0],
        cross(browser, "coronal")[0] + (mark(browser, "axial", "thumb")[0] - mark(browser, "coronal", "thumb")[0]),
        atol=0.1,
    )
    assert state(browser) == "Not submitted"  # nothing of this moves a point
    before = cross(browser, "axial")
    browser.wheel(place, 100)
    assert not np.allclose(cross(browser, "axial"), before, atol=1)
    choose(browser, "thumb")
    browser.key("m")
    assert state(browser) == "Changed"


def test_keys_move_a_point_by_voxels_along_the_axes_of_the_framed_view(page: Any, files: dict[str, Path]) -> None:
    browser = page("keys")
    browser.click(beside(browser, "axial", "tip", 40, 40))  # frames the axial view
    choose(browser, "tip")
    first = mark(browser, "axial", "tip")
    browser.key("ArrowRight")
    step = mark(browser, "axial", "tip") - first
    assert step[0] > 1
    assert abs(step[1]) < 0.01
    browser.key("ArrowUp")
    browser.key("ArrowUp", shift=True)
    browser.key("PageUp")
    browser.key("Tab")
    browser.key("Delete")
    browser.key("z")  # the wrist is back
    browser.key("Tab")
    browser.key("Delete")
    browser.key("s")
    browser.wait("document.querySelector('#state').textContent === 'Saved'")
    _, places = saved(files, "keys")
    # of this volume the first axis leads to the right, which is shown on the left, the second to the front, which is up
    expected = np.array([[9.0, 13.1, 16.0], POINTS[1]])
    np.testing.assert_allclose(places[:2], lps_of(files["keys"], expected), atol=1e-4)
    assert np.isnan(places[2:]).all()


def test_an_absent_point_is_placed_by_a_click(page: Any, files: dict[str, Path]) -> None:
    browser = page("place")
    choose(browser, "wrist")
    per_voxel = (mark(browser, "axial", "wrist") - mark(browser, "axial", "tip")) / (16.0, 18.0)
    browser.click('tr[data-index="3"] input')
    assert "palm is absent" in browser.js("document.querySelector('#hint').textContent")
    browser.click(beside(browser, "axial", "tip", 20, 30))
    submit(browser)
    _, places = saved(files, "place")
    expected = np.array([[*(POINTS[0][:2] + np.array([20, 30]) / per_voxel), 15.0]])
    np.testing.assert_allclose(places[3:], lps_of(files["place"], expected), atol=0.02)


@pytest.mark.parametrize("image", LABELLED)
def test_a_saved_label_in_ras_is_shown_where_it_is_and_saved_in_lps(
    page: Any, files: dict[str, Path], image: str
) -> None:
    browser = page(image)
    assert state(browser) == "Saved"
    browser.key("ArrowRight")
    browser.key("z")
    browser.click("#submit")
    browser.wait("document.querySelector('#notice').textContent === 'Saved the label of " + image + ".'")
    markup, places = saved(files, image)
    assert markup["coordinateSystem"] == "LPS"
    names = [point["label"] for point in markup["controlPoints"]]
    expected = lps_of(files[image], np.array([[20.0, 21.0, 22.0]]))
    np.testing.assert_allclose(places[names.index("wrist")], expected[0], atol=1e-6)


def test_the_circle_is_as_large_as_its_ball_in_the_voxels_of_the_file(page: Any) -> None:
    """The reply has 3 voxels, of 0.5 x 0.75 x 1.25 mm, and millimetres of another scale, as with --spacing."""
    browser = page("navigate")
    choose(browser, "tip")
    per_mm = abs(mark(browser, "axial", "wrist") - mark(browser, "axial", "tip"))[0] / (16 * 0.5)
    expected = 3 * (0.5 * 0.75 * 1.25) ** (1 / 3) * per_mm
    for view in VIEWS:
        shown = browser.js(f"document.querySelector('#volume g.{view} circle.radius').getAttribute('r')")
        assert float(shown) == pytest.approx(expected, rel=1e-3)


def test_level_and_width_and_zoom_leave_points_on_their_voxels(page: Any) -> None:
    browser = page("window")
    choose(browser, "tip")
    apart = mark(browser, "axial", "wrist") - mark(browser, "axial", "tip")
    browser.key("+")
    np.testing.assert_allclose(mark(browser, "axial", "wrist") - mark(browser, "axial", "tip"), 1.5 * apart, rtol=0.01)
    x, y = (int(value) for value in mark(browser, "axial", "tip"))

    def greys() -> np.ndarray:
        browser.js("document.querySelector('#volume svg').style.visibility = 'hidden'")
        shown = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("L")).astype(int)
        browser.js("document.querySelector('#volume svg').style.visibility = ''")
        return shown[y - 40 : y + 41, x - 40 : x + 41]

    browser.js(
        "for (const [id, value] of [['level', 60], ['width', 100]]) { const e = document.getElementById(id);"
        " e.value = value; e.dispatchEvent(new Event('input')); }"
    )
    level, width = (float(browser.js(f"document.getElementById('{id}').value")) for id in ("level", "width"))
    box = greys()
    rows, columns = np.nonzero(box > 240)
    np.testing.assert_allclose([columns.mean() - 40, rows.mean() - 40], [0, 0], atol=2)
    expected = 255 * (60 - (level - width / 2)) / width
    assert np.median(box) == pytest.approx(expected, abs=4)


def test_everything_comes_from_the_server_and_radiographs_load_no_library_of_volumes(page: Any, server: Any) -> None:
    browser = page("navigate")
    asked = browser.requested()
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []
    assert any(url.endswith("niivue.umd.js") for url in asked)
    browser.events.clear()
    browser.open(f"{server.url}/gu2net/?image=flat")
    browser.wait("document.querySelector('#viewer g.point') !== null", seconds=30)
    assert not any("niivue" in url for url in browser.requested())
    browser.choose("#image", "drag")
    browser.wait("document.querySelector('#volume g.axial g.point') !== null", seconds=30)
    browser.choose("#image", "flat")
    browser.wait(
        "document.querySelector('#viewer').checkVisibility() && document.querySelector('#viewer g.point') !== null"
    )


def test_without_webgl_the_page_says_that_volumes_need_slicer_and_shows_radiographs(
    server: Any, tmp_path: Path
) -> None:
    with chromium.Chromium(tmp_path, options=["--disable-3d-apis"]) as browser:
        browser.open(f"{server.url}/gu2net/?image=none")
        browser.wait("!document.querySelector('#alert').hidden", seconds=30)
        said = browser.js("document.querySelector('#alert-text').textContent")
        assert said.startswith("Volumes are drawn with WebGL 2, which this browser does not have")
        assert "3D Slicer with the module GU2NetLandmarks" in said
        browser.choose("#image", "flat")
        browser.wait("document.querySelector('#viewer g.point') !== null", seconds=30)
        assert browser.js("document.querySelector('#alert').hidden")


def test_a_volume_that_is_too_long_for_the_browser_is_left_to_slicer(page: Any) -> None:
    browser = page("navigate")
    browser.js(
        "WebGL2RenderingContext.prototype.getParameter = ((known) => function (name) {"
        " return name === this.MAX_3D_TEXTURE_SIZE ? 40 : known.call(this, name); })("
        "WebGL2RenderingContext.prototype.getParameter)"
    )
    browser.choose("#image", "none")
    browser.wait("!document.querySelector('#alert').hidden", seconds=30)
    said = browser.js("document.querySelector('#alert-text').textContent")
    assert said.startswith(
        "A volume must have at most 40 voxels along an axis to be drawn by this browser; got 36 x 44"
    )
