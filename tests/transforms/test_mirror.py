# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_gu2net.data import Domain
from monai_gu2net.transforms import LandmarksToPointsd, RandMirrorLandmarksd

NAMES = ("left", "middle", "right")
PAIRED = Domain("paired", NAMES, (10, 6), mirror=(("left", "right"),))
PLAIN = Domain("plain", NAMES, (10, 6))
DOMAINS = {"paired": PAIRED, "plain": PLAIN}


def sample_of(domain: str) -> dict[str, Any]:
    """Landmarks in mm of pixels twice as wide as high; the left one is absent."""
    image = torch.arange(60.0).reshape(1, 10, 6)
    affine = torch.diag(torch.tensor([2.0, 1, 1, 1], dtype=torch.float64))
    nan = float("nan")
    return {
        "image": MetaTensor(image, affine=affine),
        "landmarks": torch.tensor([[nan, nan], [8.0, 1.0], [2.0, 3.0]]),
        "domain": domain,
    }


def test_left_and_right_change_places_in_a_mirrored_image() -> None:
    before = sample_of("paired")
    sample = LandmarksToPointsd()(RandMirrorLandmarksd(domains=DOMAINS, prob=1.0)(before))
    np.testing.assert_array_equal(sample["image"][0], np.arange(60).reshape(10, 6)[::-1])
    # The right landmark was at pixel (1, 3); mirrored, it shows at 9 - 1 where a left one is looked for.
    nan = float("nan")
    np.testing.assert_allclose(sample["points"], [[8, 3], [5, 1], [nan, nan]])
    np.testing.assert_array_equal(before["image"][0], np.arange(60).reshape(10, 6))


def test_mirroring_twice_gives_the_sample_back() -> None:
    mirror = RandMirrorLandmarksd(domains=DOMAINS, prob=1.0)
    before = sample_of("paired")
    after = mirror(mirror(before))
    torch.testing.assert_close(after["image"].as_tensor(), before["image"].as_tensor())
    torch.testing.assert_close(after["image"].affine, before["image"].affine)
    torch.testing.assert_close(after["landmarks"], before["landmarks"], equal_nan=True)


def test_a_domain_without_pairs_is_never_mirrored() -> None:
    before = sample_of("plain")
    after = RandMirrorLandmarksd(domains=DOMAINS, prob=1.0)(before)
    torch.testing.assert_close(after["image"].as_tensor(), before["image"].as_tensor())
    torch.testing.assert_close(after["landmarks"], before["landmarks"], equal_nan=True)


def test_about_as_many_samples_are_mirrored_as_the_probability_says() -> None:
    mirror = RandMirrorLandmarksd(domains=DOMAINS, prob=0.3).set_random_state(0)
    mirrored = sum(int(mirror(sample_of("paired"))["image"][0, 0, 0] != 0) for _ in range(200))
    assert 40 <= mirrored <= 80


def test_the_draws_do_not_depend_on_the_domain() -> None:
    """So that one domain's declaration does not change the augmentation of the samples after it."""

    def draws(first: str) -> list[float]:
        mirror = RandMirrorLandmarksd(domains=DOMAINS, prob=0.5).set_random_state(4)
        mirror(sample_of(first))
        return [float(mirror(sample_of("paired"))["image"][0, 0, 0]) for _ in range(8)]

    assert draws("plain") == draws("paired")
    assert len(set(draws("plain"))) == 2


def test_an_image_without_landmarks_is_mirrored_alone() -> None:
    sample = sample_of("paired")
    del sample["landmarks"]
    after = RandMirrorLandmarksd(domains=DOMAINS, prob=1.0)(sample)
    np.testing.assert_array_equal(after["image"][0], np.arange(60).reshape(10, 6)[::-1])


@pytest.mark.parametrize(("orientation", "across"), [("RAS", 0), ("PLI", 1), ("SAL", 2)])
def test_a_volume_is_mirrored_along_the_axis_between_right_and_left(orientation: str, across: int) -> None:
    """Wherever in the volume that axis is: a landmark that lay to the right then lies as far to the left."""
    domain = Domain("volume", NAMES, (4, 5, 6), orientation=orientation, mirror=(("left", "right"),))
    affine = torch.as_tensor(
        nibabel.orientations.inv_ornt_aff(nibabel.orientations.axcodes2ornt(orientation), (4, 5, 6))
    )
    image = MetaTensor(torch.arange(120.0).reshape(1, 4, 5, 6), affine=affine)
    landmarks = torch.tensor([[0.0, 1, 2], [1, 1, 1], [2, 3, 1]], dtype=torch.float64)
    before = LandmarksToPointsd(keep_outside=True)({"image": image, "landmarks": landmarks, "domain": "volume"})
    after = LandmarksToPointsd(keep_outside=True)(RandMirrorLandmarksd(domains={"volume": domain}, prob=1.0)(before))
    np.testing.assert_array_equal(after["image"].numpy(), np.flip(image.numpy(), 1 + across))
    expected = before["points"].numpy().copy()
    expected[:, across] = (4, 5, 6)[across] - 1 - expected[:, across]
    np.testing.assert_allclose(after["points"], expected[[2, 1, 0]])
