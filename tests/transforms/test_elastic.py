# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import root

from monai_gu2net.transforms import LandmarksToPointsd, RandElasticLandmarksd

TOLERANCE_PX = 0.05
AFFINE = torch.tensor([[0.3, -0.4, 0, 5], [0.8, 0.6, 0, -7], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.float64)


def coordinates(size: tuple[int, ...]) -> torch.Tensor:
    return torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij"))


def sample_of(size: tuple[int, int], points: np.ndarray) -> dict[str, Any]:
    landmarks = points @ AFFINE[:2, :2].numpy().T + AFFINE[:2, 3].numpy()
    return {
        "image": MetaTensor(coordinates(size), affine=AFFINE),
        "landmarks": torch.as_tensor(landmarks),
    }


def bent(sample: dict[str, Any], seed: int, *, spacing: float, magnitude: float) -> dict[str, Any]:
    transform = RandElasticLandmarksd(prob=1.0, spacing=spacing, magnitude=(magnitude, magnitude))
    return transform.set_random_state(seed)(sample)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), spacing=st.floats(24, 60), strength=st.floats(0.2, 1))
def test_a_landmark_goes_where_the_bent_image_shows_it(seed: int, spacing: float, strength: float) -> None:
    """The image holds its own coordinates q + u(q); SciPy solves q + u(q) = p for q."""
    size = (100, 80)
    p = np.random.default_rng(seed).uniform(25, [74, 54], (4, 2))
    sample = LandmarksToPointsd()(bent(sample_of(size, p), seed, spacing=spacing, magnitude=strength * spacing / 8))
    shown = RegularGridInterpolator(
        (np.arange(size[0]), np.arange(size[1])), np.moveaxis(sample["image"].numpy(), 0, -1)
    )
    for point, found in zip(p, sample["points"].numpy(), strict=True):

        def miss(q: np.ndarray, p: np.ndarray = point) -> np.ndarray:
            return shown(np.clip(q, 0, np.array(size) - 1))[0] - p

        solution = root(miss, point, method="df-sane")
        assert solution.success
        np.testing.assert_allclose(found, solution.x, atol=TOLERANCE_PX)


# seeds whose draws fold the image unless they are flattened
@pytest.mark.parametrize(
    ("size", "spacing", "seed"),
    [((24, 24), 60, 0), ((24, 24), 60, 6), ((60, 60), 40, 53), ((91, 91), 60, 53)],
)
def test_the_strongest_bend_does_not_fold_the_image(size: tuple[int, int], spacing: float, seed: int) -> None:
    sample = sample_of(size, np.zeros((1, 2)))
    sample["image"] = torch.cat([sample["image"], torch.ones(1, *size)])
    *shown, ones = bent(sample, seed, spacing=spacing, magnitude=spacing / 8)["image"].numpy()
    inside = ones > 1 - 1e-4
    along_x, along_y = np.diff(shown, axis=1)[:, :, :-1], np.diff(shown, axis=2)[:, :-1, :]
    whole = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:]
    jacobian = along_x[0] * along_y[1] - along_x[1] * along_y[0]
    assert whole.any()
    assert jacobian[whole].min() > 0


def test_the_affine_stays_and_the_inputs_are_not_changed() -> None:
    sample = sample_of((40, 30), np.array([[20.0, 15.0], [np.nan, np.nan]]))
    image, landmarks = sample["image"].clone(), sample["landmarks"].clone()
    after = bent(sample, 3, spacing=24, magnitude=3)
    assert torch.equal(after["image"].affine, AFFINE)
    assert not torch.equal(after["image"], image)
    assert torch.equal(sample["image"], image)
    torch.testing.assert_close(sample["landmarks"], landmarks, equal_nan=True)
    assert after["landmarks"].dtype == torch.float64
    assert torch.isnan(after["landmarks"][1]).all()
    assert not torch.isnan(after["landmarks"][0]).any()


def test_the_seed_decides_the_bend() -> None:
    def landmark(seed: int) -> list[list[float]]:
        sample = sample_of((40, 30), np.array([[20.0, 15.0]]))
        return bent(sample, seed, spacing=24, magnitude=3)["landmarks"].tolist()

    assert landmark(1) == landmark(1)
    assert landmark(1) != landmark(2)


