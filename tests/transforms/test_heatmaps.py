# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd, GenerateHeatmap, Rotated, Spacingd
from scipy.stats import norm

from monai_gu2net.transforms.heatmaps import decode_heatmaps, gaussian_heatmaps
from monai_gu2net.transforms.heatmaps_dict import HeatmapsToLandmarksd, LandmarksToHeatmapsd

NAN = float("nan")
TOLERANCE_PX = 0.05


def logits_of(points: torch.Tensor, size: tuple[int, ...], sigma: float = 2.0) -> torch.Tensor:
    """Logits whose sigmoid is the heatmap, finite like a network's."""
    heatmaps = gaussian_heatmaps(points.double(), size, sigma=sigma)
    return torch.logit(heatmaps.clamp(1e-30, 1 - 1e-6)).float()


@st.composite
def points_in_images(draw: st.DrawFn) -> tuple[torch.Tensor, tuple[int, ...], float]:
    """A point anywhere on the area of an image, its outermost half pixels and corners included."""
    size = tuple(draw(st.lists(st.integers(3, 24), min_size=2, max_size=3)))
    point = [draw(st.floats(-0.5, length - 0.5)) for length in size]
    return torch.tensor([[point]], dtype=torch.float64), size, draw(st.floats(0.7, 6.0))


@given(points_in_images())
def test_decoding_an_encoded_point_returns_it(case: tuple[torch.Tensor, tuple[int, ...], float]) -> None:
    point, size, sigma = case
    decoded, _ = decode_heatmaps(logits_of(point, size, sigma))
    assert (decoded - point).abs().max() <= TOLERANCE_PX


@given(points_in_images())
def test_probabilities_decode_like_their_logits(case: tuple[torch.Tensor, tuple[int, ...], float]) -> None:
    point, size, sigma = case
    decoded, _ = decode_heatmaps(gaussian_heatmaps(point, size, sigma=sigma), sigmoid=False)
    assert (decoded - point).abs().max() <= TOLERANCE_PX


@pytest.mark.parametrize("corner", [(-0.5, -0.5), (-0.5, 8.5), (6.5, -0.5), (6.5, 8.5)])
def test_a_point_in_the_corner_of_the_image_decodes_exactly(corner: tuple[float, float]) -> None:
    decoded, _ = decode_heatmaps(logits_of(torch.tensor([[corner]]), (7, 9)))
    np.testing.assert_allclose(decoded[0, 0], corner, atol=1e-3)


def test_a_heatmap_is_a_gaussian_of_height_one() -> None:
    heatmap = gaussian_heatmaps(torch.tensor([[1.0, 2.0]]), (4, 5), sigma=2.0)[0]
    assert heatmap[1, 2] == 1
    assert heatmap[3, 2].item() == pytest.approx(exp(-0.5))
    assert heatmap[2, 4].item() == pytest.approx(exp(-(1 + 4) / 8))


def test_a_heatmap_is_the_product_of_scipy_densities() -> None:
    point, size, sigma = (3.3, 1.7, 4.1), (7, 5, 8), 1.5
    profiles = [norm.pdf(np.arange(n), c, sigma) * sigma * np.sqrt(2 * np.pi) for n, c in zip(size, point, strict=True)]
    expected = np.einsum("i,j,k->ijk", *profiles)
    np.testing.assert_allclose(gaussian_heatmaps(torch.tensor([point]), size, sigma=sigma)[0], expected, atol=1e-6)


@pytest.mark.parametrize(("point", "size"), [((20, 25), (48, 52)), ((12, 9, 14), (24, 22, 26))])
def test_heatmaps_agree_with_monai_at_whole_pixels(point: tuple[int, ...], size: tuple[int, ...]) -> None:
    points = torch.tensor([point], dtype=torch.float32)
    theirs = GenerateHeatmap(sigma=3.0, spatial_shape=size)(points)
    # MONAI integrates the Gaussian over each pixel and cuts it off at 4 sigma.
    np.testing.assert_allclose(gaussian_heatmaps(points, size, sigma=3.0), theirs, atol=0.01)


@pytest.mark.parametrize("absent", [(NAN, NAN), (NAN, 2.0), (float("inf"), 2.0)])
def test_an_absent_landmark_has_an_empty_heatmap(absent: tuple[float, float]) -> None:
    heatmaps = gaussian_heatmaps(torch.tensor([absent, (1.0, 1.0)]), (4, 4), sigma=1.0)
    assert heatmaps[0].count_nonzero() == 0
    assert heatmaps[1, 1, 1] == 1


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.float64, torch.float64),
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.int64, torch.float32),
    ],
)
def test_heatmaps_have_at_least_single_precision(dtype: torch.dtype, expected: torch.dtype) -> None:
    heatmaps = gaussian_heatmaps(torch.ones(2, 3, 2, dtype=dtype), (4, 5), sigma=1.0)
    assert heatmaps.dtype is expected
    assert heatmaps.shape == (2, 3, 4, 5)


