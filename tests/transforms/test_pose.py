# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import stats
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from monai_gu2net.data import Domain
from monai_gu2net.transforms import LandmarksToPointsd, RandPosed

SPACING = np.array([0.5, 1.0, 3.0])
# voxels of unequal lengths in directions that are those of no axis
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
AFFINE = np.eye(4)
AFFINE[:3, :3], AFFINE[:3, 3] = TURN * SPACING, (30, -20, 7)
SIZE = (40, 30, 16)
STILL: dict[str, Any] = {"rotate": 0, "scale": 0, "stretch": 0, "shear": 0, "translate": 0}
KINDS = [{"rotate": 25}, {"rotate": 180}, {"scale": 0.2}, {"stretch": 0.2}, {"shear": 0.2}, {"translate": 0.1}]


def world_of(size: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """(D, *size) where the centre of each voxel lies."""
    dims = len(size)
    index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"))
    return np.tensordot(affine[:dims, :dims], index, axes=1) + affine[:dims, -1].reshape(-1, *[1] * dims)


def sample_of(size: tuple[int, ...] = SIZE, affine: np.ndarray = AFFINE) -> dict[str, Any]:
    return {"image": MetaTensor(torch.as_tensor(world_of(size, affine)).float(), affine=torch.as_tensor(affine))}


def form_of(posed: MetaTensor) -> np.ndarray:
    """(D, D) the part of the new affine that is not the voxels' length: what turned the axes, and their form."""
    dims = posed.ndim - 1
    lengths = SPACING if dims == 3 else SPACING[:2]
    return posed.affine.numpy()[:dims, :dims] / lengths


@pytest.mark.parametrize("options", KINDS, ids=lambda options: " ".join(map(str, *options.items())))
def test_each_voxel_shows_what_the_affine_says_lies_there(options: dict[str, float]) -> None:
    """The image holds its own millimetres, which linear interpolation gives back exactly away from the border."""
    posed = RandPosed(prob=1, **STILL | options).set_random_state(5)(sample_of())["image"]
    index = np.linalg.inv(AFFINE) @ np.concatenate(
        [world_of(SIZE, posed.affine.numpy()).reshape(3, -1), np.ones((1, np.prod(SIZE)))]
    )
    seen = ((index[:3] > 0.01) & (index[:3] < np.array(SIZE)[:, None] - 1.01)).all(axis=0)
    assert seen.sum() > 1000
    found = posed.numpy().reshape(3, -1)[:, seen]
    np.testing.assert_allclose(found, world_of(SIZE, posed.affine.numpy()).reshape(3, -1)[:, seen], atol=1e-3)
    assert not np.allclose(posed.affine, AFFINE)


@pytest.mark.parametrize("padding", ["lowest", "border", "zeros"])
def test_a_landmark_stays_on_its_structure(padding: Any) -> None:
    """SciPy looks up the brightness of a blob at the moved landmark: at its top it is highest."""
    middle = np.array([22.0, 13.0, 8.0])
    index = np.stack(np.meshgrid(*map(np.arange, SIZE), indexing="ij"), axis=-1)
    blob = np.exp(-0.5 * (((index - middle) * SPACING / 6) ** 2).sum(axis=-1)) - 1
    landmark = AFFINE[:3, :3] @ middle + AFFINE[:3, 3]
    for seed in range(10):
        sample: dict[str, Any] = {
            "image": MetaTensor(torch.as_tensor(blob[None]).float(), affine=torch.as_tensor(AFFINE)),
            "landmarks": torch.as_tensor(np.stack([landmark, [np.nan] * 3])),
        }
        pose = RandPosed(prob=1, rotate=180, padding=padding).set_random_state(seed)
        sample = LandmarksToPointsd()(pose(sample))
        point, absent = sample["points"].numpy()
        assert map_coordinates(sample["image"][0].numpy(), point[:, None], order=1)[0] > -0.07
        assert np.isnan(absent).all()


def test_a_turn_is_one_in_millimetres() -> None:
    """The axes stay at right angles and the voxels as long as they were; MONAI's turn in voxels shears them."""
    for seed in range(5):
        posed = RandPosed(prob=1, **STILL | {"rotate": 180}).set_random_state(seed)(sample_of())["image"]
        turn = form_of(posed)
        np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-6)
        assert np.linalg.det(turn) == pytest.approx(1)


