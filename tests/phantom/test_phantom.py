# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import brentq

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.landmarks.anatomical_names import CHEST_LANDMARKS, HAND_LANDMARKS, HEAD_LANDMARKS, VERTEBRAE
from monai_gu2net.phantom import hand_body as hand_module
from monai_gu2net.phantom import make_phantom, phantom_case
from monai_gu2net.phantom.anatomy import Pose, Tissue, outline_crossing
from monai_gu2net.phantom.chest_body import draw_chest
from monai_gu2net.phantom.hand_body import draw_hand
from monai_gu2net.phantom.head_body import draw_head
from monai_gu2net.phantom.phantom_case import EXAMINATIONS
from monai_gu2net.phantom.projection import Technique, develop, line_integrals
from monai_gu2net.phantom.solids import Body, Ellipsoid, RoundCone
from monai_gu2net.phantom.spine_body import draw_spine

AT_ORIGIN = np.zeros(1)
REST = Pose(np.eye(3))
RADIOGRAPHS = ["head", "hand", "chest", "spine"]
SMALL = {"training": 3, "validation": 1, "test": 1}
coordinate = st.floats(-6, 6)
radius = st.floats(0.5, 4)


def in_round_cone(points: np.ndarray, cone: RoundCone) -> np.ndarray:
    """Whether points (..., 3) lie in one of many spheres between the first and the last."""
    share = np.linspace(0, 1, 801)[:, None]
    centres = cone.start + share * (cone.end - cone.start)
    radii = (cone.start_radius + share * (cone.end_radius - cone.start_radius))[:, 0]
    return (np.linalg.norm(points[..., None, :] - centres, axis=-1) <= radii).any(axis=-1)


def sampled_length(inside_at, x: float, y: float) -> float:
    """Length of a ray inside a solid, by counting samples 0.02 mm apart."""
    z = np.arange(-20, 20, 0.02)
    return 0.02 * float(inside_at(np.stack([np.full_like(z, x), np.full_like(z, y), z], axis=-1)).sum())


def chord(solid: Ellipsoid | RoundCone, x: float, y: float) -> float:
    near, far = solid.interval(np.array([x]), np.array([y]))
    return max(float(far[0] - near[0]), 0.0)


def test_a_ray_through_the_centre_of_a_sphere_runs_its_diameter_and_beside_it_a_chord():
    ball = Ellipsoid(np.array([1.0, 2.0, 3.0]), 5.0 * np.eye(3))
    assert chord(ball, 1, 2) == pytest.approx(10)
    assert chord(ball, 4, 2) == pytest.approx(8)  # 3-4-5 triangle
    assert chord(ball, 6.01, 2) == 0


@settings(max_examples=25, deadline=None)
@given(st.tuples(radius, radius, radius), st.floats(0, 180), st.floats(0, 80), coordinate, coordinate)
def test_chords_of_a_turned_ellipsoid_are_those_of_counted_samples(semi_axes, turn_deg, tilt_deg, x, y):
    tilt = math.radians(tilt_deg)
    about_x = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
    solid = Pose(about_x).ellipsoid((0.4, -0.3, 1.0), semi_axes, turn_deg)

    def inside(points):
        return (np.linalg.solve(solid.axes, (points - solid.centre).T) ** 2).sum(axis=0) <= 1

    assert chord(solid, x, y) == pytest.approx(sampled_length(inside, x, y), abs=0.05)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(coordinate, coordinate, coordinate),
    radius,
    st.tuples(coordinate, coordinate, coordinate),
    radius,
    st.floats(-0.5, 1.5),
    st.floats(-1, 1),
)
def test_chords_of_a_round_cone_are_those_of_counted_samples(start, start_radius, end, end_radius, share, aside):
    cone = REST.cone(start, start_radius, end, end_radius)
    x, y = (cone.start + share * (cone.end - cone.start) + aside * start_radius)[:2]
    expected = sampled_length(lambda points: in_round_cone(points, cone), x, y)
    # Samples miss a ray that only grazes: there a chord of length c is c^2 / 8r deep.
    assert chord(cone, x, y) == pytest.approx(expected, abs=0.35)


