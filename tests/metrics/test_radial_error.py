# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import statistics

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from scipy import stats
from scipy.spatial import distance

from monai_gu2net.landmarks.coordinates import apply_affine
from monai_gu2net.metrics import (
    radial_error,
    successful_detection_rate,
    summarize_errors,
)

NAN, INF = float("nan"), float("inf")


def test_three_and_four_make_five() -> None:
    errors = radial_error(torch.tensor([[[4.0, 6.0]]]), torch.tensor([[[1.0, 2.0]]]))
    assert errors.tolist() == [[5.0]]


@pytest.mark.parametrize("dims", [2, 3])
def test_errors_are_scipys_distances(rng: np.random.Generator, dims: int) -> None:
    predicted, reference = rng.normal(size=(2, 20, dims))
    errors = radial_error(torch.from_numpy(predicted)[None], torch.from_numpy(reference)[None])
    np.testing.assert_allclose(errors[0], np.diagonal(distance.cdist(predicted, reference)), rtol=1e-12)


@pytest.mark.parametrize(
    ("affine", "expected"),
    [
        (np.diag([0.5, 0.1, 1, 1]), np.hypot(3 * 0.5, 4 * 0.1)),
        # A rotation by 30 degrees after the spacing changes no distance, nor does a translation.
        (
            np.array(
                [
                    [0.5 * np.cos(0.52), -0.1 * np.sin(0.52), 0, 9],
                    [0.5 * np.sin(0.52), 0.1 * np.cos(0.52), 0, -4],
                    [0, 0, 1, 0],
                    [0, 0, 0, 1],
                ]
            ),
            np.hypot(3 * 0.5, 4 * 0.1),
        ),
        # A shear does.
        (np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), np.hypot(3 + 0.5 * 4, 4)),
    ],
    ids=["anisotropic", "oblique", "sheared"],
)
def test_errors_in_the_world_follow_the_affine(affine: np.ndarray, expected: float) -> None:
    pixels = torch.tensor([[[4.0, 6.0]], [[1.0, 2.0]]])
    world = apply_affine(pixels, torch.from_numpy(affine))
    assert radial_error(world[:1], world[1:]).item() == pytest.approx(expected)


def test_not_annotated_is_nan_and_not_found_is_infinite() -> None:
    found, absent = [0.0, 0.0], [NAN, NAN]
    predicted = torch.tensor([[found, found, absent, absent, [0.0, INF], [NAN, 0.0]]])
    reference = torch.tensor([[found, absent, found, absent, found, found]])
    np.testing.assert_array_equal(radial_error(predicted, reference), [[0, NAN, INF, NAN, INF, INF]])


def test_a_half_annotated_landmark_is_not_annotated() -> None:
    assert radial_error(torch.zeros(1, 1, 2), torch.tensor([[[0.0, NAN]]])).isnan().all()


def test_half_precision_points_are_compared_in_single_precision() -> None:
    predicted, reference = torch.tensor([[[2000.0, 0.0]]]).half(), torch.tensor([[[0.0, 1999.0]]]).half()
    assert radial_error(predicted, reference).item() == pytest.approx(np.hypot(2000, 1999), rel=1e-6)


def test_errors_of_metatensors_are_plain_and_without_gradient() -> None:
    errors = radial_error(MetaTensor(torch.zeros(1, 1, 2)), torch.zeros(1, 1, 2, requires_grad=True))
    assert type(errors) is torch.Tensor
    assert not errors.requires_grad


def test_points_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(1, 19, 2\) and \(1, 37, 2\)"):
        radial_error(torch.zeros(1, 19, 2), torch.zeros(1, 37, 2))


def test_an_error_at_the_threshold_is_a_success() -> None:
    errors = torch.tensor([[0.5, 2.0], [2.0000001, 9.0]], dtype=torch.float64)
    assert successful_detection_rate(errors, [0.4, 2.0, 9.0]).tolist() == [0.0, 0.5, 1.0]