def test_a_scale_is_common_to_all_axes_and_a_stretch_is_not() -> None:
    scaled = form_of(RandPosed(prob=1, **STILL | {"scale": 0.2}).set_random_state(1)(sample_of())["image"])
    factors = np.linalg.norm(scaled, axis=0)
    np.testing.assert_allclose(factors, factors[0])
    assert factors[0] != pytest.approx(1, abs=1e-3)
    stretched = form_of(RandPosed(prob=1, **STILL | {"stretch": 0.2}).set_random_state(1)(sample_of())["image"])
    assert np.ptp(np.linalg.norm(stretched, axis=0)) > 0.01


def test_a_shift_is_at_most_a_share_of_the_image() -> None:
    shifts = []
    for seed in range(50):
        posed = RandPosed(prob=1, **STILL | {"translate": 0.1}).set_random_state(seed)(sample_of())["image"]
        shifts.append(np.linalg.solve(AFFINE[:3, :3], (posed.affine.numpy() - AFFINE)[:3, 3]) / SIZE)
    assert 0.09 < np.abs(shifts).max() <= 0.1 + 1e-9
    assert np.ptp(shifts, axis=0).min() > 0.15


def turns(rotate: float, count: int = 1500) -> np.ndarray:
    """(count, 3, 3)"""
    pose = RandPosed(prob=1, **STILL | {"rotate": rotate}).set_random_state(0)
    small = sample_of((2, 2, 2))
    return np.stack([TURN.T @ form_of(pose(small)["image"]) for _ in range(count)])


