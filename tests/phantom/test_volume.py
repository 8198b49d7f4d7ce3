# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.phantom import make_phantom, phantom_case, phantom_volume
from monai_gu2net.phantom.anatomy import Pose
from monai_gu2net.phantom.head_body import draw_head
from monai_gu2net.phantom.phantom_case import EXAMINATIONS
from monai_gu2net.phantom.solids import Body, Ellipsoid, RoundCone
from monai_gu2net.phantom.voxels import attenuation_in_voxels
from monai_gu2net.transforms import LandmarksToPointsd, RadiographPreprocessing

REST = Pose(np.eye(3))
HEAD: Domain = EXAMINATIONS["head_ct"].domain
NAMES = HEAD.landmarks
FIRST, SIZE, SPACING = np.full(3, -15.5), (32, 21, 16), np.array([1.0, 1.5, 2.0])

# volumes in mm^3 of solids that lie in the grid: of a ball, a turned ellipsoid, a rod with round ends, a ball with a
# hole beside its middle, two balls of which one lies in the other, and two that do not touch
SOLIDS = {
    "ball": (Body([REST.ellipsoid((0.3, -0.2, 0.1), (10, 10, 10))], 1), 4 / 3 * math.pi * 1000),
    "ellipsoid": (Body([REST.ellipsoid((0, 0, 1), (12, 6, 9), 25)], 1), 4 / 3 * math.pi * 12 * 6 * 9),
    "rod": (Body([REST.cone((-7, 3, -2), 4, (2, -3, 4), 4)], 1), math.pi * 16 * math.sqrt(153) + 4 / 3 * math.pi * 64),
    "hollow": (
        Body([REST.ellipsoid((0, 0, 0), (10, 10, 10))], 1, [REST.ellipsoid((3, 0, 0), (5, 5, 5))]),
        4 / 3 * math.pi * (1000 - 125),
    ),
    "nested": (
        Body([REST.ellipsoid((0, 0, 0), (9, 9, 9)), REST.ellipsoid((1, 0, 0), (5, 5, 5))], 1),
        4 / 3 * math.pi * 729,
    ),
    "apart": (
        Body([REST.ellipsoid((0, 0, -8), (5, 5, 5)), REST.ellipsoid((0, 0, 8), (5, 5, 5))], 1),
        2 * 4 / 3 * math.pi * 125,
    ),
}


def world_of(points: np.ndarray, affine: np.ndarray) -> dict[str, np.ndarray]:
    """(3,) RAS by name."""
    return dict(zip(NAMES, points @ affine[:3, :3].T + affine[:3, 3], strict=True))


def value_at(volume: np.ndarray, affine: np.ndarray, world: np.ndarray) -> float:
    index = np.linalg.solve(affine, np.append(world, 1))[:3]
    return float(map_coordinates(volume[0].astype(float), index[:, None], order=1, mode="nearest")[0])


@pytest.mark.parametrize("name", SOLIDS)
def test_the_voxels_of_a_solid_add_up_to_its_volume(name: str) -> None:
    body, expected = SOLIDS[name]
    voxels = attenuation_in_voxels([body], FIRST, SIZE, SPACING)
    assert voxels.shape == SIZE
    assert voxels.sum() * SPACING.prod() == pytest.approx(expected, rel=0.01)
    assert voxels.max() == pytest.approx(1)
    centre = [(voxels.sum(axis=tuple({0, 1, 2} - {axis})) * np.arange(n)).sum() for axis, n in enumerate(SIZE)]
    found = FIRST + np.array(centre) / voxels.sum() * SPACING
    by_hand = {
        "ball": (0.3, -0.2, 0.1),
        "ellipsoid": (0, 0, 1),
        "rod": (-2.5, 0, 1),
        "hollow": (-3 / 7, 0, 0),  # 125 parts of 1000 are taken out at 3
        "nested": (0, 0, 0),
        "apart": (0, 0, 0),
    }
    np.testing.assert_allclose(found, by_hand[name], atol=0.05)


def test_a_voxel_on_a_surface_has_its_share_and_bodies_add_up() -> None:
    """A ball so large that its surface is plane here, at x = 1/6: voxels of 1 mm are empty, two thirds full, full."""
    wall = Body([Ellipsoid(np.array([-1e7 + 1 / 6, 0, 0]), 1e7 * np.eye(3))], 0.3)
    voxels = attenuation_in_voxels([wall, Body(wall.solids, -0.1)], np.array([-1.0, 0, 0]), (3, 2, 2), np.ones(3))
    np.testing.assert_allclose(voxels[:, 0, 0], [0.2, 0.2 * 2 / 3, 0], atol=1e-6)


