# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Volumes larger than what their domain sees at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from monai_gu2net.data import Domain
from monai_gu2net.inferers import LandmarkInferer, TTAInferer, windows
from monai_gu2net.transforms import decode_heatmaps, gaussian_heatmaps

SKULL = Domain("skull", ("nasion", "bregma"), (16, 12, 8), target_spacing=(1.0, 1.0, 1.0))
RESIZED = Domain("resized", ("tip",), (16, 12, 8))
DOMAINS = {"skull": SKULL, "resized": RESIZED}


class Seen(nn.Module):
    """A convolution of some reach that remembers the shapes it was given."""

    def __init__(self, kernel: int = 1, channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, 2, kernel, padding=kernel // 2)
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, image: Tensor, *others: Any) -> Tensor:
        self.shapes.append(tuple(image.shape))
        found: Tensor = self.conv(image)
        return found


class Copy(nn.Module):
    def forward(self, image: Tensor, *others: Any) -> Tensor:
        return image


@pytest.fixture
def volume() -> Tensor:
    return torch.randn(1, 1, 29, 21, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("inferer", [LandmarkInferer(domains=DOMAINS), TTAInferer(domains=DOMAINS)])
@torch.no_grad()
def test_windows_give_what_the_whole_volume_gives_by_a_network_that_looks_at_single_voxels(
    inferer: LandmarkInferer, volume: Tensor
) -> None:
    network = Seen().eval()
    found = inferer(volume, network, "skull")
    assert set(network.shapes) == {(1, 1, 16, 12, 8)}
    # starts 0, 8, 13 along the first axis, 0, 6, 9 along the second, and one along the third
    assert len(network.shapes) == 9
    torch.testing.assert_close(found, network.conv(volume), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_middle_of_windows_counts_most_so_that_their_borders_hardly_show(volume: Tensor) -> None:
    network = Seen(kernel=3)
    found, whole = LandmarkInferer(domains=DOMAINS)(volume, network, "skull"), network.conv(volume)
    # a window's own zero padding reaches one voxel, where a Gaussian of an eighth of its length is nearly nothing
    assert (found - whole).abs().mean() < 0.003 * whole.abs().mean()
    assert (found - whole).abs().max() < 0.05


@torch.no_grad()
def test_a_landmark_is_found_where_it_is_whichever_windows_see_it() -> None:
    points = torch.tensor([[[4.3, 15.8, 3.1], [25.6, 8.9, 4.4]]])
    maps = gaussian_heatmaps(points, (29, 21, 8), sigma=1.5).clamp(1e-6, 1 - 1e-6).logit()

    found, _ = decode_heatmaps(LandmarkInferer(domains=DOMAINS)(maps, Copy(), "skull"))
    torch.testing.assert_close(found, points, rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("size", "arguments", "shape"),
    [
        ((16, 12, 8), ("skull",), (16, 12, 8)),
        ((9, 12, 8), ("skull",), (9, 12, 8)),
        ((29, 12, 8), ("resized",), (29, 12, 8)),
        ((29, 12, 8), (1,), (29, 12, 8)),
        ((29, 12, 8), (0,), (16, 12, 8)),
        ((29, 12, 8), (), (29, 12, 8)),
    ],
)
@torch.no_grad()
def test_only_a_volume_larger_than_its_domain_sees_is_cut(
    size: tuple[int, ...], arguments: tuple[Any, ...], shape: tuple[int, ...]
) -> None:
    network = Seen()
    assert LandmarkInferer(domains=DOMAINS)(torch.zeros(1, 1, *size), network, *arguments).shape == (1, 2, *size)
    assert set(network.shapes) == {(1, 1, *shape)}


@torch.no_grad()
def test_a_single_domain_need_not_be_named() -> None:
    network = Seen()
    LandmarkInferer(domains={"skull": SKULL})(torch.zeros(1, 1, 29, 12, 8), network)
    assert set(network.shapes) == {(1, 1, 16, 12, 8)}


@torch.no_grad()
def test_turned_versions_are_seen_in_windows_too(volume: Tensor) -> None:
    network = Seen().eval()
    found = TTAInferer(tta=3, domains=DOMAINS)(volume, network, "skull")
    assert len(network.shapes) == 27
    assert set(network.shapes) == {(1, 1, 16, 12, 8)}
    whole = TTAInferer(tta=3)(volume, network, "skull")
    torch.testing.assert_close(found, whole, rtol=1e-4, atol=1e-4)


def test_an_image_is_left_as_it_was(volume: Tensor) -> None:
    before = volume.clone()
    LandmarkInferer(domains=DOMAINS)(volume, Copy(), "skull")
    TTAInferer(tta=2, domains=DOMAINS)(volume, Copy(), "skull")
    assert volume.equal(before)


@pytest.mark.parametrize(("tta", "gib"), [(1, "1.9"), (2, "9.3")])
def test_heatmaps_that_do_not_fit_into_memory_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch, tta: int, gib: str
) -> None:
    monkeypatch.setattr(windows, "free_memory", lambda device: 2**30)
    volume = torch.zeros(1, 1, 1, 1, 1).expand(1, 1, 500, 500, 500)
    # of two landmarks: (2 + 2) numbers of 4 bytes for each of 1.25e8 voxels, or three copies and the places of sampling
    # two of them, of 3 numbers of 8 bytes: (2 * 3 + 2 + 2 * 3 * 2)
    with pytest.raises(ValueError, match=rf"2 landmarks on 500 x 500 x 500 voxels .*, {gib} GiB; got 1\.0 GiB"):
        TTAInferer(tta=tta, domains=DOMAINS)(volume, Seen().eval(), "skull")


def test_the_free_memory_of_this_machine_is_a_number_or_not_known() -> None:
    free = windows.free_memory(torch.device("cpu"))
    assert free is None or 2**20 < free < 2**50
