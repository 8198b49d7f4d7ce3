# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import (
    CenterSpatialCropd,
    Flipd,
    RandAffined,
    RandFlipd,
    Resized,
    Rotate90d,
    Rotated,
    Spacingd,
    SpatialPadd,
    Zoomd,
)
from scipy.ndimage import center_of_mass, map_coordinates

from monai_gu2net.data import Domain, ReferenceLength
from monai_gu2net.transforms import (
    FitToDomaind,
    LandmarksToPointsd,
    PhysicalSpaced,
    RandElasticLandmarksd,
    RandMirrorLandmarksd,
)

TOLERANCE_PX = 0.05
NAN = float("nan")
COUNT = 40
NAMES = tuple(f"p{n}" for n in range(COUNT))
PAIRS = (("p0", "p1"), ("p2", "p9"))

Step = Callable[[dict[str, Any]], dict[str, Any]]


def domain_of(size: tuple[int, ...], *, in_channels: int, names: tuple[str, ...] = NAMES) -> dict[str, Domain]:
    mirror = PAIRS if names == NAMES else ()
    return {"d": Domain("d", names, size, mirror=mirror, in_channels=in_channels)}


def seeded(transform: Any, seed: int) -> Any:
    return transform.set_random_state(seed)


def ramps(size: tuple[int, ...]) -> torch.Tensor:
    """(D + 1, *size): each pixel's own coordinates, and a last channel of ones."""
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    return torch.stack([*axes, torch.ones(size)])


def mark_border(image: torch.Tensor, width: int = 2) -> None:
    """Zeros in the last channel where a transform's treatment of the border may show."""
    inner = torch.zeros_like(image[-1], dtype=torch.bool)
    inner[tuple(slice(width, n - width) for n in image.shape[1:])] = True
    image[-1][~inner.as_subclass(torch.Tensor)] = 0


def fitted(size: tuple[int, int], numerator: int) -> tuple[int, int]:
    """A domain's size that the image grows to, or shrinks to by a whole number.

    For other factors test_a_blob_stays_in_its_place_when_the_image_shrinks holds.
    """
    if numerator >= 2:
        return size[0] * numerator // 2 + 5, size[1] * numerator // 2
    return size[0] // 2, size[1] // 2


SIZE = (96, 80)
seeds = st.integers(0, 10_000)
# Interpolation is linear and what lies outside is 0, so that each keeps a ramp a ramp.
LINEAR = {"mode": "bilinear", "padding_mode": "zeros"}
steps = st.one_of(
    st.tuples(st.floats(0.8, 1.3), st.floats(-0.4, 0.4), st.floats(-9, 9), st.floats(-0.1, 0.1), seeds).map(
        lambda d: seeded(
            RandAffined(
                "image",
                prob=1.0,
                rotate_range=d[1],
                translate_range=(d[2], -d[2] / 2),
                scale_range=(d[0] - 1, 1 - d[0]),
                shear_range=(d[3], -d[3]),
                **LINEAR,
            ),
            d[4],
        )
    ),
    st.integers(1, 3).map(lambda k: Rotate90d("image", k=k)),
    st.sampled_from([0, 1, (0, 1)]).map(lambda axis: Flipd("image", spatial_axis=axis)),
    st.tuples(st.integers(0, 1), seeds).map(lambda d: seeded(RandFlipd("image", prob=0.5, spatial_axis=d[0]), d[1])),
    st.tuples(st.integers(50, 90), st.integers(50, 90)).map(lambda size: CenterSpatialCropd("image", size)),
    st.tuples(st.integers(90, 131), st.integers(90, 131)).map(lambda size: SpatialPadd("image", size)),
    st.tuples(st.floats(-1, 1), st.booleans()).map(lambda d: Rotated("image", angle=d[0], keep_size=d[1], **LINEAR)),
    st.tuples(st.floats(0.7, 1.5), st.booleans()).map(
        lambda d: Zoomd("image", zoom=d[0], keep_size=d[1], mode="bilinear", padding_mode="constant")
    ),
    st.tuples(st.floats(0.25, 0.6), st.floats(0.25, 0.6)).map(
        lambda pixdim: Spacingd("image", pixdim=pixdim, **LINEAR)
    ),
    st.tuples(st.integers(60, 150), st.integers(60, 150)).map(lambda size: Resized("image", size, mode="bilinear")),
    st.just(RandMirrorLandmarksd(domains=domain_of(SIZE, in_channels=3), prob=1.0)),
    st.tuples(st.floats(0, 2.5), seeds).map(
        lambda d: seeded(RandElasticLandmarksd(prob=1.0, spacing=40, magnitude=(d[0], d[0])), d[1])
    ),
    st.just(None),  # FitToDomaind, whose size depends on the image's
)


