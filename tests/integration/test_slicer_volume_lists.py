# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Points that 3D Slicer's libraries placed on a volume are prepared at their voxels, whichever list it saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import itk
import nibabel
import numpy as np
import pytest
import series_files

from monai_gu2net.landmarks import LandmarkSet, read_landmarks, write_landmarks
from monai_gu2net.sources import read_layout

pytestmark = [
    pytest.mark.integration,
    # ITK's bindings crash while they are imported where this warning of theirs is an error (swig/swig#2881).
    pytest.mark.filterwarnings(r"ignore:builtin type \w+ has no __module__ attribute:DeprecationWarning"),
]

AFFINE = series_files.oblique_affine((0.4, 0.9, 1.5))
PLACED = [[3.25, 4.5, 0.0], [10.0, 20.0, 0.0]]  # by the script
SLICES = 6
CASES = ("oblique.nii.gz", "oblique.nrrd", "oblique.mha", "flipped.nii.gz")


def write(path: Path) -> np.ndarray:
    """A volume of 14 x 24 x 6 voxels, and its affine in RAS."""
    values = np.arange(14 * 24 * SLICES, dtype=np.int16).reshape(14, 24, SLICES)
    affine = AFFINE @ np.diag([-1.0, 1, 1, 1]) if path.name.startswith("flipped") else AFFINE
    if path.name.endswith(".nii.gz"):
        nibabel.save(nibabel.Nifti1Image(values, affine), path)
        return affine
    image, spacing = itk.image_from_array(np.ascontiguousarray(values.T)), np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin((affine[:3, 3] * [-1, -1, 1]).tolist())
    image.SetDirection(itk.matrix_from_array(np.diag([-1.0, -1, 1]) @ affine[:3, :3] / spacing))
    itk.imwrite(image, str(path))
    return affine


def of_slicer(case: str, voxels: list[list[float]]) -> np.ndarray:
    """Voxels of a file as Slicer counts them, or the other way: it reverses the slices of a left-handed grid."""
    found = np.array(voxels)
    if case.startswith("flipped"):
        found[:, 2] = SLICES - 1 - found[:, 2]
    return found


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, look_in_slicer: Callable[..., Any]) -> Path:
    """The folder with images, the lists written for Slicer, and those that it saved."""
    folder = tmp_path_factory.mktemp("slicer")
    arguments: list[str] = []
    for case in CASES:
        affine = write(folder / case)
        world = LandmarkSet(("a",), nibabel.affines.apply_affine(affine, [[1.0, 2.0, 3.0]]), "RAS")
        lists = [folder / f"{case}.{which}.mrk.json" for which in ("given", "again", "placed")]
        write_landmarks(lists[0], world)
        arguments += map(str, (folder / case, *lists))
    told = look_in_slicer(arguments)
    (folder / "told.json").write_text(json.dumps(dict(zip(CASES, told, strict=True))))
    return folder


@pytest.mark.parametrize("ending", [".mrk.json", ".fcsv"])
@pytest.mark.parametrize("case", CASES)
def test_points_placed_on_a_volume_are_prepared_at_their_voxels(
    saved: Path, tmp_path: Path, case: str, ending: str
) -> None:
    shutil.copy(saved / case, tmp_path / case)
    shutil.copy(saved / f"{case}.placed{ending}", tmp_path / f"{case.partition('.')[0]}{ending}")
    data = read_layout(tmp_path, domain="d", test=0, validation=0)
    assert data.left_out == ()
    np.testing.assert_allclose(data.training[0]["landmarks"], of_slicer(case, PLACED), rtol=0, atol=1e-3)


@pytest.mark.parametrize("case", CASES)
def test_millimetres_of_a_volume_go_through_slicer_and_come_back(saved: Path, case: str) -> None:
    told = json.loads((saved / "told.json").read_text())[case]["points"]
    np.testing.assert_allclose(told["a"][1], of_slicer(case, [[1.0, 2.0, 3.0]])[0], rtol=0, atol=1e-3)
    given, again = (read_landmarks(saved / f"{case}.{which}.mrk.json") for which in ("given", "again"))
    np.testing.assert_allclose(again.points, given.points, rtol=0, atol=1e-9)
