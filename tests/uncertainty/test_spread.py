# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_gu2net.transforms import HeatmapsToLandmarksd, decode_heatmaps, gaussian_heatmaps
from monai_gu2net.uncertainty import heatmap_spread, pixels_per_unit, spread_in_world

NAN = math.nan
SIZE = (40, 36)
# the floor of one percent cuts a Gaussian at three sigma
CUT = 0.03


def logits_of(points: torch.Tensor, *, sigma: float = 3.0, peak: float = 1.0) -> torch.Tensor:
    return (peak * gaussian_heatmaps(points, SIZE, sigma=sigma)).logit(eps=1e-7)


@pytest.mark.parametrize("sigma", [1.5, 2.0, 3.0])
@pytest.mark.parametrize("peak", [0.05, 0.9])
def test_the_spread_of_a_gaussian_is_its_variance_however_high_it_is(sigma: float, peak: float) -> None:
    points = torch.tensor([[[19.3, 17.8]]])
    spread = heatmap_spread(logits_of(points, sigma=sigma, peak=peak), points)[0, 0]
    np.testing.assert_allclose(spread.diagonal(), sigma**2, rtol=2 * CUT + 1 / 12 / sigma**2)
    assert abs(spread[0, 1]) < 0.05


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.1, 0.1), (0.5, 0.2)])
def test_in_the_world_a_gaussian_has_sigma_of_each_axis_in_the_units_of_the_affine(
    spacing: tuple[float, float],
) -> None:
    points = torch.tensor([[[19.3, 17.8]]])
    affine = torch.diag(torch.tensor([*spacing, 1.0, 1.0], dtype=torch.float64))
    found = spread_in_world(heatmap_spread(logits_of(points), points), affine)
    assert found.item() == pytest.approx(3.0 * math.hypot(*spacing), rel=CUT)


def test_a_rotated_affine_does_not_change_the_spread() -> None:
    points = torch.tensor([[[19.3, 17.8]]])
    spread = heatmap_spread(logits_of(points), points)
    turned = torch.tensor([[0.0, -0.5, 3.0], [0.5, 0.0, -7.0], [0.0, 0.0, 1.0]])
    straight = torch.diag(torch.tensor([0.5, 0.5, 1.0]))
    torch.testing.assert_close(spread_in_world(spread, turned), spread_in_world(spread, straight))


def test_the_moments_are_numpys_weighted_covariance_about_the_mean(rng: np.random.Generator) -> None:
    logits = torch.from_numpy(rng.normal(size=(1, 1, 7, 6))).float()
    weights = logits.sigmoid().numpy()[0, 0]
    pixels = np.indices((7, 6)).reshape(2, -1)
    mean = np.average(pixels, axis=1, weights=weights.ravel())
    expected = np.cov(pixels, aweights=weights.ravel(), ddof=0) + np.eye(2) / 12
    points = torch.from_numpy(mean).float().view(1, 1, 2)
    np.testing.assert_allclose(heatmap_spread(logits, points)[0, 0], expected, rtol=1e-4, atol=1e-4)


def test_a_volume_has_three_axes() -> None:
    points = torch.tensor([[[8.0, 7.5, 9.2]]])
    logits = gaussian_heatmaps(points, (17, 16, 18), sigma=1.5).logit(eps=1e-7)
    spread = heatmap_spread(logits, points)[0, 0]
    np.testing.assert_allclose(spread, 2.25 * np.eye(3), atol=0.15)


def test_a_faint_background_does_not_count() -> None:
    points = torch.tensor([[[19.3, 17.8]]])
    clean = logits_of(points, peak=0.5)
    hazy = (clean.sigmoid() + 0.002).logit()
    torch.testing.assert_close(heatmap_spread(hazy, points), heatmap_spread(clean, points), rtol=0.1, atol=0.1)


def test_a_second_peak_near_by_widens_the_spread_and_one_far_off_does_not() -> None:
    points = torch.tensor([[[8.0, 8.0]]])
    near, far = (
        torch.maximum(logits_of(points), logits_of(torch.tensor([[other]]), peak=0.6))
        for other in ([18.0, 8.0], [39.0, 35.0])
    )
    alone = heatmap_spread(logits_of(points), points)[0, 0]
    assert heatmap_spread(near, points)[0, 0, 0, 0] > 3 * alone[0, 0]
    torch.testing.assert_close(heatmap_spread(far, points)[0, 0], alone, rtol=0.02, atol=0.02)


def test_at_the_border_the_pixels_inside_count() -> None:
    points = torch.tensor([[[-0.4, 35.4]]])
    spread = heatmap_spread(logits_of(points), points)
    assert spread.isfinite().all()
    np.testing.assert_allclose(spread[0, 0].diagonal(), 9, rtol=0.1)


def test_an_absent_landmark_has_no_spread() -> None:
    points = torch.tensor([[[NAN, NAN], [10.0, 10.0]]])
    spread = heatmap_spread(logits_of(points), points)
    assert spread[0, 0].isnan().all()
    assert spread[0, 1].isfinite().all()
    assert spread_in_world(spread, torch.eye(3)).isnan().tolist() == [[True, False]]


def test_points_of_other_heatmaps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"points must be \(B, N, D\).*got \(1, 3, 2\) and \(1, 2, 40, 36\)"):
        heatmap_spread(torch.zeros(1, 2, *SIZE), torch.zeros(1, 3, 2))


@pytest.mark.parametrize("sigmoid", [True, False])
def test_landmarks_of_a_sample_get_their_spread_in_the_unit_of_the_image(sigmoid: bool) -> None:
    logits = logits_of(torch.tensor([[[19.3, 17.8]]]), peak=0.8)
    image = MetaTensor(torch.zeros(1, *SIZE), affine=torch.diag(torch.tensor([0.5, 0.2, 1.0, 1.0])))
    sample = {"image": image, "pred": logits[0] if sigmoid else logits[0].sigmoid()}
    found = HeatmapsToLandmarksd("pred", sigmoid=sigmoid)(sample)["pred_spread"]
    expected = spread_in_world(heatmap_spread(logits, decode_heatmaps(logits)[0]), image.affine)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert found.shape == (1,)


def test_a_radius_in_pixels_is_that_of_the_square_pixel_of_equal_area_or_volume() -> None:
    assert pixels_per_unit(torch.diag(torch.tensor([0.2, 0.8, 1.0, 1.0])), 2) == pytest.approx(1 / 0.4)
    turned = torch.tensor([[0.0, -0.5, 0.0, 7.0], [2.0, 0.0, 0.0, 9.0], [0.0, 0.0, 8.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    assert pixels_per_unit(turned, 3) == pytest.approx(1 / 2)