@settings(max_examples=25)
@given(
    steps=st.lists(steps, max_size=5),
    numerator=st.integers(1, 3),
    spacing=st.tuples(st.floats(0.2, 0.5), st.floats(0.3, 0.7)),
    seed=seeds,
)
def test_a_landmark_lies_on_its_pixel_after_any_spatial_transforms(
    steps: list[Step | None], numerator: int, spacing: tuple[float, float], seed: int
) -> None:
    """The image holds its own coordinates, so what it shows at a landmark's point must be where that came from."""
    start = np.random.default_rng(seed).uniform(4, np.array(SIZE) - 5, (COUNT, 2))
    image = MetaTensor(ramps(SIZE), affine=torch.eye(4))
    sample: dict[str, Any] = {"image": image, "landmarks": start.tolist(), "spacing": spacing, "domain": "d"}
    domains = domain_of(SIZE, in_channels=3)
    sample = PhysicalSpaced(domains=domains)(sample)
    mark_border(sample["image"])
    expected = start
    for step in steps:
        if step is None:
            domains = domain_of(fitted(tuple(sample["image"].shape[1:]), numerator), in_channels=3)
            if numerator == 1:  # so that it shrinks by two
                even = [n // 2 * 2 for n in sample["image"].shape[1:]]
                sample = CenterSpatialCropd("image", even)(sample)
            step = FitToDomaind(domains=domains)
        sample = step(sample)
        mark_border(sample["image"])
        if isinstance(step, RandMirrorLandmarksd):
            expected = expected[[1, 0, 9, *range(3, 9), 2, *range(10, COUNT)]]
    points = LandmarksToPointsd()(sample)["points"].double().numpy()

    image = sample["image"].numpy()
    at = np.nan_to_num(points, nan=-9).T
    shown = np.stack([map_coordinates(channel, at, order=1) for channel in image], axis=-1)
    seen = shown[:, 2] > 1 - 1e-4
    assume(seen.any())
    file_per_pixel = np.diag(1 / np.array(spacing)) @ sample["image"].affine.numpy()[:2, :2]
    finest = np.linalg.svd(file_per_pixel, compute_uv=False).min()
    errors_px = np.linalg.norm(shown[seen, :2] - expected[seen], axis=-1) / finest
    assert errors_px.max() <= TOLERANCE_PX


def blob(size: tuple[int, int], centre: np.ndarray, sigma: float) -> MetaTensor:
    x, y = np.meshgrid(*(np.arange(n) for n in size), indexing="ij")
    values = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * sigma**2))
    return MetaTensor(torch.as_tensor(values[None], dtype=torch.float32), affine=torch.eye(4))


@settings(max_examples=20)
@given(
    offset=st.tuples(st.floats(-8, 8), st.floats(-8, 8)),
    angle=st.floats(-3, 3),
    zoom=st.floats(0.8, 1.6),
    axis=st.integers(0, 1),
    spacing=st.tuples(st.floats(0.2, 0.5), st.floats(0.3, 0.7)),
    seed=seeds,
)
def test_the_centre_of_mass_of_a_blob_is_where_its_landmark_goes(
    offset: tuple[float, float], angle: float, zoom: float, axis: int, spacing: tuple[float, float], seed: int
) -> None:
    size = (128, 96)
    centre = np.array(size) / 2 + offset
    domains = domain_of((200, 180), in_channels=1, names=("p",))
    sample: dict[str, Any] = {
        "image": blob(size, centre, sigma=3.5),
        "landmarks": [centre.tolist()],
        "spacing": spacing,
        "domain": "d",
    }
    for step in (
        PhysicalSpaced(domains=domains),
        Flipd("image", spatial_axis=axis),
        FitToDomaind(domains=domains),
        seeded(
            RandAffined("image", prob=1.0, rotate_range=0.5, scale_range=0.2, translate_range=10, **LINEAR),
            seed,
        ),
        Rotated("image", angle=angle, keep_size=False, **LINEAR),
        Zoomd("image", zoom=zoom, keep_size=False, mode="bilinear"),
        LandmarksToPointsd(),
    ):
        sample = step(sample)
    found = center_of_mass(sample["image"][0].numpy())
    np.testing.assert_allclose(sample["points"][0], found, atol=TOLERANCE_PX)


