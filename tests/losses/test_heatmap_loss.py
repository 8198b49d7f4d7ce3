# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.special import expit

from monai_gu2net.data import Domain
from monai_gu2net.losses import HeatmapLoss, heatmap_bce_with_logits, prior_of
from monai_gu2net.transforms.heatmaps import gaussian_heatmaps

NAN = float("nan")


@pytest.fixture(params=[(11, 13), (6, 7, 8)], ids=["2-D", "3-D"])
def size(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return tuple(request.param)


@pytest.fixture
def logits(size: tuple[int, ...]) -> torch.Tensor:
    return (3 * torch.randn(2, 3, *size)).requires_grad_()


@pytest.fixture
def points(size: tuple[int, ...]) -> torch.Tensor:
    """Six landmarks, two of them absent."""
    points = torch.rand(2, 3, len(size)) * torch.tensor(size)
    points[0, 1] = NAN
    points[1, 2, 0] = NAN
    return points


def test_a_loss_worked_out_by_hand() -> None:
    logits = torch.tensor([[[[0.0, log(3)]], [[5.0, 5.0]]]])
    heatmaps = torch.tensor([[[[0.5, 1.0]], [[0.0, 0.0]]]])
    loss = heatmap_bce_with_logits(logits, heatmaps, torch.tensor([[True, False]]))
    assert loss.item() == pytest.approx(log(2) - log(0.75))


def test_the_functional_loss_is_the_cross_entropy_of_probabilities(
    logits: torch.Tensor, points: torch.Tensor, size: tuple[int, ...]
) -> None:
    heatmaps = gaussian_heatmaps(points, size, sigma=2.0)
    present = ~points.isnan().any(dim=-1)
    p, t = expit(logits.detach().double().numpy()), heatmaps.double().numpy()
    pixels = -(t * np.log(p) + (1 - t) * np.log1p(-p))
    expected = pixels[present.numpy()].sum() / present.sum().item()
    assert heatmap_bce_with_logits(logits, heatmaps, present).item() == pytest.approx(expected, rel=1e-5)


def test_the_loss_from_points_is_the_loss_from_heatmaps(
    logits: torch.Tensor, points: torch.Tensor, size: tuple[int, ...]
) -> None:
    by_points = HeatmapLoss(sigma=2.0)(logits, points)
    by_maps = heatmap_bce_with_logits(logits, gaussian_heatmaps(points, size, sigma=2.0), points.isfinite().all(dim=-1))
    assert by_points.item() == pytest.approx(by_maps.item(), rel=1e-6)
    (from_points,) = torch.autograd.grad(by_points, logits)
    (from_maps,) = torch.autograd.grad(by_maps, logits)
    torch.testing.assert_close(from_points, from_maps)


def test_an_absent_landmark_gives_neither_loss_nor_gradient(logits: torch.Tensor, points: torch.Tensor) -> None:
    loss = HeatmapLoss()(logits, points)
    (gradient,) = torch.autograd.grad(loss, logits)
    absent = points.isnan().any(dim=-1)
    assert gradient[absent].count_nonzero() == 0
    assert (gradient[~absent] != 0).any(dim=-1).all()
    changed = torch.where(absent[(...,) + (None,) * (logits.ndim - 2)], 9.0, logits)
    assert HeatmapLoss()(changed, points) == loss


def test_without_landmarks_the_loss_is_zero_and_trains_nothing(logits: torch.Tensor) -> None:
    loss = HeatmapLoss()(logits, torch.full((2, 3, logits.ndim - 2), NAN))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.count_nonzero() == 0


def test_every_present_landmark_weighs_the_same_in_the_batch(size: tuple[int, ...]) -> None:
    logits = torch.randn(2, 2, *size)
    points = torch.ones(2, 2, len(size))
    points[1, 1] = NAN
    singles = [
        HeatmapLoss()(logits[b : b + 1, n : n + 1], points[b : b + 1, n : n + 1]) for b, n in [(0, 0), (0, 1), (1, 0)]
    ]
    assert HeatmapLoss()(logits, points).item() == pytest.approx(torch.stack(singles).mean().item(), rel=1e-5)


def test_the_gradient_is_probability_minus_target() -> None:
    logits = torch.tensor([[[[20.0, -20.0, 20.0]]]], requires_grad=True)
    HeatmapLoss(sigma=0.1)(logits, torch.tensor([[[0.0, 1.0]]])).backward()
    assert logits.grad is not None
    # From probabilities in float32, log(1 - sigmoid(20)) is -inf and the gradient is lost.
    np.testing.assert_allclose(logits.grad.flatten(), [1, -1, 1], atol=1e-6)


def test_the_loss_of_huge_logits_is_finite() -> None:
    logits = torch.tensor([[[[1e4, -1e4, 0.0]]]])
    loss = HeatmapLoss(sigma=0.1)(logits, torch.tensor([[[0.0, 1.0]]]))
    assert loss.item() == pytest.approx(2e4 + log(2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_loss_is_single_precision_under_autocast(dtype: torch.dtype) -> None:
    logits = torch.randn(1, 2, 64, 64).to(dtype)
    points = torch.tensor([[[20.3, 30.8], [5.0, 50.0]]])
    with torch.autocast("cpu", dtype=dtype):
        inside = HeatmapLoss()(logits, points)
    assert inside.dtype is torch.float32
    assert torch.equal(inside, HeatmapLoss()(logits.float(), points))


def test_the_functional_loss_is_single_precision_under_autocast() -> None:
    logits = torch.randn(1, 1, 16, 16).bfloat16()
    heatmaps, present = torch.rand(1, 1, 16, 16), torch.ones(1, 1, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = heatmap_bce_with_logits(logits, heatmaps, present)
    assert torch.equal(inside, heatmap_bce_with_logits(logits.float(), heatmaps, present))


def test_the_loss_of_metatensors_is_a_plain_tensor() -> None:
    logits = MetaTensor(torch.zeros(1, 1, 4, 4)).requires_grad_()
    loss = HeatmapLoss()(logits, MetaTensor(torch.ones(1, 1, 2)))
    loss.backward()
    assert type(loss) is torch.Tensor
    assert logits.grad is not None


def test_the_loss_compiles_in_one_graph() -> None:
    logits, points = torch.randn(1, 2, 6, 7), torch.tensor([[[1.2, 2.3], [NAN, NAN]]])
    compiled = torch.compile(HeatmapLoss(), backend="eager", fullgraph=True)
    assert torch.equal(compiled(logits, points), HeatmapLoss()(logits, points))


def test_training_on_the_loss_finds_the_landmark() -> None:
    points = torch.tensor([[[3.4, 6.7]]])
    logits = torch.full((1, 1, 10, 12), -5.0, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        HeatmapLoss(sigma=2.0)(logits, points).backward()
        optimizer.step()
    expected = gaussian_heatmaps(points, (10, 12), sigma=2.0)
    np.testing.assert_allclose(logits.detach().sigmoid(), expected, atol=0.02)


@pytest.mark.parametrize("shape", [(1, 3, 2), (2, 2, 2), (1, 2, 3)])
def test_points_that_do_not_fit_the_logits_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="points must be"):
        HeatmapLoss()(torch.zeros(1, 2, 4, 4), torch.zeros(shape))


def test_heatmaps_that_do_not_fit_the_logits_are_refused() -> None:
    with pytest.raises(ValueError, match="logits and heatmaps must be"):
        heatmap_bce_with_logits(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 5), torch.ones(1, 2, dtype=torch.bool))


def test_a_loss_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sigma must be positive; got 0"):
        HeatmapLoss(sigma=0)


def test_the_weight_of_the_positive_pixels_is_that_of_the_written_out_sum(
    logits: torch.Tensor, points: torch.Tensor, size: tuple[int, ...]
) -> None:
    p, t = expit(logits.detach().double().numpy()), gaussian_heatmaps(points, size, sigma=2.0).double().numpy()
    pixels = -(1 + 4 * t) * (t * np.log(p) + (1 - t) * np.log1p(-p))
    present = points.isfinite().all(dim=-1).numpy()
    expected = pixels[present].sum() / present.sum()
    assert HeatmapLoss(sigma=2.0, positive_weight=5.0)(logits, points).item() == pytest.approx(expected, rel=1e-5)


def test_a_weight_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive_weight must be positive; got 0"):
        HeatmapLoss(positive_weight=0)


def test_each_domain_has_targets_of_its_own_width(logits: torch.Tensor, points: torch.Tensor) -> None:
    loss = HeatmapLoss({"head": 1.5, "spine": 2.5})
    for domain, sigma in (("head", 1.5), ("spine", 2.5)):
        named = MetaTensor(points, meta={"domain": domain})
        assert loss(logits, named).item() == HeatmapLoss(sigma)(logits, points).item()


def test_points_of_no_named_domain_have_no_width(logits: torch.Tensor, points: torch.Tensor) -> None:
    loss = HeatmapLoss({"head": 1.5})
    for given, got in ((points, None), (MetaTensor(points, meta={"domain": "hand"}), "hand")):
        with pytest.raises(ValueError, match=f"sigma must be one for all, or name .*got {got!r}, and sigma of .'head'"):
            loss(logits, given)
    with pytest.raises(ValueError, match="sigma must be positive"):
        HeatmapLoss({"head": 0.0})


def test_the_prior_is_the_smallest_mean_of_a_target() -> None:
    domains = {"a": Domain("a", ("p",), (64, 48)), "b": Domain("b", ("p",), (96, 40))}
    means = {
        name: gaussian_heatmaps(torch.tensor([[[20.0, 20.0]]]), domain.size, sigma=sigma).mean().item()
        for (name, domain), sigma in zip(domains.items(), (3.0, 2.0), strict=True)
    }
    assert prior_of({"a": 3.0, "b": 2.0}, domains) == pytest.approx(means["b"], rel=1e-3)
    assert prior_of(3.0, domains) == pytest.approx(9 / 4 * means["b"], rel=1e-3)
    assert prior_of(3.0, {"a": domains["a"]}) == pytest.approx(means["a"], rel=1e-3)