@pytest.mark.parametrize(("prob", "magnitude"), [(0.0, (3.0, 3.0)), (1.0, (0.0, 0.0))])
def test_without_chance_or_magnitude_nothing_moves(prob: float, magnitude: tuple[float, float]) -> None:
    sample = sample_of((40, 30), np.array([[20.0, 15.0]]))
    after = RandElasticLandmarksd(prob=prob, spacing=24, magnitude=magnitude)(sample)
    torch.testing.assert_close(after["image"].as_tensor(), sample["image"].as_tensor(), atol=1e-4, rtol=0)
    torch.testing.assert_close(after["landmarks"], sample["landmarks"])


def test_an_image_without_landmarks_is_bent_alone() -> None:
    image = MetaTensor(coordinates((40, 30)), affine=AFFINE)
    after = bent({"image": image}, 3, spacing=24, magnitude=3)
    assert not torch.equal(after["image"], image)
    assert after.keys() == {"image"}


@pytest.mark.parametrize("magnitude", [(3.0, 2.0), (-1.0, 2.0), (0.0, 3.1)])
def test_a_magnitude_that_could_fold_the_image_is_refused(magnitude: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"magnitude must rise from 0 to at most spacing / 8 = 3; got"):
        RandElasticLandmarksd(spacing=24, magnitude=magnitude)


VOXELS = np.array([1.0, 1.5, 3.0])
VOLUME = (40, 28, 16)
IN_SPACE = torch.as_tensor(np.block([[np.eye(3)[[2, 0, 1]] * VOXELS, np.full((3, 1), 9)], [np.zeros(3), 1]]))


def bent_volume(seed: int, points: np.ndarray, **options: Any) -> dict[str, Any]:
    """A volume that holds the indices of its voxels, with the landmarks at points of it, bent."""
    landmarks = points @ IN_SPACE[:3, :3].numpy().T + 9
    sample = {"image": MetaTensor(coordinates(VOLUME), affine=IN_SPACE), "landmarks": torch.as_tensor(landmarks)}
    transform = RandElasticLandmarksd(prob=1.0, spacing=24, magnitude=(2.5, 2.5), **options)
    return LandmarksToPointsd()(transform.set_random_state(seed)(sample))


@pytest.mark.parametrize("seed", range(5))
def test_a_landmark_of_a_volume_stays_on_what_it_lay_on(seed: int) -> None:
    """SciPy looks up in the bent volume which voxel is shown at the moved landmark."""
    points = np.random.default_rng(seed).uniform([10, 8, 4], [30, 20, 11], (6, 3))
    sample = bent_volume(seed, points)
    shown = RegularGridInterpolator(tuple(map(np.arange, VOLUME)), np.moveaxis(sample["image"].numpy(), 0, -1))
    np.testing.assert_allclose(shown(sample["points"].numpy()), points, atol=TOLERANCE_PX)
    assert np.abs(sample["points"].numpy() - points).max() > 0.2
    assert torch.equal(sample["image"].affine, IN_SPACE)


def test_a_volume_bends_by_as_many_millimetres_along_each_axis() -> None:
    """Though its voxels are up to three times as long along one axis as along another."""
    moved = []
    for seed in range(60):
        points = np.array([[20.0, 14.0, 8.0]])
        moved.append((bent_volume(seed, points)["points"].numpy() - points)[0] * VOXELS)
    along = np.std(moved, axis=0)
    assert along.max() / along.min() < 1.5
    assert along.min() > 0.5


@pytest.mark.parametrize(("padding", "expected"), [("lowest", -2.0), ("zeros", 0.0), ("border", 7.0)])
def test_beyond_the_border_of_a_bent_image_is_what_padding_says(padding: Any, expected: float) -> None:
    image = torch.full((1, 24, 24, 24), 7.0)
    image[0, 12, 12, 12] = -2
    bend = RandElasticLandmarksd(prob=1.0, spacing=24, magnitude=(3, 3), padding=padding).set_random_state(1)
    bent_image = bend({"image": MetaTensor(image)})["image"].as_tensor()[0]
    faces = torch.cat([bent_image[[0, -1]].flatten(), bent_image[:, [0, -1]].flatten()])
    assert float(faces.min()) == pytest.approx(expected, abs=1e-4)


def test_a_volume_of_one_slice_is_bent() -> None:
    image = MetaTensor(torch.rand(1, 20, 20, 1))
    after = RandElasticLandmarksd(prob=1.0, spacing=24, magnitude=(3, 3)).set_random_state(1)({"image": image})
    assert after["image"].shape == image.shape
