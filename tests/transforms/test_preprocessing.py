# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.transforms import Randomizable
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.transforms import LandmarksToPointsd, RadiographPreprocessing

DOMAINS = {"d": Domain("d", ("a", "b"), (24, 24), spacing=(0.5, 0.25))}


@pytest.fixture
def case(tmp_path: Path, rng: np.random.Generator) -> dict[str, Any]:
    """A picture of 12 x 6 pixels."""
    Image.fromarray(rng.integers(0, 256, (6, 12), dtype=np.uint8)).save(tmp_path / "x.png")
    return {
        "image": str(tmp_path / "x.png"),
        "domain": "d",
        "case": "x",
        "patient": "p",
        "annotators": {"senior": None},
        "landmarks": [[2.0, 3.0], None],
    }


def test_a_case_becomes_network_input(case: dict[str, Any]) -> None:
    sample = LandmarksToPointsd()(RadiographPreprocessing(DOMAINS)(case))
    assert sample["image"].shape == (1, 24, 24)
    # Twice the size, on 12 of 24 rows: (2 + 0.5) * 2 - 0.5 and (3 + 0.5) * 2 - 0.5 + 6.
    np.testing.assert_allclose(sample["points"], [[4.5, 12.5], [np.nan, np.nan]])
    np.testing.assert_allclose(sample["landmarks"], [[1.0, 0.75], [np.nan, np.nan]])
    np.testing.assert_allclose(sample["file_affine"], np.diag([0.5, 0.25, 1, 1]))
    assert (sample["unit"], sample["spacing_source"], sample["case"]) == ("mm", "domain", "x")
    assert not {"patient", "spacing", "annotators"} & sample.keys()
    assert np.all(sample["image"].numpy()[0, :, :6] == 0)


def test_intensities_are_normalised_before_the_image_is_padded(case: dict[str, Any]) -> None:
    domains = {"d": Domain("d", ("a", "b"), (12, 12))}
    inner = RadiographPreprocessing(domains)(case)["image"].numpy()[0, :, 3:9]
    with Image.open(case["image"]) as picture:
        values = np.asarray(picture, dtype=float).T
    np.testing.assert_allclose(inner, (values - values.mean()) / values.std(), atol=1e-5)


def test_a_picture_of_one_grey_is_zero(tmp_path: Path) -> None:
    Image.new("L", (12, 6), 90).save(tmp_path / "x.png")
    sample = RadiographPreprocessing(DOMAINS)({"image": str(tmp_path / "x.png"), "domain": "d"})
    assert np.all(sample["image"].numpy() == 0)


def test_none_of_the_steps_is_random(case: dict[str, Any]) -> None:
    preprocessing = RadiographPreprocessing(DOMAINS)
    assert not any(isinstance(step, Randomizable) for step in preprocessing.transforms)
    one, other = preprocessing(case), preprocessing(case)
    np.testing.assert_array_equal(one["image"], other["image"])
