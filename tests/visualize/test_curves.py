# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_gu2net.visualize import draw_cumulative_errors, draw_landmark_errors, draw_learning_curve, save_figure


def rows_of(errors: dict[str, list[float]], *, domain="head", unit="mm") -> list[dict[str, object]]:
    return [
        {"case": str(case), "domain": domain, "landmark": landmark, "error": error, "unit": unit}
        for landmark, values in errors.items()
        for case, error in enumerate(values)
    ]


def test_the_cumulative_curve_is_the_share_within_r(rng):
    errors = rng.random(50) * 4
    figure = draw_cumulative_errors(rows_of({"a": errors.tolist()}), limit=5)

    xs, ys = figure.axes[0].lines[0].get_data()

    for radius in (0.5, 1.0, 3.0, *errors[:5]):
        assert ys[np.searchsorted(xs, radius, side="right") - 1] == pytest.approx((errors <= radius).mean())
    assert (xs[0], ys[0], xs[-1], ys[-1]) == (0, 0, 5, 1)


def test_landmarks_not_found_keep_the_curve_below_one():
    figure = draw_cumulative_errors(rows_of({"a": [1.0, np.inf, np.nan]}))

    assert figure.axes[0].lines[0].get_ydata()[-1] == 0.5


def test_each_unit_has_axes_of_its_own(tmp_path):
    rows = rows_of({"a": [1.0, 2.0]}, domain="_$x") + rows_of({"a": [10.0, 20.0]}, domain="chest", unit="px")

    figure = draw_cumulative_errors(rows)

    assert [axes.get_xlabel() for axes in figure.axes] == ["radial error r (mm)", "radial error r (px)"]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["domain chest, n = 2"]
    with Image.open(save_figure(figure, tmp_path / "curves.png")) as picture:
        assert picture.size == (1408, 512)


@pytest.mark.parametrize("draw", [draw_cumulative_errors, draw_landmark_errors])
def test_errors_of_nothing_annotated_are_refused(draw):
    with pytest.raises(ValueError, match="must be of at least one annotated landmark; got none"):
        draw(rows_of({"a": [np.nan]}))


@pytest.mark.parametrize("errors", [[np.inf], [0.0], [0.0, np.inf]])
@pytest.mark.parametrize("draw", [draw_cumulative_errors, draw_landmark_errors])
def test_errors_of_one_kind_only_are_drawn(draw, errors, tmp_path):
    assert save_figure(draw(rows_of({"a": errors})), tmp_path / "a.png").stat().st_size > 1000


def test_landmarks_keep_their_numbers_and_count_those_not_found():
    figure = draw_landmark_errors(rows_of({"$a": [np.nan], "b": [1.0, 2.0, 3.0], "c": [np.inf, 1.0]}))

    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$a  1", "b  2", "c (1 not found)  3"]
    medians = [line for line in axes.lines if line.get_color() == "#1f4e79"]
    assert [(line.get_xdata().mean(), line.get_ydata()[0]) for line in medians] == [(2, 2), (3, 1)]
    assert axes.get_ylabel() == "radial error (mm)"


def test_a_gross_error_does_not_flatten_the_boxes():
    axes = draw_landmark_errors(rows_of({"a": [*np.linspace(1, 2, 30), 500.0]})).axes[0]

    assert axes.get_ylim()[1] < 5
    triangles = [line for line in axes.lines if line.get_marker() == "^"]
    assert len(triangles[0].get_xdata()) == 1


def test_landmarks_of_two_domains_are_refused_in_one_plot():
    with pytest.raises(ValueError, match="must be of one domain and unit; got"):
        draw_landmark_errors(rows_of({"a": [1.0]}) + rows_of({"a": [1.0]}, domain="hand"))


def test_the_learning_curve_shows_losses_and_validations(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "epoch,seconds,train_loss,learning_rate,mre,head_mre,head_sdr_2\n"
        "1,2.0,0.5,0.001,,,\n2,2.0,0.25,0.0005,9,7,0.5\n3,2.0,0.125,0.0001,inf,5,0.6\n"
    )

    figure = draw_learning_curve(tmp_path / "metrics.csv")
    by_label = {axes.get_ylabel(): axes for axes in figure.axes}

    assert by_label["loss"].lines[0].get_ydata().tolist() == [0.5, 0.25, 0.125]
    assert by_label["learning rate (dotted)"].lines[0].get_ydata().tolist() == [0.001, 0.0005, 0.0001]
    radial_lines = by_label["mean radial error (domain's unit)"].lines
    assert [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in radial_lines] == [
        ([2], [9]), ([2, 3], [7, 5]),
    ]  # fmt: skip


@pytest.mark.parametrize("row", ["1,0.5,0.001\n", "1,0,0\n", "1,,0.1\n", ""])
def test_a_run_that_has_just_begun_has_a_learning_curve(row, tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,train_loss,learning_rate\n" + row)

    figure = draw_learning_curve(tmp_path / "metrics.csv")

    assert save_figure(figure, tmp_path / "curve.png").is_file()


def test_a_table_without_losses_is_refused(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,loss\n1,2\n")

    with pytest.raises(ValueError, match=r"got none for \['train_loss', 'learning_rate'\]"):
        draw_learning_curve(tmp_path / "metrics.csv")