def test_a_landmark_that_was_not_found_is_a_miss_at_every_threshold() -> None:
    assert successful_detection_rate(torch.tensor([1.0, INF, NAN]), [2.0, 1e300]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("errors", [torch.empty(0), torch.tensor([[NAN, NAN]])], ids=["empty", "not annotated"])
def test_nothing_measured_is_nan_and_never_zero(errors: torch.Tensor) -> None:
    summary = summarize_errors(errors, [2.0, 4.0])
    assert summary["count"] == summary["not_found"] == 0
    values = [summary[name] for name in ("mean", "median", "mean_found", "std_found")]
    assert np.isnan([*values, *summary["sdr"].values()]).all()
    assert successful_detection_rate(errors, [2.0]).isnan().all()


measured = st.lists(st.floats(0, 50, width=32), min_size=1, max_size=30)


@pytest.mark.parametrize(("strict", "kind"), [(False, "weak"), (True, "strict")])
def test_an_error_at_the_threshold_counts_unless_strict(strict: bool, kind: str) -> None:
    errors, limits = [1.0, 2.0, 2.0, 4.0], [1.0, 2.0, 3.0]
    rates = successful_detection_rate(torch.tensor(errors), limits, strict=strict)
    assert rates.tolist() == [stats.percentileofscore(errors, limit, kind=kind) / 100 for limit in limits]
    assert summarize_errors(torch.tensor(errors), [2.0], strict=strict)["sdr"] == {2.0: 0.25 if strict else 0.75}


@given(measured, st.lists(st.floats(0, 50), min_size=1, max_size=5))
def test_detection_rates_are_scipys_percentiles_of_the_threshold(errors: list[float], limits: list[float]) -> None:
    rates = successful_detection_rate(torch.tensor(errors), limits)
    expected = [stats.percentileofscore(errors, limit, kind="weak") / 100 for limit in limits]
    np.testing.assert_allclose(rates, expected, atol=1e-12)


@given(measured)
def test_a_summary_agrees_with_the_standard_library(errors: list[float]) -> None:
    summary = summarize_errors(torch.tensor([*errors, NAN]), [])
    assert summary["count"] == len(errors)
    assert summary["mean"] == summary["mean_found"] == pytest.approx(statistics.fmean(errors))
    assert summary["std_found"] == pytest.approx(statistics.pstdev(errors), abs=1e-12)
    assert summary["median"] == pytest.approx(statistics.median(errors))


def test_a_summary_with_a_missed_landmark_is_honest_and_says_what_was_found() -> None:
    summary = summarize_errors(torch.tensor([[1.0, 3.0], [INF, NAN]]), [2.0])
    assert summary == {
        "count": 3,
        "not_found": 1,
        "mean": INF,
        "median": 3.0,
        "mean_found": 2.0,
        "std_found": 1.0,
        "sdr": {2.0: pytest.approx(1 / 3)},
    }


@pytest.mark.parametrize("spacing", [(0.3, 2.0), torch.tensor([[0.3, 2.0], [0.1, 0.5]])])
def test_pixels_times_their_spacing_are_mm(spacing: tuple[float, float] | torch.Tensor) -> None:
    predicted = torch.tensor([[[10.0, 2.0], [0.0, 3.0]], [[30.0, 8.0], [NAN, NAN]]])
    expected = [[5.0, 6.0], [5.0 if isinstance(spacing, torch.Tensor) else np.hypot(9, 16), INF]]
    np.testing.assert_allclose(radial_error(predicted, torch.zeros(2, 2, 2), spacing=spacing), expected, rtol=1e-6)


@pytest.mark.parametrize("spacing", [(0.1,), (0.1, 0.0), torch.ones(3, 2)])
def test_a_spacing_that_does_not_fit_the_points_is_refused(spacing: tuple[float, ...] | torch.Tensor) -> None:
    with pytest.raises(ValueError, match="spacing must be 2 positive numbers, in mm per pixel, or as many for each"):
        radial_error(torch.zeros(2, 3, 2), torch.zeros(2, 3, 2), spacing=spacing)
