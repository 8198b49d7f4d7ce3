# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The annotation page in a real browser, with MONAI Label's server and a model whose answers are known."""

from __future__ import annotations

import io
import json
import os
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import chromium
import numpy as np
import pytest
from PIL import Image

from monai_gu2net.landmarks.formats import read_markups

HERE = Path(__file__).parent
WIDTH, HEIGHT = 200, 160
NAMES = ("sella", "nasion", "orbitale", "porion")
POINTS = ((30.0, 40.0), (150.25, 20.5), (60.0, 120.0), None)
SPACING = (0.1, 0.25)  # x, y


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        chromium.PROGRAM is None and not os.environ.get("CI"), reason="needs the Debian package chromium"
    ),
]


def reply(points=POINTS) -> dict[str, Any]:
    landmarks = []
    for index, (name, point) in enumerate(zip(NAMES, points, strict=True)):
        x, y = (None, None) if point is None else point
        confidence, radius = 0.9 - 0.2 * index, 3.0 + index
        landmarks.append({"name": name, "index": index, "x": x, "y": y, "confidence": confidence, "radius_90": radius})
    return {"landmarks": landmarks, "unit": "px", "spacing_source": "none", "domain": "head", "model": "told"}


def markups(points: dict[str, tuple[float, float]]) -> str:
    control = [{"label": name, "position": [*point, 0.0]} for name, point in points.items()]
    return json.dumps({"markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": control}]})


@pytest.fixture(scope="module")
def studies(tmp_path_factory, make_dicom) -> Path:
    """An image for each test, for they save labels."""
    folder = tmp_path_factory.mktemp("studies")
    picture = np.full((HEIGHT, WIDTH), 60, dtype=np.uint8)
    picture[40, 30] = 255  # the pixel of sella
    for name in ("pixels", "place", "absent", "keys", "stay", "discard", "reload", "grey", "undo", "elsewhere"):
        Image.fromarray(picture).save(folder / f"{name}.png")
    make_dicom(folder / "mm.dcm", picture.astype(np.uint16), ImagerPixelSpacing=[SPACING[1], SPACING[0]])
    (folder / "labels" / "final").mkdir(parents=True)
    for name, points in (
        ("labelled", {"sella": (11.0, 12.0), "nasion": (13.0, 14.0)}),
        ("refused", {"sella": (11.0, 12.0), "sela": (13.0, 14.0)}),
    ):
        Image.fromarray(picture).save(folder / f"{name}.png")
        (folder / "labels" / "final" / f"{name}.mrk.json").write_text(markups(points))
    return folder


@pytest.fixture(scope="module")
def server(studies, start_server, tmp_path_factory) -> Iterator[Any]:
    app = tmp_path_factory.mktemp("app")
    images = [path.name.split(".")[0] for path in studies.iterdir() if path.is_file()]
    (app / "replies.json").write_text(json.dumps({name: reply() for name in images}))
    with start_server([HERE / "page_server.py", studies, app]) as running:
        yield running


@pytest.fixture
def browser(tmp_path) -> Iterator[Any]:
    with chromium.Chromium(tmp_path) as running:
        yield running
        assert running.errors() == []


@pytest.fixture
def page(browser, server) -> Callable[[str], Any]:
    """Opens an image in the page."""

    def open_image(name: str) -> Any:
        browser.open(f"{server.url}/gu2net/?image={name}")
        browser.wait("'ready' in document.body.dataset")
        browser.wait("document.querySelector('#alert').hidden && document.querySelector('g.point') !== null")
        settle(browser)
        return browser

    return open_image


def settle(browser) -> None:
    """Wait for the end of a zoom or a move."""
    browser.wait(
        "(async () => { const place = () => [...document.querySelectorAll('g.point')].map("
        "(g) => g.getAttribute('transform')).join(); const before = place();"
        " await new Promise((r) => setTimeout(r, 120)); return before === place(); })()"
    )


def mark(browser, name: str) -> np.ndarray:
    """Where a point is on the screen, in pixels from the corner of the page."""
    return np.array(browser.center(f'g.point[data-index="{NAMES.index(name)}"] .hold'))


def near(browser, name: str, dx: float, dy: float) -> tuple[float, float]:
    """A place on the screen beside a point."""
    x, y = mark(browser, name)
    return x + dx, y + dy


def scale(browser) -> float:
    """Pixels of the screen per pixel of the image, from the places of two points that are known."""
    between = np.subtract(POINTS[1], POINTS[0])
    return float(((mark(browser, "nasion") - mark(browser, "sella")) / between).mean())


def label(studies: Path, name: str):
    return read_markups(studies / "labels" / "final" / f"{name}.mrk.json", dims=2)


def submit(browser) -> None:
    browser.click("#submit")
    browser.wait("document.querySelector('#state').textContent === 'Saved'")


def state(browser) -> str:
    return browser.js("document.querySelector('#state').textContent")


