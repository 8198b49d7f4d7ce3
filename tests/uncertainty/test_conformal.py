# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
import statistics
import tracemalloc

import numpy as np
import pytest

from monai_gu2net.uncertainty import LEVELS, Calibration, calibrate, conformal_quantile

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("count", "level", "expected"),
    [
        (9, 0.9, 9),  # (9 + 1) * 0.9 = 9: the maximum
        (8, 0.9, INF),  # 9 * 0.9 = 8.1: the ninth of eight
        (19, 0.9, 18),
        (19, 0.95, 19),
        (18, 0.95, INF),
        (99, 0.9, 90),
        (10, 0.5, 6),
        (1, 0.5, 1),
        (0, 0.5, INF),
    ],
)
def test_the_quantile_by_hand(count: int, level: float, expected: float, rng: np.random.Generator) -> None:
    """Of the scores 1 to n, the k-th smallest is k."""
    assert conformal_quantile(rng.permutation(np.arange(1.0, count + 1)), level) == expected


def test_scores_that_are_not_there_do_not_count_and_those_not_found_are_the_largest() -> None:
    assert conformal_quantile([[1.0, NAN], [INF, 2.0]], 0.5) == 2
    assert conformal_quantile([1.0, INF, INF], 0.6) == INF


@pytest.mark.parametrize("level", [0.0, 1.0, 1.5])
def test_a_level_that_is_no_share_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        conformal_quantile([1.0], level)


@pytest.mark.parametrize(("count", "level"), [(9, 0.9), (30, 0.9), (50, 0.5)])
def test_a_new_score_is_covered_as_often_as_its_rank_says(count: int, level: float, rng: np.random.Generator) -> None:
    """Of n + 1 exchangeable scores each is equally often the new one: ceil((n + 1) level) of n + 1 are covered."""
    repeats = 4000
    scores = rng.lognormal(size=(repeats, count + 1))
    covered = [new <= conformal_quantile(known, level) for *known, new in scores.tolist()]
    expected = math.ceil(round((count + 1) * level, 9)) / (count + 1)
    assert np.mean(covered) == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / repeats))


