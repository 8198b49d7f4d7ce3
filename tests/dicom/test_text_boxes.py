# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from monai_gu2net.dicom.text_boxes import text_boxes
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS

SIZE = (400, 300)


def covers(box: np.ndarray, point: np.ndarray) -> bool:
    return bool(box[0] < point[0] < box[2] and box[1] < point[1] < box[3])


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300), st.integers(1, 40)), min_size=1, max_size=30))
def test_every_box_is_in_the_image_and_leaves_its_point_free(given: list[tuple[float, float, int]]) -> None:
    points = np.array([[x, y] for x, y, _ in given])
    boxes = text_boxes(points, ["x" * length for _, _, length in given], SIZE)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= np.array(SIZE) + 1e-9).all()
    assert not any(covers(box, point) for box, point in zip(boxes, points, strict=True))


def test_names_of_neighbours_overlap_neither_points_nor_each_other(rng: np.random.Generator) -> None:
    grid = np.stack(np.meshgrid(np.linspace(20, 330, 5), np.linspace(15, 285, 8)), axis=-1).reshape(-1, 2)[:37]
    points = grid + rng.uniform(-3, 3, grid.shape)
    boxes = text_boxes(points, [name[:9] for name in HAND_LANDMARKS], SIZE)
    for row, box in enumerate(boxes):
        assert not any(covers(box, point) for point in points)
        for other in boxes[:row]:
            assert not ((box[:2] < other[2:]).all() and (other[:2] < box[2:]).all())


def test_a_box_is_at_most_a_line_and_a_half_from_its_point_in_the_open() -> None:
    points = np.array([[200.0, 150.0]])
    [box] = text_boxes(points, ["name"], SIZE)
    nearest = np.clip(points[0], box[:2], box[2:])
    assert 0 < np.linalg.norm(nearest - points[0]) < 1.5 * 8


def test_a_name_longer_than_the_image_is_as_wide_as_it() -> None:
    [box] = text_boxes(np.array([[200.0, 150.0]]), ["x" * 500], SIZE)
    assert (box[0], box[2]) == (0.0, 400.0)
    assert not covers(box, np.array([200.0, 150.0]))