@settings(max_examples=10)
@given(st.integers(125, 420), st.integers(125, 420), st.tuples(st.floats(-12, 12), st.floats(-12, 12)))
def test_a_blob_stays_in_its_place_when_the_image_shrinks(width: int, height: int, offset: tuple[float, float]) -> None:
    """By any factor, which is no whole number as a rule."""
    centre = np.array([width, height]) / 2 + offset
    domains = domain_of((120, 120), in_channels=1, names=("p",))
    sample: dict[str, Any] = {
        "image": blob((width, height), centre, sigma=6),
        "landmarks": [centre.tolist()],
        "domain": "d",
    }
    for step in (PhysicalSpaced(domains=domains), FitToDomaind(domains=domains), LandmarksToPointsd()):
        sample = step(sample)
    found = center_of_mass(sample["image"][0].numpy())
    np.testing.assert_allclose(sample["points"][0], found, atol=TOLERANCE_PX)


def test_landmarks_of_a_volume_lie_on_their_voxels_after_spatial_transforms(rng: np.random.Generator) -> None:
    size, spacing = (30, 26, 22), (0.5, 0.8, 1.5)
    start = rng.uniform(5, np.array(size) - 6, (COUNT, 3))
    start[7] = NAN
    domains = domain_of((44, 40, 36), in_channels=4)
    sample: dict[str, Any] = {
        "image": MetaTensor(ramps(size), affine=torch.eye(4)),
        "landmarks": [None if np.isnan(p).any() else p.tolist() for p in start],
        "spacing": spacing,
        "domain": "d",
    }
    for step in (
        PhysicalSpaced(domains=domains),
        FitToDomaind(domains=domains),
        Flipd("image", spatial_axis=2),
        seeded(RandAffined("image", prob=1.0, rotate_range=[0.2] * 3, scale_range=[0.1] * 3, **LINEAR), seed=1),
        seeded(RandElasticLandmarksd(prob=1.0, spacing=22, magnitude=(0.8, 0.8)), seed=2),
    ):
        sample = step(sample)
        mark_border(sample["image"])
    points = LandmarksToPointsd()(sample)["points"].double().numpy()
    at = np.nan_to_num(points, nan=-9).T
    shown = np.stack([map_coordinates(channel, at, order=1) for channel in sample["image"].numpy()], axis=-1)
    seen = shown[:, 3] > 1 - 1e-4
    assert seen.sum() >= 10
    assert not seen[7]
    assert np.isnan(points[7]).all()
    np.testing.assert_allclose(shown[seen, :3], start[seen], atol=TOLERANCE_PX)


# PhysicalSpaced


def spaced(domain: Domain, **case: Any) -> dict[str, Any]:
    image = MetaTensor(torch.zeros(1, 6, 5), affine=case.pop("affine", torch.eye(4)))
    return PhysicalSpaced(domains={domain.name: domain})({"image": image, "domain": domain.name} | case)


AB = Domain("d", ("a", "b"), (6, 5))
AB_KNOWN = Domain("d", ("a", "b"), (6, 5), spacing=(0.5, 2.0))
AB_REFERENCE = Domain("d", ("a", "b"), (6, 5), reference=ReferenceLength("a", "b", 20.0))


