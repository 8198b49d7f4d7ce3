# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Resize
from scipy.ndimage import convolve1d
from scipy.stats import norm

from monai_gu2net.data import Domain
from monai_gu2net.transforms import FitToDomaind


def fitted(image: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    domain = Domain("d", ("a", "b"), size, in_channels=len(image))
    return FitToDomaind(domains={"d": domain})({"image": image, "domain": "d"})["image"]


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1, 620, 768), (248, 307)), ((3, 90, 300), (30, 100)), ((1, 50, 40), (100, 80)), ((1, 50, 40, 30), (25, 20, 15))],
)
def test_an_image_is_resized_as_monai_does(
    shape: tuple[int, ...], size: tuple[int, ...], rng: np.random.Generator
) -> None:
    image = MetaTensor(rng.normal(0, 1, shape).astype(np.float32), affine=torch.diag(torch.tensor([0.1, 0.2, 0.3, 1])))
    given = image.clone()

    found = fitted(image, size)

    mode = "bilinear" if len(size) == 2 else "trilinear"
    expected = Resize(size, mode=mode, anti_aliasing=size[0] < shape[1])(given)
    np.testing.assert_allclose(found.as_tensor().numpy(), expected.as_tensor().numpy(), atol=2e-6)
    torch.testing.assert_close(found.affine, expected.affine)
    assert torch.equal(image.as_tensor(), given.as_tensor())  # is not changed in place


def test_what_is_too_fine_for_the_size_is_smoothed_by_a_gaussian(rng: np.random.Generator) -> None:
    image = rng.normal(0, 1, (1, 200, 240)).astype(np.float32)

    found = fitted(MetaTensor(image), (50, 60))

    # four pixels become one, at the middle between the second and the third; sigma is (4 - 1) / 2
    edges = np.arange(-6, 8) - 0.5
    weights = np.diff(norm.cdf(edges / 1.5))  # the Gaussian's share of each pixel, up to four sigma
    smooth = image[0]
    for axis in range(2):
        smooth = convolve1d(smooth, weights, axis=axis, mode="constant")
    expected = (smooth[1::4, 1::4] + smooth[2::4, 1::4] + smooth[1::4, 2::4] + smooth[2::4, 2::4]) / 4
    np.testing.assert_allclose(found[0].as_tensor().numpy(), expected, atol=2e-6)


def test_each_channel_of_a_volume_is_padded_with_its_own_lowest_value() -> None:
    volume = MetaTensor(torch.rand(2, 4, 5, 6) + torch.tensor([-1.0, -8.0]).view(2, 1, 1, 1), affine=torch.eye(4))
    domain = Domain("v", ("a",), (8, 8, 8), in_channels=2, target_spacing=(1, 1, 1))
    padded = FitToDomaind(domains={"v": domain})({"image": volume, "domain": "v"})["image"]
    lowest = volume.as_tensor().flatten(1).amin(dim=1)
    torch.testing.assert_close(padded.as_tensor()[:, 0, 0, 0], lowest)
    torch.testing.assert_close(padded.as_tensor()[:, 2:6, 1:6, 1:7], volume.as_tensor(), rtol=0, atol=1e-5)