def test_a_cylinder_across_the_rays_is_crossed_by_its_diameter_and_along_them_by_its_length():
    across = REST.cone((-5, 0, 0), 2, (5, 0, 0), 2)
    along = REST.cone((0, 0, -5), 2, (0, 0, 5), 2)
    assert chord(across, 1, 0) == pytest.approx(4)
    assert chord(along, 0, 0) == pytest.approx(14)
    assert chord(along, 1.2, 0) == pytest.approx(10 + 2 * 1.6)


@pytest.mark.parametrize(
    "solid",
    [
        REST.ellipsoid((1, 2, 3), (2, 4, 1), 30),
        REST.cone((0, 1, 0), 1, (5, -3, 2), 2.5),
        REST.cone((0, 0, 0), 4, (1, 0, 0), 1),
    ],
)
def test_bounds_and_supports_touch_the_shadow(solid):
    low, high = solid.bounds()
    for axis in (0, 1):
        direction = np.eye(3)[axis]
        assert solid.support(direction)[axis] == pytest.approx(high[axis])
        assert solid.support(-direction)[axis] == pytest.approx(low[axis])
        rim = solid.support(direction)
        assert chord(solid, *(rim - 1e-6 * direction)[:2]) > 0
        assert chord(solid, *(rim + 1e-6 * direction)[:2]) == 0


def test_a_union_counts_an_overlap_once_and_a_carved_hole_not_at_all():
    ball, cavity = REST.ellipsoid((0, 0, 0), (5, 5, 5)), REST.ellipsoid((0, 0, 1), (2, 2, 2))
    assert Body([ball, ball], 1.0).path_lengths(AT_ORIGIN, AT_ORIGIN).item() == pytest.approx(10)
    assert Body([ball], 1.0, carved=[cavity]).path_lengths(AT_ORIGIN, AT_ORIGIN).item() == pytest.approx(6)
    beside = REST.ellipsoid((0, 0, 7), (5, 5, 5))
    assert Body([ball, beside], 1.0).path_lengths(AT_ORIGIN, AT_ORIGIN).item() == pytest.approx(17)


def test_line_integrals_add_attenuation_times_length_over_the_bodies():
    flesh = Body([REST.ellipsoid((0, 0, 0), (50, 50, 50))], 0.02)
    bone = Body([REST.ellipsoid((0, 0, 0), (5, 5, 5))], 0.05)
    x = np.array([-100.0, 0.0, 30.0])
    integrals = line_integrals([flesh, bone], x, AT_ORIGIN)
    np.testing.assert_allclose(integrals[:, 0], [0, 0.02 * 100 + 0.05 * 10, 0.02 * 80])


def test_a_noiseless_radiograph_is_linear_in_the_attenuation():
    integrals = np.linspace(0, 2, 101)[:, None] * np.ones((1, 50))
    image = develop(integrals, np.random.default_rng(0), technique=Technique())
    expected = 255 * np.clip((integrals - 0.02) / 1.96, 0, 1)  # one percent clipped at each end
    np.testing.assert_allclose(image, expected, atol=0.5001)


def test_quantum_noise_has_the_variance_of_counts():
    # Behind 0 and 1 the detector counts 400 and 400 / e; the noise of -log(counts) is 1 / sqrt(counts).
    integrals = np.repeat([[0.001], [1.0]], 200, axis=0) * np.ones((1, 200))
    image = develop(integrals, np.random.default_rng(0), technique=Technique(photons=200))
    quiet = develop(integrals, np.random.default_rng(0), technique=Technique())
    assert image[:200].std() / image[200:].std() == pytest.approx(math.exp(-0.5), rel=0.1)
    assert quiet[:200].std() == 0


def test_outlines_of_two_balls_cross_where_the_circles_do():
    first, second = REST.ellipsoid((0, 0, 0), (5, 5, 5)), REST.ellipsoid((6, 0, 20), (5, 5, 5))
    np.testing.assert_allclose(outline_crossing(first, [second], 90, 0)[:2], [3, 4], atol=1e-8)
    with pytest.raises(ValueError, match="must cross between 90 and 180"):
        outline_crossing(first, [second], 90, 180)


