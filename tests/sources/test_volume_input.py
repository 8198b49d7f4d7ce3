# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What a network is to see of volumes, worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from monai.data import MetaTensor
from monai.transforms import Orientation, Spacing
from series_files import make_series, oblique_affine

from monai_gu2net.sources.volume_frame import VolumeFrame, volume_frame
from monai_gu2net.sources.volume_input import VOXELS, volume_input


def frame(size: Sequence[int], spacing: Sequence[float], *, known: bool = True) -> VolumeFrame:
    return VolumeFrame(tuple(size), np.diag([*spacing, 1.0]), known)


def test_the_spacing_is_the_median_and_the_size_holds_the_largest_volume() -> None:
    volumes = [frame((60, 70, 33), (0.5, 0.5, s)) for s in (1.0, 2.0, 2.5)]
    chosen = volume_input(volumes, orientation="RAS")
    assert chosen.target_spacing == (0.5, 0.5, 2.0)
    # 33 voxels of 2.5 mm are 32 * 1.25 + 1 = 41 of 2 mm
    assert chosen.size == (64, 80, 48)
    assert chosen.words == (
        "turned to RAS, at 0.5 x 0.5 x 2 mm per voxel (the median of the training volumes), 64 x 80 x 48 voxels at "
        "once (all are seen whole)"
    )


def test_axes_are_those_of_the_orientation() -> None:
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = -0.5, 2.0, -1.0, 1.0  # the file's axes lead P, S and L
    chosen = volume_input([VolumeFrame((16, 32, 48), affine, True)], orientation="RAS")
    assert (chosen.size, chosen.target_spacing) == ((48, 16, 32), (1.0, 0.5, 2.0))
    chosen = volume_input([VolumeFrame((16, 32, 48), affine, True)], orientation="SRA")
    assert (chosen.size, chosen.target_spacing) == ((32, 48, 16), (2.0, 1.0, 0.5))


def test_a_median_volume_that_is_too_large_is_seen_coarser_along_its_finer_axes() -> None:
    chosen = volume_input([frame((512, 512, 60), (0.5, 0.5, 5.0))] * 3, orientation="RAS")
    first, second, third = chosen.target_spacing or ()
    assert first == second
    assert third == 5.0
    assert math.prod(chosen.size) <= VOXELS
    # 59 slices and 3 more, and 112 x 112: at 255.5 / 111 mm they just fit, and at 255.5 / 127 they would not
    assert chosen.size == (112, 112, 64)
    assert 255.5 / 111.5 <= first <= 1.01 * 255.5 / 111.5 + 0.01
    assert "coarser than their median, 0.5 x 0.5 x 5, so that the median one fits" in chosen.words


def test_where_the_largest_does_not_fit_the_median_one_does_and_windows_are_said() -> None:
    volumes = [frame((90, 90, 90), (1, 1, 1))] * 4 + [frame((200, 90, 90), (1, 1, 1))]
    chosen = volume_input(volumes, orientation="RAS")
    assert (chosen.size, chosen.target_spacing) == ((96, 96, 96), (1.0, 1.0, 1.0))
    assert "(1 of 5 are larger and seen in windows)" in chosen.words


def test_with_a_size_alone_the_largest_volume_fits_into_it() -> None:
    volumes = [frame((61, 41, 31), (1, 1, 1)), frame((121, 41, 31), (1, 1, 1)), frame((61, 41, 31), (1, 1, 1))]
    chosen = volume_input(volumes, orientation="RAS", size=(64, 64, 64))
    assert chosen.size == (64, 64, 64)
    spacing = (chosen.target_spacing or ())[0]
    assert 120 / 63.5 <= spacing <= 1.01 * 120 / 63.5 + 0.01  # 121 voxels become 64
    assert "so that the largest one fits" in chosen.words
    assert "all are seen whole" in chosen.words


def test_with_a_spacing_alone_the_size_is_chosen_by_it() -> None:
    chosen = volume_input([frame((63, 63, 63), (1, 1, 1))], orientation="RAS", target_spacing=(2.0, 2.0, 0.5))
    assert (chosen.size, chosen.target_spacing) == ((32, 32, 128), (2.0, 2.0, 0.5))
    chosen = volume_input([frame((320, 320, 320), (1, 1, 1))], orientation="RAS", target_spacing=(1.0, 1.0, 1.0))
    assert chosen.size == (96, 96, 96)
    assert "1 of 1 are larger and seen in windows" in chosen.words


@pytest.mark.parametrize("options", [{"known": False}, {"target_spacing": "none"}], ids=str)
def test_volumes_without_a_spacing_are_resized(options: dict[str, object]) -> None:
    known = bool(options.pop("known", True))
    chosen = volume_input([frame((128, 64, 64), (3, 1, 1), known=known)], orientation="RAS", **options)  # type: ignore[arg-type]
    assert chosen.target_spacing is None
    assert chosen.size == (128, 64, 64)
    assert chosen.words.startswith("resized to 128 x 64 x 64 voxels")


def test_the_size_is_what_monai_makes_of_the_volume(rng: np.random.Generator) -> None:
    turn, upper = np.linalg.qr(np.eye(3) + 0.1 * rng.standard_normal((3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn * np.sign(np.diag(upper)) @ np.eye(3)[:, [1, 2, 0]] @ np.diag([0.7, -1.2, 0.9])
    chosen = volume_input([VolumeFrame((30, 22, 26), affine, True)], orientation="RAS", target_spacing=(0.8, 0.8, 0.8))
    image = MetaTensor(np.zeros((1, 30, 22, 26), np.float32), affine=affine)
    seen = Spacing((0.8, 0.8, 0.8))(Orientation("RAS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(image))
    assert chosen.size == tuple(16 * math.ceil(length / 16) for length in seen.shape[1:])


def test_a_series_that_is_rewritten_in_its_folder_is_read_anew(tmp_path: Path) -> None:
    """A folder keeps its date while files in it change."""
    voxels = np.zeros((4, 5, 3), np.uint16)
    for degrees in (0.0, 20.0):
        affine = oblique_affine(degrees=degrees)
        make_series(tmp_path / "series", voxels, affine)
        np.testing.assert_allclose(volume_frame(tmp_path / "series").affine, affine, atol=1e-4)