def images(rng: np.random.Generator, count: int, difficulty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Errors of (count, N) landmarks, some harder than others; spreads tell half of how hard an image is."""
    spread = rng.uniform(1, 3, size=(count, len(difficulty)))
    hardness = rng.lognormal(sigma=0.3, size=(count, 1))
    return spread * difficulty * hardness * rng.rayleigh(size=spread.shape), spread * hardness**0.5


def test_landmarks_of_new_images_lie_within_the_radius_as_often_as_promised(rng: np.random.Generator) -> None:
    difficulty = np.array([0.5, 1.0, 1.0, 1.0, 2.0, 4.0])
    covered: dict[float, list[float]] = {0.5: [], 0.9: []}
    for _ in range(150):
        errors, spreads = images(rng, 20, difficulty)
        made = calibrate(errors, spreads, np.ones_like(errors))
        new_errors, new_spreads = images(rng, 20, difficulty)
        for level, shares in covered.items():
            shares.append(float(np.mean(new_errors <= made.radius(new_spreads, level))))
    for level, shares in covered.items():
        # images are not independent of the calibration they are tested with: the repeats are
        assert np.mean(shares) == pytest.approx(level, abs=4 * np.std(shares) / math.sqrt(len(shares)) + 0.005)


def test_a_hard_landmark_gets_a_wider_radius_than_an_easy_one(rng: np.random.Generator) -> None:
    errors, spreads = images(rng, 60, np.array([0.5, 1.0, 4.0]))
    radius = calibrate(errors, spreads, np.ones_like(errors)).radius(np.ones(3))
    assert radius[0] < radius[1] < radius[2]


def test_a_landmarks_scale_is_shrunk_by_hand() -> None:
    """Twenty images, errors over spreads 1 and 4, both together with the median 2.5: the exponent is 20 / 40."""
    errors = np.tile([1.0, 4.0], (20, 1))
    made = calibrate(errors, np.ones_like(errors), np.ones_like(errors))
    assert made.scales == pytest.approx([(1 / 2.5) ** 0.5, (4 / 2.5) ** 0.5])


def test_one_image_tells_its_landmarks_apart_hardly_at_all() -> None:
    made = calibrate([[1.0, 4.0]], [[1.0, 1.0]], [[1.0, 1.0]])
    assert made.scales == pytest.approx([1 / 2.5 ** (1 / 21), (4 / 2.5) ** (1 / 21)])
    assert made.quantiles[0.6] == 4  # the score itself, by no scale that it took part in


def test_a_calibration_has_no_unit(rng: np.random.Generator) -> None:
    errors, spreads = images(rng, 10, np.ones(4))
    pixels = rng.uniform(0.05, 0.2, size=(10, 1))  # mm per pixel, image by image
    in_mm, in_px = (calibrate(errors * scale, spreads * scale, errors) for scale in (pixels, 1.0))
    assert in_mm.quantiles == pytest.approx(in_px.quantiles)
    assert in_mm.scales == pytest.approx(in_px.scales)


def test_levels_that_the_landmarks_are_too_few_for_are_left_out() -> None:
    errors = np.arange(1.0, 10.0).reshape(1, 9)
    made = calibrate(errors, np.ones((1, 9)), np.ones((1, 9)))
    assert list(made.quantiles) == [level for level in LEVELS if level <= 0.9]
    with pytest.raises(ValueError, match=r"level must be among the calibrated \[0.1, .*, 0.9\]; got 0.95"):
        made.radius(np.ones(9), 0.95)


def test_landmarks_not_found_leave_out_the_levels_they_are_too_many_for() -> None:
    errors = np.array([[1.0], [2.0], [3.0], [INF], [INF]] * 10)
    spreads = np.where(np.isinf(errors), NAN, 1.0)
    made = calibrate(errors, spreads, np.ones_like(errors))
    assert list(made.quantiles) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert (made.images, made.landmarks) == (50, 50)


def test_landmarks_that_are_not_annotated_do_not_count() -> None:
    errors = [[1.0, NAN], [2.0, NAN], [NAN, NAN]]
    made = calibrate(errors, np.ones((3, 2)), [[0.5, 0.1], [0.25, 0.1], [0.1, 0.1]])
    assert (made.images, made.landmarks) == (2, 2)
    assert made.confidences == (0.25, 0.5)
    assert made.scales[1] == 1


def test_an_absent_landmark_has_no_radius() -> None:
    made = calibrate([[1.0, 2.0]] * 10, np.ones((10, 2)), np.ones((10, 2)))
    assert np.isnan(made.radius([[NAN, 1.0]], 0.9)).tolist() == [[True, False]]


def test_spreads_of_other_landmarks_are_refused() -> None:
    made = calibrate([[1.0, 2.0]] * 10, np.ones((10, 2)), np.ones((10, 2)))
    with pytest.raises(ValueError, match=r"spread must be \(..., 2\), one number per landmark; got \(3,\)"):
        made.radius(np.ones(3))


@pytest.mark.parametrize(
    ("confidence", "expected"), [(0.1, 1 / 5), (0.2, 2 / 5), (0.4, 3 / 5), (0.5, 3 / 5), (0.9, 1.0)]
)
def test_presence_is_a_rank_worked_out_by_hand(confidence: float, expected: float) -> None:
    made = calibrate([[1.0] * 4], [[1.0] * 4], [[0.8, 0.2, 0.6, 0.4]])
    assert made.presence([confidence]).tolist() == pytest.approx([expected])


def test_presence_of_landmarks_that_are_there_is_below_p_in_a_share_p(rng: np.random.Generator) -> None:
    repeats, count = 2000, 19
    confidences = rng.beta(5, 2, size=(repeats, count + 1))
    values = [
        Calibration({}, (1.0,), tuple(sorted(known)), 1, count).presence(new) for *known, new in confidences.tolist()
    ]
    assert np.mean(np.array(values) <= 0.1) == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / repeats))


def test_presence_is_nan_where_there_is_no_confidence_and_low_where_the_calibrations_was_not_a_number() -> None:
    made = calibrate([[1.0, INF]], [[1.0, NAN]], [[0.5, NAN]])
    assert made.confidences == (0.0, 0.5)
    assert np.isnan(made.presence([NAN])).all()


def test_many_confidences_are_kept_as_a_thousand(rng: np.random.Generator) -> None:
    confidences = rng.uniform(size=(60, 100))
    made = calibrate(np.ones((60, 100)), np.ones((60, 100)), confidences)
    assert len(made.confidences) == 1000
    values = rng.uniform(size=50)
    exact = (confidences.ravel() <= values[:, None]).mean(axis=1)
    np.testing.assert_allclose(made.presence(values), exact, atol=0.003)


def test_a_calibration_goes_through_json(rng: np.random.Generator) -> None:
    errors, spreads = images(rng, 10, np.ones(4))
    made = calibrate(errors, spreads, errors, tta=3, members=2)
    assert Calibration.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False))) == made


def test_nothing_to_calibrate_with_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one annotated landmark"):
        calibrate([[NAN]], [[1.0]], [[1.0]])
    with pytest.raises(ValueError, match=r"of one shape \(images, N\); got \(1, 1\), \(1, 2\) and \(1, 1\)"):
        calibrate([[1.0]], [[1.0, 2.0]], [[1.0]])


def leave_one_out_scores(ratios: np.ndarray) -> np.ndarray:
    """The scores by the definition, one at a time, of ratios that are all there."""
    images, landmarks = ratios.shape
    scores = np.empty_like(ratios)
    for image in range(images):
        others = ratios[[other for other in range(images) if other != image]]
        for landmark in range(landmarks):
            own, overall = statistics.median(others[:, landmark]), statistics.median(others.ravel().tolist())
            scores[image, landmark] = ratios[image, landmark] / (own / overall) ** ((images - 1) / (images - 1 + 20))
    return scores


def test_the_quantiles_are_those_of_the_scores_by_their_definition(rng: np.random.Generator) -> None:
    errors, spreads = images(rng, 12, np.array([0.5, 1.0, 4.0]))
    made = calibrate(errors, spreads, np.ones_like(errors))
    scores = leave_one_out_scores(errors / spreads)
    assert dict(made.quantiles) == {level: conformal_quantile(scores, level) for level in LEVELS}


def test_memory_grows_with_the_images_and_not_with_their_square(rng: np.random.Generator) -> None:
    peaks = []
    for count in (200, 400):
        errors, spreads = images(rng, count, np.ones(19))
        tracemalloc.start()
        calibrate(errors, spreads, np.ones_like(errors))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2.5 * peaks[0]
    assert peaks[1] < 40 * errors.nbytes  # all images' others together would be 400 times as large