@pytest.mark.parametrize(("domain", "count"), [("head", 19), ("hand", 37), ("chest", 6), ("spine", 68)])
def test_landmark_names_are_all_different(domain, count):
    names = EXAMINATIONS[domain].domain.landmarks
    assert len(names) == len(set(names)) == count


def test_phantom_and_dataset_name_the_same_landmarks_alike():
    landmarks = {name: examination.domain.landmarks for name, examination in EXAMINATIONS.items()}
    assert landmarks["head"] == HEAD_LANDMARKS
    assert landmarks["chest"] == CHEST_LANDMARKS
    assert landmarks["hand"] == HAND_LANDMARKS


def test_the_places_of_the_hand_are_those_of_the_atlass_pictures():
    """By their place in the dataset's lines, as seen on its pictures: palm down, the thumb on the right."""
    for seed in range(5):
        marks = draw_hand(np.random.default_rng(seed)).landmarks
        x, y = np.stack([marks.get(name, np.full(2, np.nan)) for name in HAND_LANDMARKS]).T
        assert (np.diff(x[[0, 2, 3, 4]]) > 0).all()  # ulna, then radius, each from its ulnar to its radial side
        assert y[1] < min(y[0], y[2])  # the two styloids lie beyond their bones' ends
        assert y[5] < min(y[3], y[4])
        assert (np.diff(x[[6, 7, 8]]) > 0).all()  # triquetrum, lunate, scaphoid
        assert (np.diff(x[[9, 10, 11, 12]]) > 0).all()  # hamate, capitate, trapezoid, trapezium
        assert (np.diff(x[[13, 14, 15, 16, 17]]) > 0).all()  # metacarpals, the thumb's last
        for row, next_row in (([0, 2], [6, 7, 8]), ([7, 8], [9, 10, 11, 12]), ([9, 10, 11], [13, 14, 15, 16])):
            assert y[row].min() > y[next_row].max()
        for first in (18, 21, 25, 29, 33):  # thumb, then index to little finger
            last = first + (2 if first == 18 else 3)
            assert (np.diff(y[first : last + 1][np.isfinite(y[first : last + 1])]) < 0).all()
        assert (np.diff(x[[18, 21, 25, 29, 33]]) < 0).all()


@pytest.mark.parametrize(
    ("domain", "draw"), [("head", draw_head), ("hand", draw_hand), ("chest", draw_chest), ("spine", draw_spine)]
)
def test_forty_patients_can_be_drawn_and_have_no_landmark_of_another_name(domain, draw):
    missing = 0
    for seed in range(40):
        anatomy = draw(np.random.default_rng(seed))
        assert set(anatomy.landmarks) <= set(EXAMINATIONS[domain].domain.landmarks)
        missing += len(set(EXAMINATIONS[domain].domain.landmarks) - set(anatomy.landmarks))
        assert np.isfinite(np.stack(list(anatomy.landmarks.values()))).all()
    assert missing <= 10


def test_wrist_ends_are_fifty_millimetres_apart_by_the_true_spacing():
    for index in range(6):
        _, points, spacing = phantom_case("hand", seed=4, index=index)
        assert np.linalg.norm((points[0] - points[4]) * spacing) == pytest.approx(50, abs=1e-9)


def test_fingers_articulate_as_a_chain_of_rigid_segments():
    for seed in range(5):
        lengths = np.array([54.0, 33.0, 18.0, 16.0])
        joints = hand_module._joints("little", lengths, 1.0, np.random.default_rng(seed))
        np.testing.assert_allclose(np.linalg.norm(np.diff(joints, axis=0), axis=1), lengths)
        hand = draw_hand(np.random.default_rng(seed)).landmarks
        middle = [hand[f"middle_{name}"] for name in ("cmc", *hand_module.FINGER_JOINTS[:2])]
        assert np.linalg.norm(middle[1] - middle[0]) > np.linalg.norm(middle[2] - middle[1]) > 20


def test_a_joint_of_the_finger_lies_in_the_dark_gap_between_two_bones():
    rng = np.random.default_rng(3)
    hand = draw_hand(rng)
    bones = [body for body in hand.bodies if body.attenuation > 0.05]  # compact bone without flesh and marrow
    head, joint, base = (hand.landmarks[f"middle_{name}"] for name in ("cmc", "mcp", "pip"))

    def bone_at(point):
        return line_integrals(bones, point[:1], point[1:]).item()

    assert bone_at(joint) == 0
    assert bone_at(joint + 0.08 * (head - joint)) > 0.2
    assert bone_at(joint + 0.15 * (base - joint)) > 0.2