@pytest.mark.parametrize(
    ("domain", "case", "source", "spacing"),
    [
        (AB_KNOWN, {"spacing": [3, 4]}, "case", (3, 4)),
        (AB_KNOWN, {}, "domain", (0.5, 2)),
        (AB_REFERENCE, {"landmarks": [[1, 0], [4, 4]]}, "reference-length", (4, 4)),  # 3-4-5 triangle
        (AB_REFERENCE, {"landmarks": [[1, 0], [4, 4]], "spacing": [3, 4]}, "case", (3, 4)),
        (AB_REFERENCE, {"landmarks": [[1, 0], None]}, "none", (1, 1)),
        (AB_REFERENCE, {"landmarks": [[1, 1], [1, 1]]}, "none", (1, 1)),
        (AB_REFERENCE, {}, "none", (1, 1)),
        (AB, {"landmarks": [[1, 0], [4, 4]]}, "none", (1, 1)),
        (AB, {"affine": torch.diag(torch.tensor([0.2, 0.3, 1.0, 1.0]))}, "file", (0.2, 0.3)),
        (AB_KNOWN, {"affine": torch.diag(torch.tensor([0.2, 0.3, 1.0, 1.0]))}, "domain", (0.5, 2)),
        (AB, {"affine": torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))}, "none", (1, 1)),
    ],
)
def test_spacing_comes_from_the_case_its_domain_a_reference_length_or_the_file(
    domain: Domain, case: dict[str, Any], source: str, spacing: tuple[float, float]
) -> None:
    sample = spaced(domain, **case)
    expected = np.diag([*spacing, 1, 1])
    np.testing.assert_allclose(sample["image"].affine, expected, rtol=1e-6)
    np.testing.assert_allclose(sample["file_affine"], expected, rtol=1e-6)
    assert sample["spacing_source"] == source
    assert sample["unit"] == ("px" if source == "none" else "mm")
    assert "spacing" not in sample
    for point, landmark in zip(case.get("landmarks", []), sample.get("landmarks", []), strict=True):
        expected_mm = [NAN, NAN] if point is None else np.array(point) * spacing
        np.testing.assert_allclose(landmark, expected_mm)


def test_an_oblique_affine_of_the_file_moves_the_landmarks() -> None:
    affine = torch.tensor([[0.0, -2, 0, 10], [3, 0, 0, 20], [0, 0, 1, 0], [0, 0, 0, 1]])
    sample = spaced(AB, affine=affine, landmarks=[[1, 2], [0, 0]])
    assert sample["landmarks"].tolist() == [[6, 23], [10, 20]]


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ([-0.5, -0.5], True),
        ([5.5, 4.5], True),
        ([-0.51, 2], False),
        ([5.51, 2], False),
        ([2, 4.51], False),
        ([2, -0.51], False),
    ],
)
def test_a_landmark_outside_the_frame_is_absent(point: list[float], inside: bool) -> None:
    sample = spaced(AB_KNOWN, landmarks=[point, [1, 1]])
    expected = [point[0] * 0.5, point[1] * 2] if inside else [NAN, NAN]
    np.testing.assert_allclose(sample["landmarks"], [expected, [0.5, 2]])


def test_a_landmark_cropped_away_has_no_point() -> None:
    sample = spaced(AB_KNOWN, landmarks=[[0, 0], [2.5, 2]])
    sample = LandmarksToPointsd()(CenterSpatialCropd("image", (2, 3))(sample))
    np.testing.assert_allclose(sample["points"], [[NAN, NAN], [0.5, 1]])
    assert sample["points"].dtype == torch.float32


def test_a_sample_without_landmarks_passes() -> None:
    sample = LandmarksToPointsd(allow_missing_keys=True)(spaced(AB_KNOWN))
    assert not {"landmarks", "points"} & sample.keys()


@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 6, 5, 4), (6, 5)])
def test_an_image_unlike_its_domain_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Case '7': the image must have 1 channel\(s\) and 2 spatial axes"):
        PhysicalSpaced(domains={"d": AB})({"image": torch.zeros(shape), "domain": "d", "case": "7"})


def test_an_unknown_domain_is_refused() -> None:
    with pytest.raises(ValueError, match=r"domain must be among \['d'\]; got 'knee'"):
        PhysicalSpaced(domains={"d": AB})({"image": torch.zeros(1, 6, 5), "domain": "knee"})