def test_a_solid_beside_the_grid_fills_nothing_and_carves_nothing() -> None:
    away = RoundCone(np.array([100.0, 0, 0]), 5, np.array([90.0, 0, 0]), 3)
    ball = REST.ellipsoid((0, 0, 0), (5, 5, 5))
    assert attenuation_in_voxels([Body([away], 1)], FIRST, SIZE, SPACING).max() == 0
    whole = attenuation_in_voxels([Body([ball], 1)], FIRST, SIZE, SPACING)
    np.testing.assert_array_equal(attenuation_in_voxels([Body([ball], 1, [away])], FIRST, SIZE, SPACING), whole)


def test_landmarks_in_space_lie_where_the_heads_measures_say() -> None:
    """In x forwards, y down, z to the left from the sella, before the head is scaled as a whole.

    An eye's socket is an ellipsoid about (48, 5, 33) that is 18 high; the ear's canal is 4.6 wide where it leaves the
    bone at (-24, 24, 52).
    """
    for seed in range(5):
        found = draw_head(np.random.default_rng(seed), REST).in_space
        scale = found["left_orbitale"][2] / 33
        assert 0.88 <= scale <= 1.1
        np.testing.assert_allclose(found["sella"], 0, atol=1e-12)
        for side, name in ((-1, "right"), (1, "left")):
            np.testing.assert_allclose(found[f"{name}_orbitale"] / scale, [48, 23, 33 * side])
            np.testing.assert_allclose(found[f"{name}_porion"] / scale, [-24, 19.4, 52 * side])
        for name in ("nasion", "menton", "upper_lip", "anterior_nasal_spine", "posterior_nasal_spine"):
            assert found[name][2] == pytest.approx(0)
        # one measure from the incisors' axes: tips 8 mm apart from side to side, as high and as far in front
        right, left = (found.get(f"{name}_upper_incisal_incision") for name in ("right", "left"))
        if right is not None and left is not None:
            np.testing.assert_allclose((left - right) / scale, [0, 0, 8])


def test_in_rest_the_landmarks_of_both_domains_are_the_same_points() -> None:
    head = draw_head(np.random.default_rng(2), REST)
    for name in ("nasion", "pogonion", "lower_lip", "subspinale"):
        np.testing.assert_array_equal(head.in_space[name][:2], head.landmarks[name])
    both = (head.in_space["right_gonion"] + head.in_space["left_gonion"]) / 2
    np.testing.assert_allclose(both[:2], head.landmarks["gonion"])


@pytest.mark.parametrize("index", range(6))
def test_the_structures_lie_at_their_landmarks_in_the_world(index: int) -> None:
    """By the file's affine alone: to the right, the front and the head, whatever the voxels' order."""
    volume, points, affine = phantom_volume("head_ct", seed=3, index=index)
    world = world_of(points, affine)
    front, up, right = np.array([0.0, 1, 0]), np.array([0.0, 0, 1]), np.array([1.0, 0, 0])
    seen = 0

    def check(name: str, offset: np.ndarray, least: float, most: float) -> None:
        nonlocal seen
        if not np.isnan(world[name]).any():  # a border may cut it off
            assert least < value_at(volume, affine, world[name] + offset) < most, name
            seen += 1

    check("upper_lip", 9 * front, -1025, -600)  # air
    check("upper_lip", -9 * front, -200, 3072)  # flesh
    check("pogonion", -5 * front, 500, 3072)  # bone
    check("pogonion", 7 * front, -1025, 400)  # flesh
    check("nasion", -4 * front, 300, 3072)
    for name, outwards in (("right", right), ("left", -right)):
        check(f"{name}_gonion", 4 * front + 4 * up, 300, 3072)
        check(f"{name}_porion", 3 * up - 3 * outwards, 200, 3072)  # bone above the ear's canal
        check(f"{name}_orbitale", 15 * up, -400, 400)  # the eye in its socket
        assert not outwards @ (world[f"{name}_porion"] - world["sella"]) < 40
    assert seen >= 8
    assert not world["nasion"][2] < world["right_gonion"][2] + 40
    assert not world["nasion"][1] < world["right_porion"][1] + 60


