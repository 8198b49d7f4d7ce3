# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from monai_gu2net.transforms.picture_features import FEATURE_WEIGHTS, changed_versions, picture_features


@pytest.fixture
def picture(rng: np.random.Generator) -> torch.Tensor:
    """Smooth, without a border."""
    coarse = torch.from_numpy(rng.normal(100, 30, (1, 1, 12, 16)).astype(np.float32))
    return functional.interpolate(coarse, (240, 320), mode="bicubic", align_corners=False)[0]


def test_of_a_ramp_all_edges_run_in_one_direction() -> None:
    """Every cell has one direction, as strong as in all cells: the root of 1 / (1 + 1/2) in the first of eight."""
    ramp = torch.arange(80.0)[:, None].expand(80, 80)[None]
    cells = picture_features(ramp)[:200].reshape(5, 5, 8)
    np.testing.assert_allclose(cells[..., 0], math.sqrt(2 / 3), rtol=1e-6)
    np.testing.assert_allclose(cells[..., 1:], 0, atol=1e-6)
    turned = picture_features(ramp.transpose(1, 2))[:200].reshape(5, 5, 8)
    np.testing.assert_allclose(turned[..., 4], math.sqrt(2 / 3), rtol=1e-6)  # a quarter turn is four of eight


def test_of_a_ramp_no_edge_is_stronger_and_twice_as_much_changes_between_pixels_twice_as_large() -> None:
    overall = picture_features(torch.arange(80.0)[:, None].expand(80, 80)[None])[200:]
    np.testing.assert_allclose(overall[:4], math.log(2), atol=1e-4)
    np.testing.assert_allclose(overall[4:6], [math.log(0.051), math.log(0.251)], rtol=1e-4)
    assert overall[6] == 0


def test_the_last_is_the_logarithm_of_width_over_height(picture: torch.Tensor) -> None:
    assert picture_features(picture)[-1] == pytest.approx(math.log(240 / 320))
    assert len(picture_features(picture)) == len(FEATURE_WEIGHTS)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda picture: -picture, id="negative"),
        pytest.param(lambda picture: 0.01 * picture + 500, id="contrast"),
        pytest.param(lambda picture: picture.expand(3, -1, -1), id="channels"),
        pytest.param(lambda picture: picture.repeat_interleave(2, 1).repeat_interleave(2, 2), id="size"),
    ],
)
def test_what_says_nothing_of_the_kind_of_picture_changes_little(picture: torch.Tensor, change) -> None:
    before, after = picture_features(picture), picture_features(change(picture))
    other = picture_features(picture.flip(2).contiguous())
    assert np.abs(after - before).mean() < 0.15 * np.abs(other - before).mean()


@pytest.mark.parametrize("value", [0.0, 999.0])
def test_a_border_changes_no_more_than_the_few_lines_do_that_are_lost_with_it(
    picture: torch.Tensor, value: float
) -> None:
    bordered = picture_features(functional.pad(picture, [30, 60, 20, 30], value=value))
    cropped = picture_features(picture[:, 9:-9, 9:-9])
    assert np.abs(bordered - picture_features(picture)).mean() < np.abs(cropped - picture_features(picture)).mean()


@pytest.mark.parametrize("shape", [(1, 30, 50), (1, 1, 1), (3, 2, 400)])
def test_one_value_throughout_and_tiny_pictures_have_finite_features(shape: tuple[int, ...]) -> None:
    assert np.isfinite(picture_features(torch.full(shape, 7.0))).all()


def test_versions_are_the_picture_turned_bordered_and_cropped() -> None:
    versions = list(changed_versions(torch.rand(3, 320, 160) + 5))
    assert [tuple(version.shape[1:]) for version in versions] == [
        (320, 160),
        *[(160, 80)] * 4,
        (186, 106),  # a border of 8 % of 160
        (145, 72),  # without 10 and 5 of 160, without 3 and 5 of 80
        (141, 78),
        (141, 74),
    ]
    assert all(version.min() > 4.9 for version in versions)  # beyond the picture it is dark, and not 0


def test_a_turned_version_is_the_picture_turned() -> None:
    """A point 60 right of the middle comes to 60 cos 12, 60 sin 12 from it."""
    picture = torch.zeros(1, 160, 120)
    picture[0, 139:142, 59:61] = 1.0
    places = []
    for version in list(changed_versions(picture))[1:5]:
        x, y = (torch.arange(length).double() for length in version.shape[1:])
        weight = version[0].double() / version.sum()
        places.append(((weight.sum(1) * x).sum().item() - 79.5, (weight.sum(0) * y).sum().item() - 59.5))
    angles = [math.degrees(math.atan2(y, x)) for x, y in places]
    assert [abs(angle) for angle in angles] == pytest.approx([12, 6, 6, 12], abs=0.3)
    assert angles[0] == pytest.approx(-angles[3], abs=0.3)
    assert [math.hypot(*place) for place in places] == pytest.approx([60.5] * 4, abs=0.3)
