# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A volume and its copies with other axes, from the file to the landmarks found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import Orientation, Spacing
from scipy.spatial.transform import Rotation
from volume_files import orientations, stored_as, write_mha, write_nifti, write_nrrd

from monai_gu2net.data import Domain
from monai_gu2net.inferers import LandmarkInferer
from monai_gu2net.transforms import (
    FitToDomaind,
    Found,
    HeatmapsToLandmarksd,
    RadiographPreprocessing,
    TurnUprightd,
)
from monai_gu2net.transforms.upright import nearest_axes

# ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
pytestmark = pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning")

NAMES = ("bright", "first", "second", "third")
SPACING = np.array([0.7, 1.3, 2.1])
WRITERS: dict[str, Callable[..., Path]] = {"nii.gz": write_nifti, "nrrd": write_nrrd, "mha": write_mha}
Run = Callable[[Path], Found]


class Fixed(torch.nn.Module):
    """A network whose weights are fixed: the image itself, and three random filters of it."""

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(14)
        self.filters = torch.randn(3, 1, 5, 3, 7, generator=random)

    def forward(self, image: torch.Tensor, domain: str) -> torch.Tensor:
        found = torch.nn.functional.conv3d(image, self.filters, padding="same")
        return torch.cat([image, found / 10], dim=1)


def domain_of(*, target: bool, orientation: str = "RAS") -> Domain:
    target_spacing = (0.9, 1.1, 1.7) if target else None
    return Domain("d", NAMES, (12, 14, 10), orientation=orientation, target_spacing=target_spacing)


def find(path: Path, domain: Domain, **options: Any) -> Found:
    domains = {"d": domain}
    sample = RadiographPreprocessing(domains, **options)({"image": str(path), "domain": "d", "case": path.name})
    with torch.no_grad():
        logits = LandmarkInferer(domains=domains)(sample["image"][None], Fixed(), "d")
    decoded = HeatmapsToLandmarksd("pred")({**sample, "pred": logits[0]})
    return Found.of_sample(decoded, domain)


def tilted(spacing: Any, angles: Any) -> np.ndarray:
    """(4, 4) index to RAS mm of axes turned by angles about x, y and z in degrees."""
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * spacing
    affine[:3, 3] = -31.5, 12.25, 47.75
    return affine


def volume_of(size: tuple[int, int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noise under a bright blob, and the index of the blob's centre."""
    index = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
    centre = np.array(size) * [0.3, 0.6, 0.4]
    blob = 20 * np.exp(-((index - centre) ** 2).sum(axis=-1) / 6)
    return (blob + rng.random(size)).astype(np.float32), centre


@pytest.mark.parametrize("target", [False, True], ids=["size", "target-spacing"])
@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -15, 30), (100, 50, -70)], ids=["aligned", "oblique", "askew"])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_volume_and_its_copy_in_each_of_48_orientations_give_the_same_world_points(
    tmp_path: Path, rng: np.random.Generator, kind: str, angles: tuple[int, ...], target: bool
) -> None:
    volume, centre = volume_of((13, 10, 9) if target else (12, 11, 8), rng)
    affine, domain = tilted(SPACING, angles), domain_of(target=target)
    first = find(WRITERS[kind](tmp_path / f"first.{kind}", volume, affine), domain)
    assert first.unit == "mm"
    # the blob, which the network shows as it is, lies where the affine has it, within half a voxel of what it sees
    assert np.linalg.norm(first.points[0] - nib.affines.apply_affine(affine, centre)) < 1.1
    for number, orientation in enumerate(orientations()):
        array, stored = stored_as(volume, affine, orientation)
        frame = {"space": ("LPS", "RAS", "LAS")[number % 3]} if kind == "nrrd" else {}
        found = find(WRITERS[kind](tmp_path / f"{number}.{kind}", array, stored, **frame), domain)
        np.testing.assert_allclose(found.points, first.points, atol=0.01)
        np.testing.assert_allclose(found.lps, first.points * [-1, -1, 1], atol=0.01)
        # the index belongs to the axes of each file
        np.testing.assert_allclose(nib.affines.apply_affine(stored, found.points_index), first.points, atol=0.01)
        assert found.size == array.shape