def test_a_dragged_point_changes_the_label_by_as_many_millimetres(page, studies):
    browser = page("mm")
    factor = scale(browser)
    browser.drag(near(browser, "sella", 3, 2), (40, -24))  # held beside its centre, it does not jump
    assert state(browser) == "Changed"
    submit(browser)
    saved = label(studies, "mm")
    assert saved.names == NAMES
    expected = np.array([[30 + 40 / factor, 40 - 24 / factor], POINTS[1], POINTS[2]]) * SPACING
    np.testing.assert_allclose(saved.points[:3], expected, atol=0.02)
    assert np.isnan(saved.points[3]).all()
    content = json.loads((studies / "labels" / "final" / "mm.mrk.json").read_text())["markups"][0]
    assert content["coordinateUnits"] == "mm"
    assert content["controlPoints"][3]["positionStatus"] == "undefined"
    assert "position" not in content["controlPoints"][3]


def test_without_spacing_the_label_is_in_pixels_and_states_no_unit(page, studies):
    browser = page("pixels")
    factor = scale(browser)
    browser.drag(tuple(mark(browser, "orbitale")), (-30, 10))
    submit(browser)
    moved = np.subtract(label(studies, "pixels").points[2], POINTS[2])
    np.testing.assert_allclose(moved, np.array([-30, 10]) / factor, atol=0.02)
    content = json.loads((studies / "labels" / "final" / "pixels.mrk.json").read_text())["markups"][0]
    assert "coordinateUnits" not in content