def test_autocast_does_not_round_heatmaps() -> None:
    points = torch.tensor([[1.3, 2.6]])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = gaussian_heatmaps(points, (6, 7), sigma=1.5)
    assert torch.equal(inside, gaussian_heatmaps(points, (6, 7), sigma=1.5))


def test_points_of_another_dimension_than_the_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one coordinate for each axis of \(4, 5, 6\); got shape \(1, 2\)"):
        gaussian_heatmaps(torch.zeros(1, 2), (4, 5, 6), sigma=1.0)


@pytest.mark.parametrize("sigma", [0.0, -1.0, NAN])
def test_a_gaussian_without_width_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must be positive"):
        gaussian_heatmaps(torch.zeros(1, 2), (4, 5), sigma=sigma)


def test_confidence_is_the_probability_at_the_maximum() -> None:
    logits = torch.full((1, 1, 4, 5), -8.0)
    logits[0, 0, 2, 3] = log(3)
    points, confidence = decode_heatmaps(logits, refine="none")
    assert points.tolist() == [[[2.0, 3.0]]]
    assert confidence.item() == pytest.approx(0.75)


def test_a_parabola_worked_out_by_hand() -> None:
    """Log heatmap -1, 0, -9 at the maximum: (before - after) / 2(before - 2 at + after) = 8 / -20 from it."""
    values = torch.tensor([-9.0, -1.0, 0.0, -9.0]).exp()
    heatmap = torch.outer(values, torch.tensor([0.1, 1.0, 0.1]))
    points, _ = decode_heatmaps(heatmap[None, None], sigmoid=False)
    np.testing.assert_allclose(points[0, 0], [2 - 0.4, 1], atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(5, 6), (3, 3), (2, 7), (1, 4), (4, 3, 5)]))
def test_noise_moves_a_point_by_at_most_a_pixel_from_the_maximum(seed: int, size: tuple[int, ...]) -> None:
    logits = 20 * torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))
    refined, confidence = decode_heatmaps(logits)
    whole, same = decode_heatmaps(logits, refine="none")
    assert (refined - whole).abs().max() <= 1
    assert torch.equal(confidence, same)
    expected = np.array([np.unravel_index(m.argmax(), size) for m in logits.flatten(0, 1).numpy()])
    np.testing.assert_array_equal(whole.flatten(0, 1), expected)


@pytest.mark.parametrize("size", [(1, 9), (2, 9), (9, 1), (9, 2), (2, 2, 9)])
def test_an_axis_of_less_than_three_pixels_keeps_whole_pixels(size: tuple[int, ...]) -> None:
    point = torch.tensor([[[0.2 if length < 3 else 4.3 for length in size]]])
    decoded, _ = decode_heatmaps(logits_of(point, size))
    expected = [0.0 if length < 3 else 4.3 for length in size]
    np.testing.assert_allclose(decoded[0, 0], expected, atol=1e-3)


def test_an_image_of_one_pixel_decodes_to_it() -> None:
    points, confidence = decode_heatmaps(torch.zeros(1, 1, 1, 1))
    assert points.tolist() == [[[0.0, 0.0]]]
    assert confidence.item() == 0.5


@pytest.mark.parametrize(
    ("value", "confidence"), [(-torch.inf, 0.0), (0.0, 0.5), (torch.inf, 1.0)], ids=["empty", "flat", "full"]
)
def test_a_constant_map_has_no_landmark(value: float, confidence: float) -> None:
    points, found = decode_heatmaps(torch.full((1, 1, 4, 5), value))
    assert points.isnan().all()
    assert found.item() == confidence


def test_a_map_with_nan_has_no_landmark_and_no_confidence() -> None:
    logits = logits_of(torch.tensor([[[1.0, 1.0], [2.0, 3.0]]]), (5, 5))
    logits[0, 0, 4, 4] = NAN
    points, confidence = decode_heatmaps(logits)
    assert points[0, 0].isnan().all()
    assert confidence[0, 0].isnan()
    np.testing.assert_allclose(points[0, 1], [2, 3], atol=1e-3)