def test_the_costophrenic_angle_is_the_lowest_place_of_the_visible_lung_around_it():
    for seed in range(3):
        chest = draw_chest(np.random.default_rng(seed))
        lungs = [body for body in chest.bodies if len(body.carved) > 1]
        for lung, name in zip(lungs, ("right", "left"), strict=True):
            angle = chest.landmarks[f"{name}_costophrenic_angle"]
            x, y = (centre + np.arange(-12, 12, 0.1) for centre in angle)
            air = lung.path_lengths(x, y) > 0
            column, row = np.argwhere(air)[np.argwhere(air)[:, 1].argmax()]
            np.testing.assert_allclose([x[column], y[row]], angle, atol=0.4)


def test_the_costophrenic_angle_solves_both_outlines():
    for seed in range(3):
        chest = draw_chest(np.random.default_rng(seed))
        for lung, name in zip([body for body in chest.bodies if len(body.carved) > 1], ("right", "left"), strict=True):
            wall, dome = lung.solids[0], lung.carved[0]
            shadow = dome.axes[:2] @ dome.axes[:2].T
            away = chest.landmarks[f"{name}_costophrenic_angle"] - dome.centre[:2]
            assert away @ np.linalg.solve(shadow, away) == pytest.approx(1, abs=1e-9)
            angle = chest.landmarks[f"{name}_costophrenic_angle"]

            def signed_distance(share, angle=angle, wall=wall):
                point = wall.end[:2] + share * (angle - wall.end[:2])
                spheres = np.linspace(0, 1, 200001)[:, None]
                centres = wall.start[:2] + spheres * (wall.end - wall.start)[:2]
                radii = wall.start_radius + spheres[:, 0] * (wall.end_radius - wall.start_radius)
                return float((np.linalg.norm(point - centres, axis=1) - radii).min())

            assert brentq(signed_distance, 0.2, 3.0, xtol=1e-10) == pytest.approx(1, abs=1e-6)


def corners(landmarks: dict[str, np.ndarray]) -> np.ndarray:
    """(17, 2, 2, 2): vertebra; top, bottom; left, right; x, y."""
    ordered = [landmarks[f"{vertebra}_{corner}"] for vertebra in VERTEBRAE for corner in ("tl", "tr", "bl", "br")]
    return np.stack(ordered).reshape(17, 2, 2, 2)


def test_a_vertebra_lies_below_the_one_above_it_and_is_bounded_by_its_corners():
    for seed in range(20):
        found = corners(draw_spine(np.random.default_rng(seed)).landmarks)
        (left, right), (top, bottom) = (found[:, :, side] for side in (0, 1)), (found[:, row] for row in (0, 1))
        assert (right[..., 0] - left[..., 0] > 15).all()
        assert (bottom[..., 1] - top[..., 1] > 8).all()
        assert (top[1:, :, 1] > bottom[:-1, :, 1]).all()


def test_the_spine_bends_smoothly_within_the_range_of_its_curves():
    cobb = []
    for seed in range(40):
        edge = np.diff(corners(draw_spine(np.random.default_rng(seed)).landmarks), axis=2)[:, 0, 0]
        tilts = np.rad2deg(np.arctan2(edge[:, 1], edge[:, 0]))
        assert np.abs(np.diff(tilts)).max() < 18
        cobb.append(np.ptp(tilts))
    assert min(cobb) < 12
    assert 45 < max(cobb) < 63  # each vertebra may lean by some degrees more than the curve does


