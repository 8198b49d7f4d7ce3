# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""3D Slicer's libraries show the points of a volume at its voxels, whatever kind of file and axes it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import itk
import nibabel
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from monai_gu2net.data import Domain
from monai_gu2net.landmarks.formats import read_markups
from monai_gu2net.transforms import LoadRadiographd, PhysicalSpaced, SaveLandmarksd

pytestmark = [
    pytest.mark.integration,
    # ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
    pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning"),
]

DOMAINS = {"solid": Domain("solid", ("a", "b", "absent"), (8, 8, 8))}
VOXELS = np.array([[3.25, 4.5, 6.75], [0.0, 17.0, 2.0], [np.nan] * 3])
SPACING, ORIGIN = (0.5, 0.75, 2.0), (-12.0, 30.0, 7.5)
DIRECTIONS = {
    "straight": np.eye(3),
    "swapped": np.array([[0, 0, -1.0], [-1, 0, 0], [0, 1, 0]]),
    "oblique": Rotation.from_euler("xyz", (20, -35, 50), degrees=True).as_matrix(),
}
CASES = [f"{way}{ending}" for way in DIRECTIONS for ending in (".nii.gz", ".nrrd", ".mha")]


def write(path: Path, directions: np.ndarray) -> Path:
    """A volume of 12 x 20 x 10 voxels whose axes lead along the columns of the directions, in LPS."""
    values = np.arange(12 * 20 * 10, dtype=np.int16).reshape(12, 20, 10)
    if path.name.endswith(".nii.gz"):
        affine = np.eye(4)
        affine[:3] = np.column_stack([directions * SPACING, ORIGIN])
        nibabel.save(nibabel.Nifti1Image(values, np.diag([-1, -1, 1, 1]) @ affine), path)
        return path
    image = itk.image_from_array(np.ascontiguousarray(values.T))
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(itk.matrix_from_array(directions))
    itk.imwrite(image, str(path))
    return path


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, look_in_slicer: Callable[..., Any]) -> dict[str, Any]:
    """What Slicer saw of each case, with the folder of the files."""
    folder = tmp_path_factory.mktemp("slicer")
    save = SaveLandmarksd(output_dir=folder, domains=DOMAINS, formats=["mrk.json"])
    arguments: list[str] = []
    for case in CASES:
        image = write(folder / case, DIRECTIONS[case.partition(".")[0]])
        sample = LoadRadiographd()({"image": image, "case": case, "domain": "solid"})
        sample = PhysicalSpaced(domains=DOMAINS)(sample)
        world = torch.from_numpy(VOXELS) @ sample["file_affine"][:3, :3].T + sample["file_affine"][:3, 3]
        save(sample | {"pred_landmarks": world, "pred_confidence": torch.tensor([0.5, 0.25, 0.0])})
        again = (folder / f"{case}.again.mrk.json", folder / f"{case}.placed.mrk.json")
        arguments += map(str, (image, folder / f"{case}.mrk.json", *again))
    return {"folder": folder, **dict(zip(CASES, look_in_slicer(arguments), strict=True))}


@pytest.mark.parametrize("case", CASES)
def test_slicer_shows_every_point_at_its_voxel(seen: dict[str, Any], case: str) -> None:
    points = seen[case]["points"]
    assert seen[case]["messages"] == []
    assert [status for status, *_ in points.values()] == ["defined", "defined", "undefined"]
    shown = np.array([voxel for status, voxel, _ in points.values() if status == "defined"])
    np.testing.assert_allclose(shown, VOXELS[:2], rtol=0, atol=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_a_list_of_a_volume_that_slicer_saves_again_is_the_same(seen: dict[str, Any], case: str) -> None:
    before, after = (read_markups(seen["folder"] / f"{case}{part}.mrk.json") for part in ("", ".again"))
    assert after.names == before.names == DOMAINS["solid"].landmarks
    np.testing.assert_allclose(after.points, before.points, rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_a_point_placed_in_slicer_lies_there_in_lps_millimetres(seen: dict[str, Any], case: str) -> None:
    """The script places the first one at the voxel (3.25, 4.5, 0)."""
    placed = read_markups(seen["folder"] / f"{case}.placed.mrk.json").points[0]
    expected = DIRECTIONS[case.partition(".")[0]] @ (np.array([3.25, 4.5, 0]) * SPACING) + ORIGIN
    np.testing.assert_allclose(placed, expected, rtol=0, atol=1e-4)