def test_with_180_degrees_every_pose_is_as_likely_as_another() -> None:
    """Where an axis goes is uniform on the sphere, each coordinate thus in [-1, 1]; the angle is that of Haar."""
    drawn = turns(180)
    for row in range(3):
        for column in range(3):
            assert stats.kstest(drawn[:, row, column], stats.uniform(-1, 2).cdf).pvalue > 1e-3
    angles = np.arccos(np.clip((np.trace(drawn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angles, lambda angle: (angle - np.sin(angle)) / np.pi).pvalue > 1e-3


def test_a_smaller_turn_is_about_any_axis_and_never_larger_than_asked_for() -> None:
    drawn = turns(20, 500)
    angles = np.rad2deg(np.arccos(np.clip((np.trace(drawn, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert 19 < angles.max() <= 20 + 1e-4
    axes = np.stack([drawn[:, 2, 1] - drawn[:, 1, 2], drawn[:, 0, 2] - drawn[:, 2, 0], drawn[:, 1, 0] - drawn[:, 0, 1]])
    axes /= np.linalg.norm(axes, axis=0)
    for along in axes:
        assert stats.kstest(along, stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_beyond_the_border_is_what_padding_says() -> None:
    image = torch.full((1, 12, 12, 12), 5.0)
    image[0, 6, 6, 6] = 3.0
    corners = {}
    for padding in ("lowest", "border", "zeros"):
        pose = RandPosed(prob=1, **STILL | {"rotate": 180}, padding=padding).set_random_state(3)
        corners[padding] = float(pose({"image": MetaTensor(image)})["image"].as_tensor()[0, [0, -1]].amin())
    assert corners == pytest.approx({"lowest": 3, "border": 5, "zeros": 0}, abs=1e-4)


def test_a_radiograph_is_turned_in_its_plane() -> None:
    affine = np.diag([0.5, 1.0, 1.0, 1.0])
    sample = sample_of((40, 30), np.diag([0.5, 1.0, 1.0]))
    sample["image"].affine = torch.as_tensor(affine)
    posed = RandPosed(prob=1, rotate=40, translate=0.1).set_random_state(2)(sample)["image"]
    shown = world_of((40, 30), posed.affine.numpy()[[0, 1, 3]][:, [0, 1, 3]])
    assert not np.allclose(posed.affine, affine)
    np.testing.assert_allclose(posed.numpy()[:, 15:25, 10:20], shown[:, 15:25, 10:20], atol=1e-3)


def test_the_seed_decides_the_pose_and_the_input_is_left_as_it_is() -> None:
    sample = sample_of()
    before = sample["image"].clone()

    def affine(seed: int) -> np.ndarray:
        return np.asarray(RandPosed(prob=1).set_random_state(seed)(sample)["image"].affine)

    np.testing.assert_array_equal(affine(1), affine(1))
    assert not np.allclose(affine(1), affine(2))
    assert torch.equal(sample["image"], before)
    np.testing.assert_array_equal(sample["image"].affine, AFFINE)


def test_about_as_many_samples_are_posed_as_the_probability_says() -> None:
    pose, sample = RandPosed(prob=0.3).set_random_state(0), sample_of((2, 2, 2))
    assert 40 <= sum(not np.allclose(pose(sample)["image"].affine, AFFINE) for _ in range(200)) <= 80


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rotate": 181}, "rotate must be from 0 to 180 degrees; got 181"),
        ({"scale": 1}, "scale must be from 0 to below 1; got 1"),
        ({"stretch": -0.1}, "stretch must be from 0 to below 1; got -0.1"),
        ({"shear": float("nan")}, "shear must be from 0 to below 1; got nan"),
        ({"translate": 2}, "translate must be from 0 to 1; got 2"),
        ({"far": -0.1}, "far must be from 0 to 1; got -0.1"),
        ({"padding": "mirror"}, "padding must be 'lowest', 'border' or 'zeros'; got 'mirror'"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RandPosed(**options)


SHAPE = np.array([[0, 0, -6], [7, 0, 0], [0, 5, 0], [-4, 0, 3], [4, 4, 1]], float)
SHAPED = {
    "skull": Domain(
        "skull",
        tuple("abcde"),
        (30, 24, 12),
        target_spacing=tuple(SPACING),
        mean_shape=tuple(map(tuple, SHAPE.tolist())),
    )
}


def posed_angles(count: int, **options: Any) -> np.ndarray:
    """By how many degrees the patient lies from the shape's pose in what is seen, over draws; SciPy measures them."""
    turn = Rotation.from_euler("xyz", (150, 40, -70), degrees=True)
    landmarks = turn.apply(SHAPE) + AFFINE[:3, :3] @ (np.array(SIZE) / 2) + AFFINE[:3, 3]
    angles = []
    move = RandPosed(domains=SHAPED, prob=0, **STILL | options).set_random_state(2)
    for _ in range(count):
        seen = move(sample_of() | {"domain": "skull", "landmarks": torch.from_numpy(landmarks)})["image"]
        assert seen.shape[1:] == (30, 24, 12)
        points = np.linalg.solve(seen.affine.numpy(), np.column_stack([landmarks, np.ones(5)]).T)[:3].T * SPACING
        left, _ = Rotation.align_vectors(SHAPE - SHAPE.mean(axis=0), points - points.mean(axis=0))
        angles.append(np.degrees(left.magnitude()))
        if not options.get("translate"):
            middle = (points.max(axis=0) + points.min(axis=0)) / 2
            assert angles[-1] > 1 or np.allclose(middle, (np.array([30, 24, 12]) - 1) / 2 * SPACING, atol=0.01)
    return np.array(angles)


def test_a_patient_in_any_pose_is_brought_into_that_of_the_mean_shape() -> None:
    assert posed_angles(5, far=0.0).max() < 0.01


def test_from_the_pose_of_the_shape_it_is_turned_a_little_or_as_far_as_a_search_may_leave_it() -> None:
    angles = posed_angles(200, far=0.5, rotate=10.0)
    assert angles.max() < 63.01
    assert ((angles > 10) & (angles < 40)).any()
    # half of 200, less those of the far ones that are turned by less than 10 degrees: hardly one, in volume (10/63)^3
    assert abs((angles > 10).sum() - 100) < 5 * np.sqrt(200 * 0.25)


def test_without_enough_landmarks_the_patient_is_turned_by_any_angle() -> None:
    move = RandPosed(domains=SHAPED, prob=0, **STILL, far=1.0).set_random_state(1)
    absent = torch.full((5, 3), torch.nan, dtype=torch.float64)
    angles = []
    for _ in range(100):
        seen = move(sample_of() | {"domain": "skull", "landmarks": absent})["image"]
        assert seen.shape[1:] == SIZE
        angles.append(np.degrees(Rotation.from_matrix(np.linalg.solve(TURN, form_of(seen))).magnitude()))
    assert np.mean(np.array(angles) > 90) > 0.6  # of all turns (pi / 2 + 1) / pi = 0.82
