# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""3D Slicer's libraries show the labels of volumes at their voxels, and what they save comes back there."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from monai_gu2net.data import Domain
from monai_gu2net.label_app import check_label, label_frame, write_label
from monai_gu2net.landmarks import LandmarkSet

pytestmark = [
    pytest.mark.integration,
    # of ITK's modules, which would crash if their import were ended by it
    pytest.mark.filterwarnings("ignore:builtin type [sS]wig:DeprecationWarning"),
]

_ROOT = Path(__file__).parents[2]

NAMES = ("tip", "wrist", "absent")
SIZE = (24, 30, 20)
VOXELS = [[17.25, 20.25, 3.0], [4.0, 0.0, 18.75], [np.nan] * 3]


def _posed_volumes() -> ModuleType:
    """The volumes of the app's tests."""
    path = _ROOT / "tests" / "label_app" / "posed_volumes.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FILES = _posed_volumes()
LEFT_HANDED = ("swapped.nrrd", "left.nii.gz")
BARE = "bare.nii.gz"  # an affine that says nothing


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, look_in_slicer: Callable[..., Any]) -> dict[str, Any]:
    """What Slicer saw of each volume, with the folder of the files."""
    folder = tmp_path_factory.mktemp("slicer")
    arguments: list[str] = []
    voxels = np.arange(np.prod(SIZE), dtype=float).reshape(SIZE)
    poses = FILES.POSES | {BARE: np.eye(3)}
    for name, pose in poses.items():
        image = FILES.write_volume(folder / name, voxels, pose, origin=np.zeros(3) if name == BARE else FILES.ORIGIN)
        label = write_label(folder / f"{name}.mrk.json", LandmarkSet(NAMES, VOXELS, "index"), label_frame(image))
        again = [folder / f"{name}.again.mrk.json", folder / f"{name}.placed.mrk.json"]
        arguments += map(str, (image, label, *again))
    told = look_in_slicer(arguments)
    return {"folder": folder, **dict(zip(poses, told, strict=True))}


@pytest.mark.parametrize("name", [*FILES.POSES, BARE])
def test_slicer_shows_every_point_at_its_voxel(seen: dict[str, Any], name: str) -> None:
    assert seen[name]["messages"] == []
    points = seen[name]["points"]
    assert [status for status, *_ in points.values()] == ["defined", "defined", "undefined"]
    shown = np.array([points[each][1] for each in NAMES[:2]])
    if name in LEFT_HANDED:  # Slicer counts their slices from the other end
        shown[:, 2] = SIZE[2] - 1 - shown[:, 2]
    np.testing.assert_allclose(shown, VOXELS[:2], rtol=0, atol=0.01)
    # what Slicer has there is what the file has at the voxel, whatever the order of its slices
    nearest = np.rint(VOXELS[:2]).astype(int)
    assert [points[each][2] for each in NAMES[:2]] == [float(np.ravel_multi_index(each, SIZE)) for each in nearest]


@pytest.mark.parametrize("name", [*FILES.POSES, BARE])
def test_what_slicer_saves_comes_back_to_its_voxels(seen: dict[str, Any], name: str) -> None:
    domains = {"d": Domain("d", (*NAMES, "a", "b"), (32, 32, 32))}
    _, again = check_label(seen["folder"] / f"{name}.again.mrk.json", seen["folder"] / name, domains=domains)
    np.testing.assert_allclose(again.points[:3], VOXELS, rtol=0, atol=0.01)
    _, placed = check_label(seen["folder"] / f"{name}.placed.mrk.json", seen["folder"] / name, domains=domains)
    first = SIZE[2] - 1 if name in LEFT_HANDED else 0
    np.testing.assert_allclose(placed.points[3:], [[3.25, 4.5, first], [10.0, 20.0, first]], rtol=0, atol=0.01)
