# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The windows of large volumes that a network is shown in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose

from monai_gu2net.data import Domain
from monai_gu2net.losses import HeatmapLoss
from monai_gu2net.transforms import LandmarksToPointsd, RandWindowd

SIZE = (8, 6, 5)
DOMAINS = {"skull": Domain("skull", ("near", "far", "absent"), SIZE, target_spacing=(0.5, 1.0, 2.0))}
AFFINE = torch.tensor([[0.0, -1.0, 0.0, 7.0], [0.5, 0.0, 0.0, -3.0], [0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
VOXELS = np.array([[3.0, 4.0, 2.0], [17.0, 12.0, 9.0], [np.nan] * 3])


def sample(voxels: np.ndarray = VOXELS, shape: tuple[int, ...] = (20, 14, 11)) -> dict[str, Any]:
    """A volume whose values are the running numbers of its voxels, with landmarks at some of them."""
    image = torch.arange(float(np.prod(shape))).reshape(1, *shape)
    world = voxels @ AFFINE[:3, :3].double().numpy().T + AFFINE[:3, 3].double().numpy()
    return {
        "image": MetaTensor(image, affine=AFFINE),
        "landmarks": torch.from_numpy(world),
        "domain": "skull",
        "case": "a",
    }


def window(seed: int, *, prob_landmark: float = 0.8, voxels: np.ndarray = VOXELS) -> dict[str, Any]:
    """The window of a seed."""
    steps = Compose([RandWindowd(domains=DOMAINS, prob_landmark=prob_landmark), LandmarksToPointsd(keep_outside=True)])
    # a Compose seeds its steps anew when it is made, if the process has a seed
    found: dict[str, Any] = steps.set_random_state(seed)(sample(voxels))  # type: ignore[assignment]
    return found


def start_of(found: dict[str, Any]) -> np.ndarray:
    """Where a window starts, by the number of its first voxel."""
    return np.array(np.unravel_index(int(found["image"][0, 0, 0, 0]), (20, 14, 11)))


def test_points_and_affine_of_a_window_are_those_of_its_place() -> None:
    for seed in range(20):
        found = window(seed)
        start = start_of(found)
        assert tuple(found["image"].shape) == (1, *SIZE)
        np.testing.assert_allclose(found["points"].numpy(), VOXELS - start, atol=1e-5)
        corner = AFFINE.double().numpy() @ np.array([*start, 1.0])
        np.testing.assert_allclose(found["image"].affine.numpy()[:, 3], corner, atol=1e-9)


def test_windows_anywhere_cover_every_place() -> None:
    starts = {tuple(start_of(window(seed, prob_landmark=0.0))) for seed in range(600)}
    for axis, room in enumerate((12, 8, 6)):
        assert {start[axis] for start in starts} == set(range(room + 1))


def test_a_window_about_a_landmark_holds_one_and_each_as_often() -> None:
    held = np.zeros(2, dtype=int)
    for seed in range(200):
        points = window(seed, prob_landmark=1.0)["points"].numpy()[:2]
        inside = ((points >= 0) & (points <= np.array(SIZE) - 1)).all(axis=-1)
        assert inside.sum() == 1  # the two are further apart than a window is long
        held += inside
    # 200 draws with a probability of one half: 5 deviations of 7.1
    assert abs(held[0] - 100) < 36


def test_a_landmark_may_lie_anywhere_in_its_window() -> None:
    middle = np.array([[10.0, 7.0, 5.0], [np.nan] * 3, [np.nan] * 3])
    places = {
        tuple(window(seed, prob_landmark=1.0, voxels=middle)["points"][0].round().int().tolist()) for seed in range(400)
    }
    for axis, length in enumerate(SIZE):
        assert {place[axis] for place in places} == set(range(length))


def test_the_share_of_windows_about_landmarks_is_as_asked_for() -> None:
    corner = np.array([[0.0, 0.0, 0.0], [np.nan] * 3, [np.nan] * 3])
    at_corner = sum(start_of(window(seed, voxels=corner)).sum() == 0 for seed in range(300))
    # 0.8 of 300, and hardly any of the windows anywhere, which start there once in 819
    assert abs(at_corner - 240) < 5 * np.sqrt(300 * 0.8 * 0.2)


def test_the_same_seed_gives_the_same_windows_and_others_others() -> None:
    crops = [RandWindowd(domains=DOMAINS).set_random_state(seed) for seed in (7, 7, 8)]
    first, again, other = ([start_of(crop(sample())).tolist() for _ in range(10)] for crop in crops)
    assert first == again
    assert first != other


@pytest.mark.parametrize("shape", [SIZE, (20, 6, 5)])
def test_an_axis_that_is_not_larger_stays_whole(shape: tuple[int, ...]) -> None:
    found = RandWindowd(domains=DOMAINS).set_random_state(0)(sample(shape=shape))
    assert tuple(found["image"].shape) == (1, *SIZE)


def test_a_volume_without_landmarks_gets_windows_too() -> None:
    bare = {key: value for key, value in sample().items() if key != "landmarks"}
    assert tuple(RandWindowd(domains=DOMAINS)(bare)["image"].shape) == (1, *SIZE)


def test_a_window_without_a_landmark_teaches_that_it_is_not_there_and_an_absent_one_teaches_nothing() -> None:
    logits = torch.zeros(1, 3, *SIZE, requires_grad=True)
    points = torch.tensor([[[3.0, 2.0, 2.0], [40.0, 2.0, 2.0], [torch.nan] * 3]])
    HeatmapLoss(1.5)(logits, points).backward()
    assert logits.grad is not None
    inside, outside, absent = logits.grad[0]
    # the derivative of the cross-entropy is sigmoid - target, here 1/2 - target, shared by the two landmarks that count
    torch.testing.assert_close(outside, torch.full(SIZE, 0.25))
    assert inside[3, 2, 2] == pytest.approx(-0.25)
    assert absent.abs().max() == 0


def test_a_landmark_just_outside_of_its_window_is_not_pushed_down_at_the_border() -> None:
    logits = torch.zeros(1, 1, *SIZE, requires_grad=True)
    HeatmapLoss(1.5)(logits, torch.tensor([[[-1.0, 2.0, 2.0]]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 0, 2, 2] == pytest.approx(0.5 - np.exp(-0.5 * (1 / 1.5) ** 2), abs=1e-6)
    assert logits.grad[0, 0, 7, 2, 2] == pytest.approx(0.5, abs=1e-4)
