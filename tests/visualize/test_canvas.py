# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from monai_gu2net.visualize.canvas import Canvas


def black(height: int, width: int) -> Canvas:
    return Canvas(np.zeros((height, width, 3), dtype=np.uint8))


def lit(canvas: Canvas) -> np.ndarray:
    """(H, W) how much of each pixel is covered by white."""
    return canvas.pixels[..., 0] / 255


def test_a_cross_is_two_sharp_bars_about_its_place():
    canvas = black(20, 30)

    canvas.cross((12.2, 8.9), length=8, width=2, colour="white")

    expected = np.zeros((20, 30))
    expected[8:10, 8:16] = 1  # from 12 - 4 to 12 + 4, and from 9 - 1 to 9 + 1
    expected[5:13, 11:13] = 1
    np.testing.assert_array_equal(lit(canvas), expected)


@pytest.mark.parametrize("at", [(15.0, 12.0), (14.3, 11.8)])
def test_a_disc_has_the_area_and_the_centre_of_a_circle(at):
    canvas = black(25, 31)

    canvas.disc(at, diameter=12, colour="white")

    rows, columns = np.indices((25, 31)) + 0.5
    area = lit(canvas).sum()
    assert area == pytest.approx(np.pi * 6**2, rel=0.01)
    centre = (lit(canvas) * columns).sum() / area, (lit(canvas) * rows).sum() / area
    assert centre == pytest.approx(at, abs=0.05)


def test_an_ellipse_is_a_line_of_its_width_along_the_curve():
    canvas = black(80, 120)

    canvas.ellipse((60.0, 40.0), (50.0, 30.0), width=2, colour="white")

    angle = np.linspace(0, 2 * np.pi, 2000)
    points = np.stack([60 + 50 * np.cos(angle), 40 + 30 * np.sin(angle)])
    length = np.linalg.norm(np.diff(points), axis=0).sum()
    assert lit(canvas).sum() == pytest.approx(2 * length, rel=0.02)
    columns, rows = points.astype(int)
    assert lit(canvas)[rows, columns].min() > 0.5
    assert lit(canvas)[22:58, 28:92].max() == 0


@pytest.mark.parametrize("end", [(90.0, 30.0), (30.0, 70.0), (10.0, 70.0), (50.0, 5.0), (5.0, 40.0)])
def test_a_line_has_its_length_and_width_in_every_direction(end):
    canvas = black(80, 100)

    canvas.line((50.0, 40.0), end, width=3, colour="white")

    length = np.hypot(end[0] - 50, end[1] - 40)
    assert lit(canvas).sum() == pytest.approx(3 * length + np.pi * 1.5**2, rel=0.03)
    for share in np.linspace(0, 1, 20):
        x, y = 50 + share * (end[0] - 50), 40 + share * (end[1] - 40)
        assert lit(canvas)[int(y), int(x)] > 0.9


def test_what_lies_outside_is_cut_off():
    canvas, larger = black(30, 40), black(90, 120)
    for each, shift in ((canvas, (0, 0)), (larger, (40, 30))):  # the canvas is the middle of the larger one
        x, y = shift
        each.line((x - 20.0, y + 5.0), (x + 60.0, y + 31.0), width=3, colour="white")
        each.ellipse((x + 39.0, y + 2.0), (30.0, 9.0), width=2, colour="#ff9f1a", opacity=0.8)
        each.cross((x, y), length=12, width=2, colour="#56c8ff")
        each.disc((x + 38.0, y + 28.0), diameter=9, colour="white")
        each.text("name", (x + 30, y + 3), size=12, colour="white", outlined=True)

    np.testing.assert_array_equal(canvas.pixels, larger.pixels[30:60, 40:80])


@pytest.mark.parametrize("at", [(2, 3), (197, 3), (2, 99), (197, 99), (-500, -500), (900, 900)])
def test_a_text_that_is_kept_inside_is_whole(at):
    moved, middle = black(100, 200), black(100, 200)

    moved.text("a name", at, size=11, colour="white", kept_inside=True)
    middle.text("a name", (80, 50), size=11, colour="white")

    assert moved.pixels.sum(dtype=int) == middle.pixels.sum(dtype=int) > 0
    assert lit(moved)[0].max() == lit(moved)[-1].max() == lit(moved)[:, 0].max() == lit(moved)[:, -1].max() == 0


def test_a_text_has_a_dark_edge_to_be_seen_on_white():
    canvas = Canvas(np.full((40, 60, 3), 255, dtype=np.uint8))

    canvas.text("l", (30, 30), size=20, colour="white", outlined=True)

    rows, columns = np.nonzero(canvas.pixels[..., 0] < 60)
    assert len(rows) > 20
    inside = canvas.pixels[(rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2]
    assert inside.min() > 200


@pytest.mark.parametrize("text", ["", " ", "\n", "\ud83d", "a\nb", "\0", "骨", "x" * 2_000_000, "שם", "\u0301"])
def test_no_text_is_an_error(text):
    black(30, 40).text(text, (5, 20), size=11, colour="white", outlined=True, kept_inside=True)