# FitToDomaind


@pytest.mark.parametrize(("size", "scale"), [((10, 20), 2.0), ((80, 40), 0.5), ((20, 40), 1.0)])
def test_an_image_keeps_its_aspect_and_the_rest_is_zero(size: tuple[int, int], scale: float) -> None:
    target = (40, 40)
    image = MetaTensor(torch.ones(1, *size), affine=torch.diag(torch.tensor([0.5, 0.25, 1, 1])))
    fitted = FitToDomaind(domains=domain_of(target, in_channels=1))({"image": image, "domain": "d"})["image"]
    assert fitted.shape[1:] == target
    inner = [round(n * scale) for n in size]
    before = [(t - n) // 2 for t, n in zip(target, inner, strict=True)]
    expected = np.zeros(target)
    expected[before[0] : before[0] + inner[0], before[1] : before[1] + inner[1]] = 1
    # The smoothing before an image shrinks takes in the zeros beyond it, which the outermost pixels show.
    inside = tuple(slice(b + 1, b + n - 1) for b, n in zip(before, inner, strict=True))
    np.testing.assert_allclose(fitted[0][inside], expected[inside], rtol=1e-5)
    np.testing.assert_array_equal(fitted[0] > 0, expected > 0)
    # The outer corner of the first pixel keeps its place: -0.5 of the file is before - 0.5 now.
    corner = fitted.affine.numpy() @ [before[0] - 0.5, before[1] - 0.5, 0, 1]
    np.testing.assert_allclose(corner[:2], [-0.25, -0.125], atol=1e-6)
    np.testing.assert_allclose(np.diag(fitted.affine)[:2], [0.5 / scale, 0.25 / scale], rtol=1e-6)


def test_stripes_finer_than_the_new_pixels_become_their_mean_and_no_moire() -> None:
    image = (torch.arange(64) % 2).float().repeat(64, 1)[None]
    plain = torch.nn.functional.interpolate(image[None], (20, 20), mode="bilinear")[0, 0]
    fitted = FitToDomaind(domains=domain_of((20, 20), in_channels=1))({"image": image, "domain": "d"})["image"][0]
    inner = (slice(3, -3), slice(3, -3))
    assert plain[inner].std() > 0.1
    np.testing.assert_allclose(fitted[inner], 0.5, atol=0.02)


@pytest.mark.parametrize("size", [(20, 30), (224, 224), (37, 91), (200, 101)])
@pytest.mark.parametrize("target", [(512, 512), (416, 512), (17, 19)])
def test_landmarks_on_the_edges_of_their_image_are_not_lost(size: tuple[int, int], target: tuple[int, int]) -> None:
    """They were, to the rounding of the affines, for one in three of such corners."""
    corners = [[-0.5, -0.5], [size[0] - 0.5, size[1] - 0.5], [-0.5, size[1] - 0.5], [size[0] - 0.5, -0.5]]
    domains = {"d": Domain("d", ("a", "b", "c", "e"), target)}
    for spacing in (None, (0.3120967741935484, 0.3125), (0.143, 0.7)):
        sample: dict[str, Any] = {"image": MetaTensor(torch.zeros(1, *size)), "domain": "d", "landmarks": corners}
        sample = PhysicalSpaced("image", domains=domains)({**sample, "spacing": spacing})
        sample = LandmarksToPointsd()(FitToDomaind("image", domains=domains)(sample))
        assert not torch.isnan(sample["points"]).any()
        across = (sample["points"][1] - sample["points"][0]) / torch.tensor(target)
        assert across.max().item() == pytest.approx(1.0, abs=1e-5)  # one side fills the input


def test_a_sample_without_landmarks_is_refused_by_its_name() -> None:
    sample = {"image": MetaTensor(torch.zeros(1, 4, 4)), "domain": "d", "case": "seven"}
    with pytest.raises(ValueError, match=r"Case 'seven' of domain 'd' must have 'landmarks'; got none\. Annotate it"):
        LandmarksToPointsd()(sample)
    assert "points" not in LandmarksToPointsd(allow_missing_keys=True)(sample)
