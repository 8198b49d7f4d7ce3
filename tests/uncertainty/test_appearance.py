# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from monai_gu2net.uncertainty import Appearance, fit_appearance, most_like


def drawn(rng: np.random.Generator, count: int, mean: float = 0.0) -> np.ndarray:
    """Features that differ most along two directions."""
    lines = rng.normal(mean, 0.3, (count, 20))
    lines[:, 0] += rng.normal(0, 3, count)
    lines[:, 1] += rng.normal(0, 2, count)
    return lines


def covariance(appearance: Appearance) -> np.ndarray:
    """Of the features, put together from what the appearance says of it."""
    free = np.diag(appearance.variances - appearance.rest)
    divided = appearance.axes.T @ free @ appearance.axes + appearance.rest * np.eye(len(appearance.mean))
    return divided * np.outer(appearance.deviation, appearance.deviation)


@pytest.fixture
def appearance(rng: np.random.Generator) -> Appearance:
    return fit_appearance(drawn(rng, 60), range(60), weights=np.linspace(1, 3, 20))


def test_a_distance_is_that_of_mahalanobis_over_the_root_of_the_number(
    appearance: Appearance, rng: np.random.Generator
) -> None:
    lines = drawn(rng, 5)
    away = lines - appearance.mean
    expected = np.sqrt(np.einsum("nd,de,ne->n", away, np.linalg.inv(covariance(appearance)), away) / 20)
    # the axes are stored in half precision
    np.testing.assert_allclose(appearance.distances(lines), expected, rtol=5e-3)
    np.testing.assert_allclose(appearance.scores(lines), expected / appearance.limit, rtol=5e-3)


def test_densities_differ_as_those_of_normal_distributions_do(rng: np.random.Generator) -> None:
    ours, theirs = (fit_appearance(drawn(rng, 60, mean), range(60)) for mean in (0.0, 0.2))
    lines = drawn(rng, 5)
    expected = [multivariate_normal(each.mean, covariance(each)).logpdf(lines) for each in (ours, theirs)]
    found = ours.log_likelihoods(lines) - theirs.log_likelihoods(lines)
    np.testing.assert_allclose(found, expected[0] - expected[1], rtol=0.02, atol=0.3)


def test_about_99_of_100_new_images_score_below_1_and_others_above(rng: np.random.Generator) -> None:
    appearance = fit_appearance(drawn(rng, 100), range(100))
    share = (appearance.scores(drawn(rng, 2000)) <= 1).mean()
    assert 0.97 < share < 1
    assert (appearance.scores(drawn(rng, 100, mean=3.0)) > 1).all()


def test_versions_of_one_image_say_no_more_of_the_limit_than_it_does(rng: np.random.Generator) -> None:
    """Each image five times, hardly changed: were its copies not kept out with it, all distances would be small."""
    lines = drawn(rng, 20)
    copies = np.repeat(lines, 5, axis=0) + rng.normal(0, 1e-3, (100, 20))
    together = fit_appearance(copies, np.repeat(range(20), 5))
    apart = fit_appearance(copies, range(100))
    new = drawn(rng, 500)
    assert (together.scores(new) <= 1).mean() > 0.95
    assert (apart.scores(new) <= 1).mean() < 0.9


def test_json_and_back_changes_no_score(appearance: Appearance, rng: np.random.Generator) -> None:
    lines = drawn(rng, 5)
    read = Appearance.from_dict(json.loads(json.dumps(appearance.to_dict())))
    np.testing.assert_array_equal(read.scores(lines), appearance.scores(lines))
    assert read.images == 60


def test_the_likeliest_of_the_fitting_domains_is_told() -> None:
    def about(mean: float, deviation: float) -> Appearance:
        return Appearance(np.full(2, mean), np.full(2, deviation), np.empty((0, 2)), np.empty(0), 1.0, 3.0, 9)

    appearances = {"narrow": about(0, 1), "wide": about(0, 4), "far": about(100, 1)}
    told, scores = most_like(appearances, [0.0, 0.0])  # both fit; the narrow one has the higher density
    assert (told, scores["narrow"], scores["wide"]) == ("narrow", 0, 0)
    told, scores = most_like(appearances, [6.0, 6.0])  # 6 and 1.5 deviations from the two
    assert told == "wide"
    assert scores == pytest.approx({"narrow": 2.0, "wide": 0.5, "far": 94 / 3})
    told, scores = most_like(appearances, [40.0, 40.0])  # none fits: the lowest score
    assert told == "wide"
    assert min(scores.values()) == pytest.approx(10 / 3)


def test_few_images_and_damaged_fields_are_refused(appearance: Appearance, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="at least 4 images; got 3"):
        fit_appearance(drawn(rng, 9), [1, 1, 1, 2, 2, 2, 3, 3, 3])
    fields = appearance.to_dict()
    for damage in ({"limit": None}, {"limit": 0}, {"mean": "?"}, {"deviation": fields["variances"]}, {"axes": ""}):
        with pytest.raises(ValueError, match="A domain's appearance must be as fit_appearance makes it"):
            Appearance.from_dict({**fields, **damage})
