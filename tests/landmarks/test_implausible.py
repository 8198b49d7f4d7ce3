# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monai_gu2net.landmarks import implausible_landmarks

seeds = st.integers(0, 2**31)
COLUMN = np.array([[x, 30.0 * level] for level in range(8) for x in (0.0, 40.0)])
"""Eight levels of a left and a right point, 30 apart."""


def columns(seed: int, *, count: int = 40, noise: float = 3.0) -> np.ndarray:
    """The column at any size between half and twice its own, anywhere, each point off by a little."""
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(-0.7, 0.7, size=(count, 1, 1)))
    return sizes * (COLUMN + rng.normal(scale=noise, size=(count, *COLUMN.shape))) + rng.normal(size=(count, 1, 2)) * 99


@given(seeds)
def test_landmarks_that_vary_as_all_do_are_plausible(seed: int) -> None:
    assert implausible_landmarks(columns(seed)) == [[]] * 40


@given(seeds, st.integers(0, 39), st.integers(0, 6))
def test_a_level_that_is_elsewhere_is_found_and_no_other(seed: int, one: int, level: int) -> None:
    sets = columns(seed)
    sets[one, 2 * level : 2 * level + 2] += 10 * (sets[one, -1] - sets[one, 1])
    assert implausible_landmarks(sets) == [[2 * level, 2 * level + 1] if n == one else [] for n in range(40)]


@given(seeds)
def test_left_and_right_that_are_swapped_are_found(seed: int) -> None:
    sets = columns(seed, noise=1.0)
    sets[5, [6, 7]] = sets[5, [7, 6]]
    assert implausible_landmarks(sets)[5] == [6, 7]


@given(seeds)
def test_many_errors_of_one_kind_do_not_hide_each_other(seed: int) -> None:
    """A third of the annotations put the last level to the first."""
    sets = columns(seed)
    sets[:13, -2:] = sets[:13, :2]
    found = implausible_landmarks(sets)
    assert found[:13] == [[14, 15]] * 13
    assert found[13:] == [[]] * 27


@given(seeds)
def test_absent_landmarks_are_not_judged_and_hide_no_other(seed: int) -> None:
    sets = columns(seed)
    sets[3, 4:6] = np.nan
    sets[3, -1] += 10 * (sets[3, 13] - sets[3, 1])
    sets[4] = np.nan
    assert implausible_landmarks(sets) == [[15] if n == 3 else [] for n in range(40)]


def test_few_images_say_nothing_of_what_is_usual() -> None:
    sets = columns(0, count=19)
    sets[0, -1] += 5000
    assert implausible_landmarks(sets) == [[]] * 19
    assert implausible_landmarks([]) == []


def test_a_single_pair_out_of_order_does_not_say_which_of_the_two_it_is() -> None:
    sets = columns(0)[:, :2]
    sets[0, 1] += 5000
    assert implausible_landmarks(sets) == [[]] * 40


@given(seeds)
def test_volumes_are_compared_in_one_pose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(9, 3)) * 30
    turns = Rotation.random(30, random_state=rng)
    sets = np.array([turn.apply(shape + rng.normal(size=shape.shape)) for turn in turns])
    sets[7, 2] += 900
    assert implausible_landmarks(sets, any_pose=True) == [[2] if n == 7 else [] for n in range(30)]