@settings(max_examples=40)
@given(
    spacing=st.tuples(*[st.sampled_from([0.25, 0.5, 0.9, 1.0, 1.5, 2.0, 3.0])] * 3),
    angles=st.tuples(*[st.sampled_from([0.0, 30.0, 45.0, 90.0, 135.0, 180.0]) | st.floats(-180, 180)] * 3),
    size=st.tuples(*[st.integers(6, 15)] * 3),
    shear=st.sampled_from([0.0, 0.2]),
    number=st.integers(0, 47),
    letters=st.sampled_from(["RAS", "LPS", "SRA", "PIL"]),
    target=st.sampled_from([None, (1.0, 1.0, 1.0), (0.75, 1.5, 2.0)]),
)
def test_any_grid_is_seen_the_same_whichever_way_its_axes_are_stored(
    spacing: tuple[float, ...],
    angles: tuple[float, ...],
    size: tuple[int, int, int],
    shear: float,
    number: int,
    letters: str,
    target: tuple[float, ...] | None,
) -> None:
    """Axes at 45 degrees, voxels that fit the target spacing half, shear, affines of 32 bits: the network is given the
    same numbers.
    """
    volume = np.random.default_rng(number).random(size).astype(np.float32)
    affine = tilted(spacing, angles) @ np.array([[1, 0, 0, 0], [shear, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    domain = Domain("d", NAMES, (8, 8, 8), orientation=letters, target_spacing=target)
    seen = []
    for array, stored in ((volume, affine), stored_as(volume, affine, list(orientations())[number])):
        stored = stored.astype(np.float32).astype(np.float64)  # as NIfTI has it
        image = MetaTensor(torch.tensor(array)[None], affine=torch.tensor(stored))
        steps = TurnUprightd(domains={"d": domain}), FitToDomaind(domains={"d": domain})
        sample: dict[Any, Any] = {"image": image, "domain": "d", "unit": "mm"}
        for step in steps:
            sample = step(sample)
        seen.append(sample["image"])
    assert seen[0].shape == seen[1].shape
    np.testing.assert_allclose(seen[0].affine, seen[1].affine, atol=1e-4)
    np.testing.assert_allclose(seen[0].numpy(), seen[1].numpy(), atol=2e-3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -15, 30), (-10, 35, 5)])
def test_reorienting_and_respacing_are_those_of_monai_and_nibabel(
    rng: np.random.Generator, angles: tuple[int, ...]
) -> None:
    volume, _ = volume_of((13, 10, 9), rng)
    domain = domain_of(target=True, orientation="LPS")
    for orientation in orientations():
        array, stored = stored_as(volume, tilted((0.9, 1.0, 1.7), angles), orientation)
        image = MetaTensor(torch.tensor(array)[None], affine=torch.tensor(stored))
        turned = TurnUprightd(domains={"d": domain})({"image": image, "domain": "d"})["image"]
        expected = Orientation("LPS", labels=(("L", "R"), ("P", "A"), ("I", "S")))(image)
        np.testing.assert_array_equal(turned, expected)
        np.testing.assert_allclose(turned.affine, expected.affine, atol=1e-9)
        assert nib.aff2axcodes(turned.affine.numpy()) == ("L", "P", "S")
        # a target spacing that is nowhere coarser is reached without smoothing, as by MONAI's Spacing alone
        fine = Domain("d", NAMES, (4, 4, 4), orientation="LPS", target_spacing=(0.77, 0.85, 1.5))
        respaced = FitToDomaind(domains={"d": fine})({"image": turned, "domain": "d", "unit": "mm"})["image"]
        theirs = Spacing((0.77, 0.85, 1.5))(turned)
        np.testing.assert_allclose(respaced, theirs, atol=1e-6)
        np.testing.assert_allclose(respaced.affine, theirs.affine, atol=1e-9)


def test_a_last_voxel_that_lies_half_beyond_the_image_is_left_out_however_the_affine_is_rounded() -> None:
    """12 voxels of 0.9 mm are 13.5 of 0.8 mm: MONAI's Spacing makes 14 or 15 of them by the affine's last digit."""
    domain = Domain("d", NAMES, (4, 4, 4), target_spacing=(0.8, 1.0, 1.0))
    sizes, theirs = set(), set()
    for angle in np.linspace(0, 40, 41):
        image = MetaTensor(torch.zeros(1, 13, 4, 4), affine=torch.tensor(tilted((0.9, 1.0, 1.0), (angle, 35, 5))))
        sizes.add(FitToDomaind(domains={"d": domain})({"image": image, "domain": "d", "unit": "mm"})["image"].shape[1])
        theirs.add(Spacing((0.8, 1.0, 1.0))(image).shape[1])
    assert (sizes, theirs) == ({14}, {14, 15})


def test_an_affine_of_32_bits_gives_the_grid_of_the_exact_one() -> None:
    """MONAI's Spacing aligns the middle of the one, and the first corner of the other."""
    domain = Domain("d", NAMES, (4, 4, 4), target_spacing=(1.5, 1.5, 1.5))
    exact = tilted((0.8, 1.1, 2.5), (20, -15, 30))
    grids, theirs = [], []
    for affine in (exact, exact.astype(np.float32).astype(np.float64)):
        image = MetaTensor(torch.zeros(1, 24, 20, 9), affine=torch.tensor(affine))
        grids.append(FitToDomaind(domains={"d": domain})({"image": image, "domain": "d", "unit": "mm"})["image"].affine)
        theirs.append(Spacing((1.5, 1.5, 1.5))(image).affine)
    np.testing.assert_allclose(grids[1], grids[0], atol=1e-5)
    np.testing.assert_allclose(grids[0], theirs[0], atol=1e-9)
    assert (theirs[1] - theirs[0]).abs().max() > 0.1


def test_axes_at_45_degrees_lead_the_same_way_whatever_their_order_in_the_file() -> None:
    """nibabel's do not, where the numbers are rounded as a NIfTI has them."""
    askew = tilted((1.0, 1.0, 1.0), (0, 0, 45))
    directions = set()
    theirs = set()
    for orientation in orientations():
        _, stored = stored_as(np.zeros((3, 3, 3)), askew, orientation)
        stored = stored.astype(np.float32).astype(np.float64)
        turned = stored[:3, :3] @ np.linalg.inv(nearest_axes(stored))
        directions.add(tuple(turned.round(4).ravel()))
        axes = nib.orientations.io_orientation(stored)
        theirs.add(tuple((stored[:3, :3] @ inverse(axes)).round(4).ravel()))
    assert len(directions) == 1
    assert len(theirs) > 1


def inverse(axes: np.ndarray) -> np.ndarray:
    """(3, 3) from axes in the order of the world to those of the file."""
    matrix = np.zeros((3, 3))
    for file, (world, direction) in enumerate(axes.astype(int)):
        matrix[file, world] = direction
    return matrix


def test_a_volume_of_unknown_scale_is_turned_as_its_file_says_and_found_in_its_voxels(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """A source that is not accepted leaves pixels, and right and left where they are."""
    volume, _ = volume_of((13, 10, 9), rng)
    affine, domain = tilted(SPACING, (0, 0, 0)), domain_of(target=False)
    first = find(write_nifti(tmp_path / "first.nii", volume, affine), domain, accept_spacing_source=["detector"])
    assert (first.unit, first.spacing_source) == ("px", "refused: file")
    np.testing.assert_array_equal(first.points, first.points_index)
    for number, orientation in enumerate(orientations()):
        array, stored = stored_as(volume, affine, orientation)
        path = write_nifti(tmp_path / f"{number}.nii", array, stored)
        found = find(path, domain, accept_spacing_source=["detector"])
        index = nib.affines.apply_affine(np.linalg.inv(stored) @ affine, first.points)
        np.testing.assert_allclose(found.points, index, atol=1e-4)


def test_a_given_spacing_keeps_origin_and_directions_of_the_file(tmp_path: Path, rng: np.random.Generator) -> None:
    volume, centre = volume_of((13, 10, 9), rng)
    path = write_nifti(tmp_path / "a.nii", volume, tilted((1.0, 1.0, 1.0), (20, -15, 30)))
    found = find(path, domain_of(target=True), spacing=SPACING.tolist())
    assert (found.unit, found.spacing_source) == ("mm", "given")
    expected = nib.affines.apply_affine(tilted(SPACING, (20, -15, 30)), centre)
    assert np.linalg.norm(found.points[0] - expected) < 1.1
    np.testing.assert_allclose(found.affine, tilted(SPACING, (20, -15, 30)), atol=1e-5)


def test_a_linear_ramp_of_the_world_stays_one_through_preprocessing(rng: np.random.Generator) -> None:
    """Every voxel that the network sees holds what the ramp is at the place its affine gives it."""
    affine = tilted((0.9, 1.2, 2.0), (20, -15, 30))
    index = np.stack(np.meshgrid(*map(np.arange, (13, 10, 9)), indexing="ij"), axis=-1)
    ramp = nib.affines.apply_affine(affine, index) @ [0.3, -0.5, 0.8]
    image = MetaTensor(torch.tensor(ramp)[None].float(), affine=torch.tensor(affine))
    fine = Domain("d", NAMES, (4, 4, 4), orientation="PIL", target_spacing=(0.7, 0.75, 0.8))
    sample = TurnUprightd(domains={"d": fine})({"image": image, "domain": "d", "unit": "mm"})
    seen = FitToDomaind(domains={"d": fine})(sample)["image"]
    places = np.stack(np.meshgrid(*map(np.arange, seen.shape[1:]), indexing="ij"), axis=-1)
    expected = nib.affines.apply_affine(seen.affine.numpy(), places) @ [0.3, -0.5, 0.8]
    inside = slice(None, -1), slice(None, -1), slice(None, -1)  # the last voxel may lie half beyond the image
    np.testing.assert_allclose(seen[0].numpy()[inside], expected[inside], atol=1e-3)