def test_a_point_is_drawn_on_its_pixel_at_every_zoom(page):
    browser = page("elsewhere")
    for _ in range(3):
        shown = np.asarray(Image.open(io.BytesIO(browser.screenshot())).convert("RGB")).astype(int)
        x, y = mark(browser, "sella")
        side = int(scale(browser)) + 12
        # the point's own mark hides a part of the pixel: the other three corners of a square around it are looked at
        box = shown[int(y) - side : int(y) + side + 1, int(x) - side : int(x) + side + 1]
        rows, columns = np.nonzero((box.min(axis=2) > 160) & (np.ptp(box, axis=2) < 20))
        center = np.array([(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2]) - side
        np.testing.assert_allclose(center + (int(x), int(y)) + 0.5, (x, y), atol=1.5)
        browser.wheel((x, y), -300)
        settle(browser)


def test_a_point_can_be_made_absent_and_placed_by_a_click(page, studies):
    browser = page("absent")
    browser.click('tr[data-index="0"] input')  # sella is absent
    assert browser.js("getComputedStyle(document.querySelector('g.point[data-index=\"0\"]')).display") == "none"
    browser.click('tr[data-index="3"] input')  # porion is to be placed
    assert "porion is absent" in browser.js("document.querySelector('#hint').textContent")
    factor = float(((mark(browser, "nasion") - mark(browser, "orbitale")) / np.subtract(POINTS[1], POINTS[2])).mean())
    browser.click(near(browser, "nasion", -50, 60))
    submit(browser)
    saved = label(studies, "absent")
    assert np.isnan(saved.points[0]).all()
    np.testing.assert_allclose(saved.points[3], POINTS[1] + np.array([-50, 60]) / factor, atol=0.02)


def test_keys_move_remove_and_restore_the_chosen_point(page, studies):
    browser = page("keys")
    chosen = "document.querySelector('tr[aria-current=true] button').textContent"
    browser.key("Tab")
    assert browser.js(chosen) == "nasion"
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        browser.key(key)
    browser.key("ArrowDown", shift=True)
    browser.key("Tab")
    browser.key("Delete")
    browser.key("Tab", shift=True)
    browser.key("Tab", shift=True)
    assert browser.js(chosen) == "sella"
    browser.key("Delete")
    browser.key("z")  # sella is back
    before = mark(browser, "sella") - mark(browser, "nasion")
    browser.key("+")
    settle(browser)
    np.testing.assert_allclose(mark(browser, "sella") - mark(browser, "nasion"), 1.5 * before, rtol=0.01)
    browser.key("-")
    settle(browser)
    np.testing.assert_allclose(mark(browser, "sella") - mark(browser, "nasion"), before, rtol=0.01)
    browser.key("s")
    browser.wait("document.querySelector('#state').textContent === 'Saved'")
    saved = label(studies, "keys")
    np.testing.assert_allclose(saved.points[:2], [POINTS[0], (152.25, 19.6)], atol=1e-6)
    assert np.isnan(saved.points[2:]).all()


def test_undo_and_redo_step_through_what_was_done(page):
    browser = page("undo")
    first = mark(browser, "sella")
    browser.key("ArrowRight")
    browser.key("ArrowRight")
    second = mark(browser, "sella")
    browser.click("#undo")
    browser.click("#undo")
    assert state(browser) == "Not submitted"
    assert browser.js("document.querySelector('#undo').disabled")
    np.testing.assert_allclose(mark(browser, "sella"), first, atol=0.01)
    browser.key("y")
    browser.key("z", shift=True)
    np.testing.assert_allclose(mark(browser, "sella"), second, atol=0.01)
    assert state(browser) == "Changed"


def test_a_label_that_is_there_is_shown_instead_of_a_pre_label(page):
    browser = page("labelled")
    assert state(browser) == "Saved"
    absent = browser.js("[...document.querySelectorAll('#points input')].map((box) => box.checked)")
    assert absent == [False, False, True, True]  # the model's other names can be placed
    distance = mark(browser, "nasion") - mark(browser, "sella")
    browser.key("p")  # the model's points, which can be undone
    browser.wait("document.querySelector('#state').textContent === 'Changed'")
    assert scale(browser) == pytest.approx(float((distance / 2).mean()), rel=0.01)


def test_a_refusal_is_shown_in_full_and_the_label_stays(page, studies):
    browser = page("refused")
    before = (studies / "labels" / "final" / "refused.mrk.json").read_bytes()
    browser.key("ArrowRight")
    browser.key("s")
    browser.wait("!document.querySelector('#alert').hidden")
    said = browser.js("document.querySelector('#alert-text').textContent")
    assert said == "The landmarks must be known; got ['sela'] of 'refused'. Rename them."
    assert state(browser) == "Changed"
    assert (studies / "labels" / "final" / "refused.mrk.json").read_bytes() == before
    assert len(browser.errors()) == 1  # the browser's own line on the answer 422
    browser.events.clear()
    browser.click("#alert-close")
    assert browser.js("document.querySelector('#alert').hidden")


def test_the_next_image_is_what_active_learning_says_and_the_count_follows(page, server):
    browser = page("place")
    images = server.get_json("/datastore/?output=all")["objects"]
    done = [name for name, entry in images.items() if "final" in entry["labels"]]
    assert browser.js("document.querySelector('#count').textContent") == f"{len(done)} of {len(images)} labelled"
    submit(browser)
    assert browser.js("document.querySelector('#count').textContent") == f"{len(done) + 1} of {len(images)} labelled"
    browser.key("n")
    unlabelled = min(set(images) - set(done) - {"place"})
    browser.wait(f"document.querySelector('#image').value === {json.dumps(unlabelled)}")
    assert urllib.parse.parse_qs(urllib.parse.urlparse(browser.js("location.href")).query) == {"image": [unlabelled]}


@pytest.mark.parametrize(("name", "button"), [("stay", "stay"), ("discard", "discard"), ("stay", "submit")])
def test_changes_are_not_left_behind_without_a_question(page, studies, name, button):
    browser = page(name)
    browser.key("ArrowLeft")
    browser.key("n")
    browser.wait("document.querySelector('#unsaved').open")
    browser.click(f'#unsaved button[value="{button}"]')
    browser.wait("!document.querySelector('#unsaved').open")
    if button == "stay":
        assert state(browser) == "Changed"
        assert browser.js("document.querySelector('#image').value") == name
    else:
        browser.wait(
            "document.querySelector('#state').textContent === 'Not submitted' && document.querySelector('#busy').hidden"
        )
    is_saved = (studies / "labels" / "final" / f"{name}.mrk.json").exists()
    assert is_saved == (button == "submit")


def test_closing_the_page_with_changes_makes_the_browser_ask(page):
    browser = page("reload")
    browser.click("tr[data-index='0'] button")  # browsers ask only where something was done
    browser.key("ArrowLeft")
    browser.send("Page.reload")
    asked = browser.wait_event("Page.javascriptDialogOpening")
    assert asked["type"] == "beforeunload"
    browser.ask("Page.handleJavaScriptDialog", accept=False)
    assert state(browser) == "Changed"
    browser.key("z")
    browser.ask("Page.reload")
    browser.wait_event("Page.loadEventFired")


def test_level_and_width_change_the_grey_as_a_window_does(page):
    browser = page("grey")
    corner = near(browser, "sella", 60, 40)  # grey 60 of 255, no mark near

    def grey() -> int:
        shown = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
        return shown.getpixel(tuple(int(value) for value in corner))[0]

    assert grey() == 0
    browser.js(
        "for (const [id, value] of [['width', 1], ['level', 60.25]]) { const e = document.getElementById(id);"
        " e.value = value; e.dispatchEvent(new Event('input')); }"
    )
    expected = 255 * (60 - (60.25 - 0.5)) / 1
    assert grey() == pytest.approx(expected, abs=3)
    browser.drag(corner, (0, -200), button="right")
    assert grey() != pytest.approx(expected, abs=10)
    browser.key("w")
    assert grey() == 0
    assert state(browser) == "Not submitted"  # nothing of this moves a point


def test_everything_comes_from_the_server_and_the_list_is_ordered_by_doubt(page, server):
    browser = page("elsewhere")
    browser.choose("#order", "uncertainty")
    names = browser.js("[...document.querySelectorAll('#points button')].map((b) => b.textContent)")
    assert names == ["orbitale", "nasion", "sella", "porion"]  # radii 5, 4, 3 px, absent
    asked = browser.requested()
    assert len(asked) > 8
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


def test_an_image_that_is_not_there_is_named(browser, server):
    browser.open(f"{server.url}/gu2net/?image=nowhere")
    browser.wait("!document.querySelector('#alert').hidden")
    assert "got 'nowhere'" in browser.js("document.querySelector('#alert-text').textContent")
    browser.events.clear()  # of the 404
