# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Annotations that can hardly be right: named by prepare, and left out of training where that is asked for."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist

TRIANGLES = np.array([[10.0, 10], [30, 12], [20, 40], [25, 45]])


def pictures(folder: Path) -> Path:
    """Thirty pictures, of which "7" has its last landmark at the first one."""
    rng, lines = np.random.default_rng(0), ["image,a_x,a_y,b_x,b_y,c_x,c_y,d_x,d_y"]
    folder.mkdir()
    for number in range(30):
        Image.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(folder / f"{number}.png")
        points = TRIANGLES + rng.normal(scale=0.5, size=TRIANGLES.shape) + rng.uniform(-5, 15, size=2)
        if number == 7:
            points[-1] = points[0] + 1
        lines.append(",".join([f"{number}.png", *(f"{value:.3f}" for value in points.ravel())]))
    (folder / "landmarks.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(("option", "expected"), [([], []), (["--doubtful", "leave-out"], [("7", ["d"])])])
def test_a_landmark_that_lies_where_none_does_is_named_and_left_out_where_that_is_asked_for(
    tmp_path: Path, option: list[str], expected: list[tuple[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", str(pictures(tmp_path / "p")), *option, "-o", str(tmp_path / "d.json")]) == 0
    said = capsys.readouterr().out
    assert "1 landmark(s) of 1 image(s) lie where they can hardly be" in said
    assert "(7: d): " + ("training leaves them out" if option else "look at them") in said
    data = Datalist.load(tmp_path / "d.json")
    assert [(case["case"], case["doubtful"]) for case in data.cases("all") if "doubtful" in case] == expected
    assert all(None not in case["landmarks"] for case in data.cases("all"))


def test_volumes_are_compared_in_the_world_whatever_their_axes(tmp_path: Path) -> None:
    """Stored along other axes and in other poses, which the voxels alone would take for errors."""
    rng, lines = np.random.default_rng(1), ["image,a_i,a_j,a_k,b_i,b_j,b_k,c_i,c_j,c_k,d_i,d_j,d_k"]
    solid = np.array([[4.0, 4, 4], [16, 5, 6], [6, 15, 5], [7, 6, 17]])
    (tmp_path / "v").mkdir()
    for number in range(24):
        order, signs = rng.permutation(3), rng.choice([-1.0, 1.0], size=3)
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, order] * signs * 0.5
        affine[:3, 3] = rng.normal(size=3) * 20
        world = solid * 0.5 + rng.normal(scale=0.1, size=solid.shape)
        if number == 5:
            world[3] = world[0] + 0.5
        at_zero = np.linalg.inv(affine[:3, :3])
        voxels = world @ at_zero.T
        affine[:3, 3] = affine[:3, :3] @ (voxels.min(axis=0) - 2)
        voxels = voxels - voxels.min(axis=0) + 2
        image = nibabel.Nifti1Image(rng.integers(0, 99, (24, 24, 24), dtype=np.int16), affine)
        nibabel.save(image, tmp_path / "v" / f"{number}.nii.gz")
        lines.append(",".join([f"{number}.nii.gz", *(f"{value:.3f}" for value in voxels.ravel())]))
    (tmp_path / "v" / "landmarks.csv").write_text("\n".join(lines) + "\n")
    options = ["--any-pose", "no", "--doubtful", "leave-out", "-o", str(tmp_path / "d.json")]
    assert main(["prepare", str(tmp_path / "v"), *options]) == 0
    data = Datalist.load(tmp_path / "d.json")
    assert [(case["case"], case["doubtful"]) for case in data.cases("all") if "doubtful" in case] == [("5", ["d"])]
