# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_gu2net.data import Domain
from monai_gu2net.inferers import LandmarkInferer, TTAInferer
from monai_gu2net.networks import GU2Net
from monai_gu2net.transforms import decode_heatmaps, gaussian_heatmaps

POINTS = torch.tensor([[[20.3, 31.6], [40.8, 9.2]]])
SIZE = (52, 44)


class Equivariant(torch.nn.Module):
    """What it sees is what it answers, so that whatever moves the image moves the heatmaps; it keeps what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, ...]] = []

    def forward(self, image: torch.Tensor, *others: Any) -> torch.Tensor:
        self.seen.append((image, *others))
        return image.logit(eps=1e-6)


@pytest.fixture
def image() -> torch.Tensor:
    return 0.9 * gaussian_heatmaps(POINTS, SIZE, sigma=3.0)


def test_views_of_an_equivariant_network_agree_on_the_points(image: torch.Tensor) -> None:
    one, _ = decode_heatmaps(TTAInferer(tta=1)(image, Equivariant()))
    many, confidence = decode_heatmaps(TTAInferer(tta=6)(image, Equivariant()))
    np.testing.assert_allclose(one, POINTS, atol=0.05)
    np.testing.assert_allclose(many, POINTS, atol=0.15)  # interpolation flattens a peak
    np.testing.assert_allclose(confidence, 0.9, atol=0.06)


def test_views_of_a_volume_agree_on_the_points() -> None:
    points = torch.tensor([[[9.3, 11.6, 8.2]]])
    volume = 0.9 * gaussian_heatmaps(points, (20, 22, 18), sigma=2.0)
    found, _ = decode_heatmaps(TTAInferer(tta=4)(volume, Equivariant()))
    np.testing.assert_allclose(found, points, atol=0.2)


def test_one_view_is_the_plain_inferer(image: torch.Tensor) -> None:
    plain = LandmarkInferer()(MetaTensor(image), Equivariant(), "head")
    assert torch.equal(TTAInferer(tta=1)(MetaTensor(image), Equivariant(), "head"), plain)


def test_a_network_that_finds_the_same_everywhere_keeps_it_to_the_border(image: torch.Tensor) -> None:
    """A mean over the versions that show a pixel, not over all."""
    constant = TTAInferer(tta=5)(image, lambda version: torch.full_like(version, -2.0))  # type: ignore[arg-type]
    torch.testing.assert_close(constant, torch.full_like(image, -2.0))


def test_the_first_view_is_the_image_and_all_go_with_the_domain(image: torch.Tensor) -> None:
    network = Equivariant()
    TTAInferer(tta=3)(image, network, "head")
    assert [others for _, *others in network.seen] == [["head"]] * 3
    first, second, third = (version for version, _ in network.seen)
    assert torch.equal(first, image)
    assert not torch.allclose(second, image, atol=0.05)
    assert not torch.allclose(third, second, atol=0.05)


def test_no_view_is_mirrored_and_each_is_a_small_movement() -> None:
    """Ramps along x and y rise along x and y in every version."""
    x, y = torch.meshgrid(torch.arange(40.0), torch.arange(30.0), indexing="ij")
    network = Equivariant()
    TTAInferer(tta=20)(torch.stack([x, y])[None], network)
    for version, *_ in network.seen:
        along_x, along_y = (version[0, c, 8:-8, 8:-8].diff(dim=c).mean().item() for c in (0, 1))
        assert 0.9 < along_x < 1.1
        assert 0.9 < along_y < 1.1


def test_the_same_seed_gives_the_same_views_whatever_was_drawn_before(image: torch.Tensor) -> None:
    first = TTAInferer(tta=3)(image, Equivariant())
    torch.rand(7)
    assert torch.equal(TTAInferer(tta=3)(image, Equivariant()), first)
    assert not torch.equal(TTAInferer(tta=3, seed=1)(image, Equivariant()), first)


@pytest.mark.parametrize("tta", [0, -1, 2.0, True])
def test_a_number_of_versions_that_is_none_is_refused(tta: Any) -> None:
    with pytest.raises(ValueError, match="tta must be a positive whole number; got"):
        TTAInferer(tta=tta)


@pytest.mark.parametrize("tta", [1, 3])
def test_every_version_of_a_marked_image_goes_to_its_domain(image: torch.Tensor, tta: int) -> None:
    network = Equivariant()
    TTAInferer(tta=tta)(MetaTensor(image, meta={"gu2net_domain": "hand"}), network)
    assert [others for _, *others in network.seen] == [["hand"]] * tta


def test_a_marked_image_gives_its_own_domains_heatmaps_whatever_the_default_is() -> None:
    network = GU2Net(
        2, 1, {"head": 2, "hand": 2}, features=(4, 8), global_features=4, dilations=(1,), default_domain="head"
    ).eval()
    pixels = torch.randn(1, 1, 32, 24)
    marked = MetaTensor(pixels, meta={"gu2net_domain": "hand"})
    with torch.no_grad():
        found, told, default = (
            TTAInferer(tta=3)(marked, network),
            TTAInferer(tta=3)(pixels, network, "hand"),
            TTAInferer(tta=3)(pixels, network),
        )
    assert torch.equal(found, told)
    assert not torch.allclose(found, default, atol=1e-3)


def test_versions_of_a_volume_are_turned_in_millimetres_and_see_air_beyond_its_border() -> None:
    """A ball of millimetres in voxels of 1 x 1 x 4 mm stays one: its longest and shortest axes are as long."""
    spacing = np.array([1.0, 1.0, 4.0])
    domain = Domain("skull", ("a",), (40, 40, 12), target_spacing=tuple(spacing))
    index = np.stack(np.meshgrid(np.arange(40), np.arange(40), np.arange(12), indexing="ij"), axis=-1)
    squares = (((index - [19.5, 19.5, 5.5]) * spacing) ** 2).sum(axis=-1)
    volume = torch.from_numpy(np.exp(-squares / (2 * 7.0**2)) - 3.0).float()[None, None]
    network = Equivariant()
    TTAInferer(tta=6, degrees=30.0, domains={"skull": domain})(volume, network)
    for version, *_ in network.seen:
        assert float(version.min()) == pytest.approx(-3.0, abs=1e-3)
        weights = (version + 3.0).double().numpy()[0, 0, ..., None]
        middle = (weights * index * spacing).sum(axis=(0, 1, 2)) / weights.sum()
        off = (index * spacing - middle).reshape(-1, 3)
        widths = np.linalg.eigvalsh(np.cov(off.T, aweights=weights.ravel()))
        assert widths[-1] / widths[0] < 1.25  # linear interpolation widens it along the coarse axis