def test_the_corners_are_those_of_the_shadow_where_it_is_half_as_deep_as_inside():
    for seed in range(3):
        spine = draw_spine(np.random.default_rng(seed))
        bodies = [body for body in spine.bodies if body.attenuation == Tissue.COMPACT_BONE and len(body.solids) > 10]
        assert len(bodies) == 17
        for body, (top, bottom) in zip(bodies[::4], corners(spine.landmarks)[::4], strict=True):
            (low, high), step = body.bounds(), 0.1
            x, y = (np.arange(low[axis] - 1, high[axis] + 1, step) for axis in (0, 1))
            depth = body.path_lengths(x, y)
            inside = np.argwhere(depth > np.median(depth[depth > 0]) / 2) * step + (x[0], y[0])
            across, along = top[1] - top[0], bottom.mean(axis=0) - top.mean(axis=0)
            across, along = across / np.hypot(*across), along / np.hypot(*along)
            for row, down in ((top, -1), (bottom, 1)):
                for corner, right in zip(row, (-1, 1), strict=True):
                    outwards = (right * across + down * along) / np.sqrt(2)
                    assert (inside @ outwards).max() == pytest.approx(corner @ outwards, abs=1.0)  # half a pixel


def test_new_domains_leave_the_cases_of_the_earlier_ones_as_they_were():
    assert list(EXAMINATIONS)[:3] == ["head", "hand", "chest"]  # a domain's number is part of its cases' seeds


def test_gnathion_lies_on_the_chin_between_pogonion_and_menton():
    for seed in range(5):
        head = draw_head(np.random.default_rng(seed)).landmarks
        assert head["pogonion"][1] < head["gnathion"][1] < head["menton"][1]
        assert head["pogonion"][0] > head["gnathion"][0] > head["menton"][0]
        assert head["upper_lip"][0] > head["subnasale"][0]


def test_a_landmark_stays_on_its_structure_in_the_pixels_of_the_image():
    # The sella is the centre of a ring: rendered alone, its shadow's centre of mass must be the landmark.
    for seed in range(3):
        head = draw_head(np.random.default_rng(seed))
        sella = head.landmarks["sella"]
        ring = next(body for body in head.bodies if len(body.carved) == 1 and np.allclose(body.solids[0].centre, 0))
        x = sella[0] - 20.3 + 0.25 * np.arange(160)
        y = sella[1] - 19.6 + 0.30 * np.arange(140)
        shadow = line_integrals([ring], x, y)
        centre = [
            float((shadow.sum(axis=1 - axis) * np.arange(n)).sum() / shadow.sum()) for axis, n in ((0, 160), (1, 140))
        ]
        expected = [(sella[0] - x[0]) / 0.25, (sella[1] - y[0]) / 0.30]
        np.testing.assert_allclose(centre, expected, atol=0.05)


@pytest.mark.parametrize("domain", RADIOGRAPHS)
def test_a_case_is_a_function_of_domain_seed_and_index(domain):
    image, points, spacing = phantom_case(domain, seed=1, index=2)
    again, same_points, same_spacing = phantom_case(domain, seed=1, index=2)
    other, _, _ = phantom_case(domain, seed=2, index=2)
    assert image.dtype == np.uint8
    assert image.shape[0] == 1
    assert 240 <= image.shape[2] <= 272
    assert (image == again).all()
    assert spacing == same_spacing
    np.testing.assert_array_equal(points, same_points)
    assert image.shape != other.shape or (image != other).any()


@pytest.mark.parametrize("domain", RADIOGRAPHS)
def test_landmarks_lie_inside_the_image_and_most_are_present(domain):
    for index in range(6):
        image, points, spacing = phantom_case(domain, seed=9, index=index)
        present = points[~np.isnan(points).any(axis=1)]
        assert len(present) >= 0.6 * len(points)
        assert (present >= 0).all()
        assert (present <= np.array(image.shape[1:]) - 1).all()
        assert image.std() > 20
        assert 0.3 < spacing[0] < 3


def test_an_unknown_domain_is_refused():
    with pytest.raises(ValueError, match="must be one of head, hand, chest, spine, head_ct; got 'foot'"):
        phantom_case("foot", seed=0, index=0)


