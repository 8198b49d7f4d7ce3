# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.transforms import with_mean_shapes

# a face whose right eye and ear lie along -y of its own axes
FACE = {
    "nose": [9.0, 0, 0],
    "right_eye": [7.0, -3, 2],
    "left_eye": [7.0, 3, 2],
    "right_ear": [0.0, -6, 0],
    "left_ear": [0.0, 6, 0],
}
MIRROR = (("left_eye", "right_eye"), ("left_ear", "right_ear"), ("nose", None))
AFFINE = nibabel.affines.from_matvec(np.diag([-0.5, 0.7, 2.0]), [12, -9, 4])


def datalist(folder: Path, **fields: Any) -> Datalist:
    """Three volumes of one face in three poses, and a test case of another."""
    domain = Domain("face", tuple(FACE), (8, 8, 8), target_spacing=(1, 1, 1), **fields)
    cases = []
    for turn in range(4):
        world = Rotation.random(random_state=turn).apply(np.array(list(FACE.values())) * (3 if turn == 3 else 1))
        nibabel.save(nibabel.Nifti1Image(np.arange(6.0).reshape(1, 2, 3), AFFINE), folder / f"{turn}.nii.gz")
        index = nibabel.affines.apply_affine(np.linalg.inv(AFFINE), world - world.mean(axis=0))
        # the points lie outside of these tiny volumes, where only their scale counts
        cases.append({"image": str(folder / f"{turn}.nii.gz"), "landmarks": index.tolist()})
    return Datalist("faces", {"face": domain}, cases[:3], test=cases[3:])


@pytest.fixture(autouse=True)
def no_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monai_gu2net.transforms.resolve_spacing.inside_frame", lambda points, size: points)


def test_the_shape_is_that_of_the_training_part_in_millimetres(tmp_path: Path) -> None:
    data = with_mean_shapes(datalist(tmp_path))
    shape = np.array(data.domains["face"].mean_shape)
    truth = np.array(list(FACE.values()))
    np.testing.assert_allclose(
        np.linalg.norm(shape[:, None] - shape, axis=-1), np.linalg.norm(truth[:, None] - truth, axis=-1), atol=1e-3
    )


@pytest.mark.parametrize(
    ("orientation", "right"), [("RAS", (1, 0, 0)), ("PRS", (0, 1, 0)), ("LPS", (-1, 0, 0)), ("SAL", (0, 0, -1))]
)
def test_with_mirror_partners_the_right_lies_where_the_orientation_has_it(
    tmp_path: Path, orientation: str, right: tuple[int, ...]
) -> None:
    data = with_mean_shapes(datalist(tmp_path, mirror=MIRROR, orientation=orientation), any_pose=True)
    shape = dict(zip(FACE, np.array(data.domains["face"].mean_shape), strict=True))
    np.testing.assert_allclose(shape["right_ear"] - shape["left_ear"], 12 * np.array(right), atol=1e-3)
    sides = [shape["nose"] - shape["left_ear"], shape["right_eye"] - shape["left_ear"]]
    truth = [np.subtract(FACE[name], FACE["left_ear"]) for name in ("nose", "right_eye")]
    assert np.linalg.det([12 * np.array(right), *sides]) == pytest.approx(
        np.linalg.det([[0, -12, 0], *truth]), rel=1e-3
    )


def test_a_landmark_that_no_training_case_has_is_named(tmp_path: Path) -> None:
    data = datalist(tmp_path)
    cases = [{**case, "landmarks": [None, *case["landmarks"][1:]]} for case in data.training]
    with pytest.raises(ValueError, match=r"'face': each landmark must be there .*; got none of \['nose'\]"):
        with_mean_shapes(Datalist("faces", data.domains, cases))


def test_what_lies_in_any_pose_is_seen_and_said(tmp_path: Path) -> None:
    data = with_mean_shapes(datalist(tmp_path))
    assert data.origin is not None
    assert data.origin["pose"].startswith("images of face lie up to ")
    assert with_mean_shapes(datalist(tmp_path), any_pose=False).domains["face"].mean_shape is None


def test_what_lies_alike_needs_no_shape_unless_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Rotation.from_euler("z", 25, degrees=True)
    monkeypatch.setattr(Rotation, "random", lambda random_state: small ** (random_state - 1))
    data = datalist(tmp_path)
    assert with_mean_shapes(data).domains["face"].mean_shape is None
    assert with_mean_shapes(data).origin is None
    assert with_mean_shapes(data, any_pose=True).domains["face"].mean_shape is not None


def test_without_a_target_spacing_there_is_no_shape(tmp_path: Path) -> None:
    data = datalist(tmp_path)
    flat = {"face": replace(data.domains["face"], target_spacing=None)}
    data = Datalist("faces", flat, data.training)
    assert with_mean_shapes(data).domains["face"].mean_shape is None
    with pytest.raises(ValueError, match=r"'face': mean_shape must come with a target_spacing"):
        with_mean_shapes(data, any_pose=True)


def test_two_landmarks_have_no_shape_and_prepare_goes_on_without_one(tmp_path: Path) -> None:
    data = datalist(tmp_path)
    few = replace(data.domains["face"], landmarks=("nose", "left_ear"))
    cases = [case | {"landmarks": case["landmarks"][::4]} for case in data.training]
    two = Datalist("faces", {"face": few}, cases)
    made = with_mean_shapes(two)
    assert (made.domains["face"].mean_shape, made.origin) == (None, None)
    with pytest.raises(ValueError, match=r"Domain 'face': A mean shape must come of sets of at least"):
        with_mean_shapes(two, any_pose=True)


def test_a_new_shape_lies_as_the_one_that_was_there(tmp_path: Path) -> None:
    data = with_mean_shapes(datalist(tmp_path))
    before = np.array(data.domains["face"].mean_shape)
    turned = Rotation.from_euler("xy", [80, 50], degrees=True).apply(before)
    shaped = replace(data.domains["face"], mean_shape=tuple(map(tuple, turned.tolist())))
    again = with_mean_shapes(replace(data, domains={"face": shaped}, training=list(reversed(data.training))))
    np.testing.assert_allclose(again.domains["face"].mean_shape, turned, atol=1e-2)
