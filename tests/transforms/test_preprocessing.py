# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.data import list_data_collate
from monai.transforms import Randomizable
from PIL import Image

from monai_gu2net.data import Domain
from monai_gu2net.data.checked_case import checked_case
from monai_gu2net.networks import GU2Net
from monai_gu2net.transforms import LandmarksToPointsd, LoadRadiographd, PhysicalSpaced, RadiographPreprocessing

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


def test_cases_with_and_without_every_field_that_a_case_may_have_lie_in_one_batch(case: dict[str, Any]) -> None:
    fields = {
        "outside": ["b"],
        "doubtful": ["a"],
        "spacing": [0.5, 0.25],
        "patient": "p",
        "annotators": {"x": [[2, 3], None]},
    }
    bare = {key: case[key] for key in ("image", "domain", "case", "landmarks")}
    domains = {"d": Domain("d", ("a", "b"), (24, 24), spacing=(0.5, 0.25))}
    declared = [checked_case(each, domains, "a case") for each in (bare | fields, bare)]
    batch = list_data_collate([LandmarksToPointsd()(RadiographPreprocessing(domains)(each)) for each in declared])
    assert batch["image"].shape == (2, 1, 24, 24)


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


RGB = {"c": Domain("c", ("a", "b"), (16, 16), in_channels=3)}


def colours(path: Path, rng: np.random.Generator) -> np.ndarray:
    """A picture in colour, 16 x 16, as (3, W, H)."""
    rows = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(rows).save(path)
    return rows.transpose(2, 1, 0).astype(float)


def test_a_domain_of_three_channels_gets_a_picture_in_colour(tmp_path: Path, rng: np.random.Generator) -> None:
    channels = colours(tmp_path / "x.png", rng)
    image = RadiographPreprocessing(RGB)({"image": str(tmp_path / "x.png"), "domain": "c"})["image"]
    each = (channels - channels.mean(axis=(1, 2), keepdims=True)) / channels.std(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(image, each, atol=1e-5)
    network = GU2Net(spatial_dims=2, in_channels={"c": 3}, out_channels={"c": 2}, features=(4, 8, 8, 8, 8))
    assert network.eval()(image.as_tensor()[None], "c").shape == (1, 2, 16, 16)


def test_a_domain_of_one_channel_gets_the_luminance_of_colour(tmp_path: Path, rng: np.random.Generator) -> None:
    channels = colours(tmp_path / "x.png", rng)
    domains = {"d": Domain("d", ("a", "b"), (16, 16))}
    image = RadiographPreprocessing(domains)({"image": str(tmp_path / "x.png"), "domain": "d"})["image"]
    grey = np.tensordot([0.299, 0.587, 0.114], channels, axes=1)
    np.testing.assert_allclose(image[0], (grey - grey.mean()) / grey.std(), atol=0.02)


def test_a_domain_of_three_channels_gets_grey_three_times(tmp_path: Path, make_dicom: Callable[..., Path]) -> None:
    rows = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(rows).save(tmp_path / "x.png")
    make_dicom(tmp_path / "x.dcm", rows, bits_stored=8)
    expected = (rows.T - rows.mean()) / rows.std()
    for name in ("x.png", "x.dcm"):
        image = RadiographPreprocessing(RGB)({"image": str(tmp_path / name), "domain": "c"})["image"]
        np.testing.assert_allclose(image, np.stack([expected] * 3), atol=1e-5)


def test_an_image_of_other_channels_than_its_domains_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "x.png")
    domains = {"d": Domain("d", ("a", "b"), (16, 16), in_channels=2)}
    sample = LoadRadiographd(domains=domains)({"image": str(tmp_path / "x.png"), "domain": "d", "case": "x"})
    with pytest.raises(
        ValueError, match=r"Case 'x': the image must have 2 channel\(s\) .*; got 1 channel.*in_channels"
    ):
        PhysicalSpaced(domains=domains)(sample)