def test_the_dataset_loads_as_a_datalist_with_absent_landmarks_as_null(tmp_path):
    path = make_phantom(tmp_path, cases={"training": 9, "test": 2}, domains=("hand",), progress=False)
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "null" in text
    datalist = Datalist.load(path)
    assert datalist.landmark_counts == {"hand": 37}
    assert (len(datalist.training), len(datalist.validation), len(datalist.test)) == (9, 0, 2)
    case = datalist.test[0]
    image, points, _ = phantom_case("hand", seed=0, index=2)
    assert (image[0] == np.asarray(Image.open(case["image"])).T).all()
    stored = np.array([[np.nan, np.nan] if p is None else p for p in case["landmarks"]])
    np.testing.assert_allclose(stored, points, atol=1e-4)


@pytest.mark.parametrize(
    ("images", "expected"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (10, (7, 1, 2)), (100, (64, 12, 24))]
)
def test_a_number_of_images_is_shared_among_the_splits_as_the_whole_phantom_is(images, expected, tmp_path, monkeypatch):
    drawn = np.zeros((1, 4, 4), dtype=np.uint8), np.ones((6, 2)), (1.0, 1.0)
    monkeypatch.setattr("monai_gu2net.phantom.dataset.phantom_case", lambda *_, **__: drawn)
    data = Datalist.load(make_phantom(tmp_path, cases=images, domains=["chest"], progress=False))
    assert tuple(len(part) for part in (data.training, data.validation, data.test)) == expected


def test_every_domain_says_where_its_scale_comes_from(tmp_path):
    datalist = Datalist.load(make_phantom(tmp_path, cases={"test": 1}, progress=False))
    assert datalist.domains["hand"].reference is not None
    assert datalist.domains["hand"].reference.mm == 50
    by_domain = {case["domain"]: case for case in datalist.test}
    assert "spacing" not in by_domain["hand"]
    assert all(0 < value < 3 for name in ("head", "chest") for value in by_domain[name]["spacing"])


def test_a_case_does_not_depend_on_how_many_there_are(tmp_path):
    few = json.loads(make_phantom(tmp_path / "few", cases=SMALL, domains=("chest",), progress=False).read_text())
    more_cases = {"training": 1, "validation": 2, "test": 2}
    more = json.loads(make_phantom(tmp_path / "more", cases=more_cases, domains=("chest",), progress=False).read_text())
    for split in SMALL:
        assert more[split][0] == few[split][0]
        image = few[split][0]["image"]
        assert (tmp_path / "few" / image).read_bytes() == (tmp_path / "more" / image).read_bytes()
    patients = [case["patient"] for split in SMALL for case in few[split]]
    assert len(patients) == len(set(patients)) == 5


def modified(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_identical_phantom_is_used_again_and_another_one_replaced(tmp_path):
    cases = {"training": 1}
    path = make_phantom(tmp_path, cases=cases, domains=("hand",), progress=False)
    before = modified(tmp_path)
    assert make_phantom(tmp_path, cases=cases, domains=("hand",), progress=False) == path
    assert modified(tmp_path) == before
    make_phantom(tmp_path, cases=cases, domains=("hand",), seed=1, progress=False)
    assert modified(tmp_path) != before
    (tmp_path / "hand" / "0001.png").unlink()
    make_phantom(tmp_path, cases=cases, domains=("hand",), seed=1, progress=False)
    assert (tmp_path / "hand" / "0001.png").is_file()
    assert not list(tmp_path.glob("*.part"))
    assert Datalist.load(path).origin == {
        "generator": "phantom",
        "version": 3,
        "seed": 1,
        "domains": ["hand"],
        "cases": cases,
    }


def test_the_datalist_of_another_dataset_is_left_alone(tmp_path):
    mine = tmp_path / "datalist.json"
    valid = json.dumps({"domains": {"a": {"landmarks": ["b"], "size": [8, 8]}}})
    for text in ('{"name": "mine"}', "no JSON", valid):
        mine.write_text(text)
        with pytest.raises(FileExistsError, match="must not hold another dataset"):
            make_phantom(tmp_path, cases={"test": 1}, progress=False)
        assert mine.read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"domains": ("foot",)},
            r"domains must be some of head, hand, chest, spine, head_ct, each once; got \['foot'\]",
        ),
        ({"domains": ("hand", "hand")}, "each once"),
        ({"cases": {"train": 3}}, r"counts of at least 0 for training, validation, test; got \{'train': 3\}"),
        ({"cases": {"test": -1}}, "counts of at least 0"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make_phantom(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