def test_volumes_come_in_many_orders_oblique_or_not_with_voxels_longer_one_way() -> None:
    orders, oblique, absent = set(), [], 0
    for index in range(24):
        volume, points, affine = phantom_volume("head_ct", seed=0, index=index)
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        np.testing.assert_allclose((affine[:3, :3] / lengths).T @ (affine[:3, :3] / lengths), np.eye(3), atol=1e-12)
        orders.add(nibabel.aff2axcodes(affine))
        oblique.append(not np.isclose(np.abs(affine[:3, :3] / lengths).max(axis=0), 1).all())
        assert len(np.unique(lengths.round(6))) == 2
        assert max(volume.shape) <= 66
        assert volume.dtype == np.int16
        present = points[~np.isnan(points).any(axis=1)]
        assert (present >= 0).all()
        assert (present <= np.array(volume.shape[1:]) - 1).all()
        absent += int(np.isnan(points).any())
    assert len(orders) > 12
    assert 6 < sum(oblique) < 18
    assert 1 <= absent <= 8


def test_a_volume_is_a_function_of_seed_and_index() -> None:
    volume, points, affine = phantom_volume("head_ct", seed=1, index=2)
    for again, before in zip(phantom_volume("head_ct", seed=1, index=2), (volume, points, affine), strict=True):
        np.testing.assert_array_equal(again, before)
    other = phantom_volume("head_ct", seed=2, index=2)
    assert not np.array_equal(other[1], points)


def test_the_dataset_holds_the_volumes_with_their_affine_and_landmarks_in_voxels(tmp_path: Path) -> None:
    path = make_phantom(tmp_path / "one", cases={"training": 2, "test": 1}, domains=["head_ct"], progress=False)
    case = Datalist.load(path).test[0]
    volume, points, affine = phantom_volume("head_ct", seed=0, index=2)
    image = nibabel.load(case["image"])
    np.testing.assert_array_equal(np.asarray(image.dataobj), volume[0])
    for stored in (image.affine, image.get_qform(), image.get_sform()):
        np.testing.assert_allclose(stored, affine, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    stored = np.array([[np.nan] * 3 if point is None else point for point in case["landmarks"]])
    np.testing.assert_allclose(stored, points, atol=1e-4)
    assert "spacing" not in case
    again = make_phantom(tmp_path / "two", cases={"training": 2, "test": 1}, domains=["head_ct"], progress=False)
    assert again.read_bytes() == path.read_bytes()
    for file in (tmp_path / "one").rglob("*.nii.gz"):
        assert (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes() == file.read_bytes()


def test_a_copy_stored_the_other_way_round_gives_the_network_the_same(tmp_path: Path) -> None:
    """nibabel stores the volume as LAS; its landmarks are those voxels of the copy that lie at the same place."""
    path = make_phantom(tmp_path, cases={"test": 1}, domains=["head_ct"], progress=False)
    case = Datalist.load(path).test[0]
    image = nibabel.load(case["image"])
    copied = image.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.orientations.io_orientation(image.affine), nibabel.orientations.axcodes2ornt("LAS")
        )
    )
    nibabel.save(copied, tmp_path / "copy.nii.gz")
    move = np.linalg.inv(copied.affine) @ image.affine
    moved = [None if point is None else (move @ [*point, 1])[:3].tolist() for point in case["landmarks"]]
    assert moved != case["landmarks"]
    prepare = RadiographPreprocessing({"head_ct": HEAD})
    seen = [
        LandmarksToPointsd()(prepare(dict(each)))
        for each in (case, {**case, "image": str(tmp_path / "copy.nii.gz"), "landmarks": moved})
    ]
    np.testing.assert_allclose(seen[0]["points"], seen[1]["points"], atol=1e-3)
    np.testing.assert_allclose(seen[0]["image"].numpy(), seen[1]["image"].numpy(), atol=1e-4)
    np.testing.assert_allclose(seen[0]["landmarks"], seen[1]["landmarks"], atol=1e-3)


def test_radiographs_and_volumes_are_drawn_by_functions_of_their_own() -> None:
    with pytest.raises(ValueError, match=r"'head_ct' must be one of radiographs; it is of volumes\. Call phantom_vol"):
        phantom_case("head_ct", seed=0, index=0)
    with pytest.raises(ValueError, match=r"'hand' must be one of volumes; it is of radiographs\. Call phantom_case"):
        phantom_volume("hand", seed=0, index=0)
    with pytest.raises(ValueError, match="must be one of head, hand, chest, spine, head_ct; got 'foot'"):
        phantom_volume("foot", seed=0, index=0)