def test_a_single_finite_pixel_is_its_own_landmark() -> None:
    logits = torch.full((1, 1, 5, 6), -torch.inf)
    logits[0, 0, 0, 4] = 2.0
    points, _ = decode_heatmaps(logits)
    assert points.tolist() == [[[0.0, 4.0]]]


def test_a_landmark_below_the_confidence_asked_for_is_absent() -> None:
    heatmaps = gaussian_heatmaps(torch.tensor([[[2.0, 2.0], [1.0, 3.0]]]), (5, 5), sigma=1.0)
    heatmaps[0, 0] *= 0.4
    points, confidence = decode_heatmaps(heatmaps, sigmoid=False, min_confidence=0.5)
    assert points[0, 0].isnan().all()
    np.testing.assert_allclose(points[0, 1], [1, 3], atol=1e-3)
    np.testing.assert_allclose(confidence[0], [0.4, 1.0], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_decoding_answers_in_single_precision(dtype: torch.dtype) -> None:
    points, confidence = decode_heatmaps(logits_of(torch.tensor([[[3.0, 2.0]]]), (7, 6)).to(dtype))
    assert points.dtype is confidence.dtype is torch.float32


def test_decoding_a_half_precision_map_is_decoding_its_values_in_single_precision() -> None:
    logits = logits_of(torch.tensor([[[310.4, 405.7]]]), (416, 512), sigma=3.0).bfloat16()
    assert torch.equal(decode_heatmaps(logits)[0], decode_heatmaps(logits.float())[0])


@pytest.mark.parametrize("shape", [(1, 4, 5), (1, 2, 3, 4, 5, 6), (1, 2, 0, 5)])
def test_heatmaps_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Add a batch dimension"):
        decode_heatmaps(torch.zeros(shape))


def test_an_unknown_refinement_is_refused() -> None:
    with pytest.raises(ValueError, match="refine must be 'quadratic' or 'none'; got 'cubic'"):
        decode_heatmaps(torch.zeros(1, 1, 3, 3), refine="cubic")  # type: ignore[arg-type]


def test_decoding_a_metatensor_gives_plain_tensors() -> None:
    points, confidence = decode_heatmaps(MetaTensor(logits_of(torch.tensor([[[3.0, 2.0]]]), (7, 6))))
    assert type(points) is type(confidence) is torch.Tensor


def test_decoding_can_be_exported_with_a_network() -> None:
    class Decode(torch.nn.Module):
        def forward(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return decode_heatmaps(logits)

    exported = torch.export.export(Decode(), (torch.randn(1, 3, 7, 6),)).module()
    logits = torch.randn(1, 3, 7, 6)
    assert torch.equal(exported(logits)[0], decode_heatmaps(logits)[0])


def sample_of(points: torch.Tensor, size: tuple[int, ...], affine: np.ndarray) -> dict[str, object]:
    return {
        "image": MetaTensor(torch.zeros(1, *size), affine=affine),
        "pred": logits_of(points[None], size)[0],
    }


OBLIQUE = np.array([[0.4, -0.15, 0.0, 12.0], [0.2, 0.3, 0.0, -7.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("affine", "world"),
    [
        (np.eye(4), (5.25, 8.5)),
        (np.diag([0.5, 0.1, 1.0, 1.0]), (2.625, 0.85)),
        (np.diag([0.5, 0.1, 1.0]), (2.625, 0.85)),
        (OBLIQUE, (0.4 * 5.25 - 0.15 * 8.5 + 12, 0.2 * 5.25 + 0.3 * 8.5 - 7)),
    ],
    ids=["identity", "anisotropic", "3x3", "oblique"],
)
def test_landmarks_land_in_the_world_of_the_image(affine: np.ndarray, world: tuple[float, float]) -> None:
    found = HeatmapsToLandmarksd(keys="pred")(sample_of(torch.tensor([[5.25, 8.5]]), (12, 14), affine))
    np.testing.assert_allclose(found["pred_points"], [[5.25, 8.5]], atol=1e-3)
    np.testing.assert_allclose(found["pred_landmarks"], [world], atol=1e-3)
    np.testing.assert_allclose(found["pred_confidence"], [exp(-(0.25**2 + 0.5**2) / 8)], atol=1e-5)


def test_landmarks_of_a_volume_use_its_whole_affine() -> None:
    affine = np.array([[0, 0.5, 0, 1], [2, 0, 0, 2], [0, 0, -3, 3], [0, 0, 0, 1]])
    found = HeatmapsToLandmarksd(keys="pred")(sample_of(torch.tensor([[4.0, 5.5, 6.0]]), (9, 10, 11), affine))
    np.testing.assert_allclose(found["pred_landmarks"], [[0.5 * 5.5 + 1, 2 * 4 + 2, -3 * 6 + 3]], atol=0.01)


@pytest.mark.parametrize("lazy", [False, True])
def test_landmarks_follow_an_image_through_spatial_transforms(lazy: bool) -> None:
    """A spot painted into the image is found at its place in the world, wherever its pixels moved."""
    spot = torch.tensor([[40.0, 52.0]])
    image = gaussian_heatmaps(spot, (96, 112), sigma=4.0)
    pipeline = Compose(
        [
            Flipd("image", spatial_axis=0),
            Rotated("image", angle=0.2, keep_size=True),
            Spacingd("image", pixdim=(0.4, 0.8)),
        ],
        lazy=lazy,
    )
    moved = pipeline({"image": MetaTensor(image, affine=np.diag([0.5, 0.5, 1.0, 1.0]))})
    moved["pred"] = moved["image"].clamp(min=1e-6)
    found = Compose([HeatmapsToLandmarksd(keys="pred", sigmoid=False)])(moved)
    # Linear interpolation bends the parabola by up to an eighth of a pixel.
    np.testing.assert_allclose(found["pred_landmarks"], spot.numpy() * 0.5, atol=0.05)


def test_the_affine_of_transforms_still_pending_is_counted() -> None:
    sample = sample_of(torch.tensor([[5.0, 8.0]]), (12, 14), np.eye(4))
    flipped = Flipd("image", spatial_axis=0, lazy=True)(sample)
    found = HeatmapsToLandmarksd(keys="pred")(flipped)
    np.testing.assert_allclose(found["pred_landmarks"], [[11 - 5.0, 8.0]], atol=1e-3)


def test_dictionary_transforms_invert_each_other_and_keep_absent_landmarks_absent() -> None:
    points = torch.tensor([[2.25, 3.75], [NAN, NAN]])
    image = MetaTensor(torch.zeros(1, 9, 8), affine=np.diag([0.2, 0.3, 1.0, 1.0]))
    sample = LandmarksToHeatmapsd(sigma=1.5, heatmap_keys="pred")({"points": points, "image": image})
    found = HeatmapsToLandmarksd(sigmoid=False)(sample)
    np.testing.assert_allclose(found["pred_points"], points, atol=1e-3)
    np.testing.assert_allclose(found["pred_landmarks"], points * torch.tensor([0.2, 0.3]), atol=1e-3)


def test_heatmaps_take_the_size_asked_for_or_that_of_the_image() -> None:
    sample = {"points": np.array([[1.0, 2.0]]), "image": torch.zeros(3, 6, 7)}
    by_image = LandmarksToHeatmapsd(keys="points")(sample)["heatmaps"]
    by_size = LandmarksToHeatmapsd(keys="points", spatial_size=(4, 5))({"points": sample["points"]})["heatmaps"]
    assert by_image.shape == (1, 6, 7)
    assert by_size.shape == (1, 4, 5)
    assert by_image.dtype is by_size.dtype is torch.float32
    assert "heatmaps" not in sample


def test_a_metatensor_of_points_gives_a_plain_heatmap() -> None:
    points = MetaTensor(torch.tensor([[1.0, 2.0]]))
    heatmaps = LandmarksToHeatmapsd(keys="points", spatial_size=(4, 5))({"points": points})["heatmaps"]
    assert type(heatmaps) is torch.Tensor


def test_each_key_gets_heatmaps_of_its_own() -> None:
    transform = LandmarksToHeatmapsd(keys=["first", "second"], heatmap_keys=["a", "b"], spatial_size=(4, 5))
    sample = transform({"first": torch.tensor([[0.0, 0.0]]), "second": torch.tensor([[3.0, 4.0]])})
    assert sample["a"][0, 0, 0] == sample["b"][0, 3, 4] == 1


@pytest.mark.parametrize("transform", [LandmarksToHeatmapsd, HeatmapsToLandmarksd])
def test_missing_keys_pass_only_where_allowed(transform: type) -> None:
    assert transform(allow_missing_keys=True)({"other": 1}) == {"other": 1}
    with pytest.raises(KeyError, match="was missing in the data"):
        transform()({"other": 1})


def test_an_image_without_affine_is_refused() -> None:
    with pytest.raises(TypeError, match="'image' must be a MetaTensor"):
        HeatmapsToLandmarksd()({"pred": torch.rand(1, 4, 4), "image": torch.zeros(1, 4, 4)})
