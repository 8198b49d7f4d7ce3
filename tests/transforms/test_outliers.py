# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_gu2net.data import Domain
from monai_gu2net.transforms import RadiographPreprocessing
from monai_gu2net.transforms.outliers import ClipOutliersd


def clipped(values: np.ndarray) -> np.ndarray:
    image = MetaTensor(torch.as_tensor(values, dtype=torch.float32))
    result = ClipOutliersd()({"image": image})["image"]
    assert isinstance(result, MetaTensor)
    return result.numpy()


def test_ordinary_values_stay_as_they_are(rng: np.random.Generator) -> None:
    image = rng.normal(100, 20, (1, 90, 80)).clip(20, 180).astype(np.float32)
    np.testing.assert_array_equal(clipped(image), image)


def test_one_wild_value_is_brought_to_six_deviations() -> None:
    """Of 400 pixels, half 0 and half 2, and one of 1000, whose limit is where x = (399 + x) / 400 + 6 s(x)."""
    image = np.tile([0.0, 2.0], 200).reshape(1, 20, 20)
    image[0, 0, 0] = 1000.0
    result = clipped(image)
    np.testing.assert_array_equal(result[image != 1000], image[image != 1000])
    values, limit = image.ravel().copy(), 1000.0
    for _ in range(10):
        values[0] = limit = min(limit, values.mean() + 6 * values.std())
    assert result[0, 0, 0] == pytest.approx(limit, rel=1e-4)
    assert 7 < limit < 8


@pytest.mark.parametrize("share", [0.0005, 0.002, 0.01])
@pytest.mark.parametrize("wild", [4080.0, 65535.0, -30000.0])
def test_the_contrast_of_the_others_stays(share: float, wild: float, rng: np.random.Generator) -> None:
    image = rng.uniform(0, 255, (1, 100, 100)).astype(np.float32)
    spoilt = np.where(rng.random(image.shape) < share, np.float32(wild), image)
    assert 0 < np.mean(spoilt != image) < 2 * share + 0.001
    kept = (spoilt == image).ravel()
    result = clipped(spoilt)
    ours = (result - result.mean()) / result.std()
    expected = (image - image.mean()) / image.std()
    slope = np.polyfit(expected.ravel()[kept], ours.ravel()[kept], 1)[0]
    assert 0.6 < slope <= 1.01
    assert slope > 0.9 or share == 0.01


def test_channels_are_clipped_each_by_itself_and_volumes_not_at_all() -> None:
    image = np.tile([0.0, 2.0], (2, 20, 10))
    image[1, 0, 0] = 1000.0
    result = clipped(image)
    np.testing.assert_array_equal(result[0], image[0])
    assert result[1, 0, 0] < 10
    np.testing.assert_array_equal(clipped(image[None]), image[None])


def test_preprocessing_clips_before_it_normalises(rng: np.random.Generator) -> None:
    steps = [type(step).__name__ for step in RadiographPreprocessing({"d": Domain("d", ("a",), (32, 32))}).transforms]
    assert steps.index("ClipOutliersd") == steps.index("NormalizeIntensityd") - 1
