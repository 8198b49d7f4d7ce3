# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One predictor: an image in, what was found out, in the frames that the file has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from monai_gu2net.data import Domain, ReferenceLength
from monai_gu2net.inferers import LandmarkInferer, TTAInferer
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.networks import GU2Net, ModelCard, load_ensemble, save_model
from monai_gu2net.networks.nets import SpecializedNetwork
from monai_gu2net.prediction import Predictor, load

DOMAINS = {
    "knee": Domain("knee", ("a", "b", "c"), (32, 32)),
    "hand": Domain("hand", ("p", "q"), (32, 48), reference=ReferenceLength("p", "q", 50.0)),
}


def untrained(path: Path, seed: int = 0, domains: dict[str, Domain] | None = None) -> Path:
    """A network whose batch norms have seen something."""
    torch.manual_seed(seed)
    known = DOMAINS if domains is None else domains
    dims = len(next(iter(known.values())).size)
    counts = {name: len(domain.landmarks) for name, domain in known.items()}
    network = GU2Net(dims, 1, counts, features=(4, 8), global_features=4, dilations=(1, 2))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    return save_model(path, network, ModelCard(known, network.description))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [untrained(folder / f"{seed}.pt", seed) for seed in range(2)]


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (40, 60), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(tmp_path / "x.png")
    return tmp_path / "x.png"


def test_points_of_a_picture_are_in_pixels_of_its_file(models: list[Path], picture: Path) -> None:
    found = load(models[0]).predict(picture, domain="knee")
    assert (found.case, found.names, found.unit, found.spacing_source) == ("x", ("a", "b", "c"), "px", "none")
    assert found.points.shape == (3, 2)
    assert found.size == (60, 40)
    np.testing.assert_array_equal(found.points, found.points_index)
    assert found.points_mm is None
    assert ((found.points > -0.5) & (found.points < (59.5, 39.5))).all()
    assert found.radius is None
    assert found.presence is None


def test_a_spacing_makes_them_mm_of_the_image_plane(models: list[Path], picture: Path) -> None:
    plain = load(models[0]).predict(picture, domain="knee")
    scaled = load(models[0], spacing=(0.5, 0.25)).predict(str(picture), domain="knee")
    assert (scaled.unit, scaled.spacing) == ("mm", (0.5, 0.25))
    np.testing.assert_allclose(scaled.points_index, plain.points_index, atol=1e-4)
    np.testing.assert_allclose(scaled.points, plain.points * [0.5, 0.25], atol=1e-4)


def test_a_reference_length_among_what_is_found_gives_the_scale(models: list[Path], picture: Path) -> None:
    found = load(models[0]).predict(picture, domain="hand")
    assert (found.unit, found.spacing_source) == ("mm", "reference-length of the prediction")
    assert np.linalg.norm(found.points[0] - found.points[1]) == pytest.approx(50)


def test_the_same_pixels_give_the_same_points_whatever_kind_of_file_they_are_in(
    models: list[Path], tmp_path: Path, picture: Path, pixels: np.ndarray, make_dicom: Callable[..., Path]
) -> None:
    predictor = load(models[0])
    expected = predictor.predict(picture, domain="knee").points_index
    dicom = make_dicom(tmp_path / "x.dcm", pixels, bits_stored=8, PixelSpacing=[0.25, 0.5])
    found = predictor.predict(dicom, domain="knee")
    np.testing.assert_allclose(found.points_index, expected, atol=1e-3)
    np.testing.assert_allclose(found.points, expected * [0.5, 0.25], atol=1e-3)
    # NIfTI's first axis is x, and its world is RAS: to the right and up
    nibabel.save(nibabel.Nifti1Image(pixels.T[..., None], np.diag([-0.5, -0.25, 1, 1])), tmp_path / "x.nii")
    found = predictor.predict(tmp_path / "x.nii", domain="knee")
    assert (found.unit, found.spacing) == ("mm", (0.5, 0.25))
    np.testing.assert_allclose(found.points_index, expected, atol=1e-3)


def test_points_of_a_volume_are_ras_mm(tmp_path: Path, rng: np.random.Generator) -> None:
    model = untrained(tmp_path / "m.pt", domains={"solid": Domain("solid", ("a", "b"), (16, 16, 16))})
    affine = np.array([[0, -2.0, 0, 10], [2, 0, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]])
    volume = rng.integers(0, 200, (12, 14, 10)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "v.nii.gz")
    found = load(model).predict(tmp_path / "v.nii.gz")
    assert (found.unit, found.spacing) == ("mm", pytest.approx((2, 2, 3)))
    expected = nibabel.affines.apply_affine(affine, found.points_index)
    np.testing.assert_allclose(found.points, expected, atol=1e-4)
    np.testing.assert_allclose(found.lps, expected * [-1, -1, 1], atol=1e-4)


def test_one_image_and_a_folder_of_images_give_the_same_numbers(
    models: list[Path], picture: Path, tmp_path: Path
) -> None:
    predictor = load(models, tta=2)
    found = predictor.predict(picture, domain="knee")
    rows, failures = predictor.predict_files([picture], output_dir=tmp_path / "out", domain="knee", overlays=False)
    assert failures == []
    assert [[row["predicted_x"], row["predicted_y"]] for row in rows] == found.points_index.tolist()
    assert [row["confidence"] for row in rows] == found.confidence.tolist()
    np.testing.assert_array_equal(read_landmarks(tmp_path / "out" / "x.json").points, found.points_index)
    told = found.to_dict(model=predictor.model)["landmarks"]
    assert [[each["x"], each["y"]] for each in told] == found.points_index.tolist()


@pytest.mark.parametrize(("count", "tta"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_the_folded_network_finds_what_the_whole_one_does(
    models: list[Path], picture: Path, monkeypatch: pytest.MonkeyPatch, count: int, tta: int
) -> None:
    folded = load(models[:count], tta=tta).predict(picture, domain="hand")
    monkeypatch.setattr(TTAInferer, "_one_domain", lambda _, network, args, image: lambda part: network(part, *args))
    whole = load(models[:count], tta=tta).predict(picture, domain="hand")
    np.testing.assert_allclose(folded.points_index, whole.points_index, atol=1e-3)
    np.testing.assert_allclose(folded.confidence, whole.confidence, rtol=1e-5)


def test_one_domain_is_taken_out_once_and_its_batch_norms_are_gone(
    models: list[Path], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[SpecializedNetwork] = []
    forward = SpecializedNetwork.forward

    def spied(self: SpecializedNetwork, image: torch.Tensor) -> torch.Tensor:
        seen.append(self)
        return forward(self, image)

    monkeypatch.setattr(SpecializedNetwork, "forward", spied)
    predictor = load(models[0])
    for domain in ("knee", "hand", "knee", "hand"):
        predictor.predict(picture, domain=domain)
    predictor.with_options(min_confidence=0.5).predict(picture, domain="knee")
    # an untrained network is sure of nothing, so it looks at the inverse of each image as well
    assert [seen.index(each) for each in seen] == [0, 0, 2, 2, 0, 0, 2, 2, 0, 0]
    assert not [module for module in seen[0].modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert seen[0].network.domain_names == ["knee"]


def test_weights_that_changed_are_folded_anew(models: list[Path]) -> None:
    inferer, image = TTAInferer(), torch.rand(1, 1, 32, 32)
    network, _ = load_ensemble(models[:1])
    other, _ = load_ensemble(models[1:])
    with torch.no_grad():
        first = inferer(image, network, "knee")
        network.load_state_dict(other.state_dict())
        second = inferer(image, network, "knee")
        torch.testing.assert_close(second, other(image, "knee"), rtol=0, atol=1e-4)
        assert (first - second).abs().max() > 1e-2
        network.train()
        torch.testing.assert_close(inferer(image, network, "knee"), LandmarkInferer()(image, other.train(), "knee"))


def test_options_are_of_the_use_and_not_of_the_weights(models: list[Path], picture: Path) -> None:
    predictor = load(models[0])
    sure = predictor.with_options(min_confidence=1.0)
    assert sure.network is predictor.network
    assert np.isnan(sure.predict(picture, domain="knee").points).all()
    assert not np.isnan(predictor.predict(picture, domain="knee").points).any()


def test_a_calibration_of_version_0_1_0_holds_for_the_augmentation_that_it_calls_views(tmp_path: Path) -> None:
    model = untrained(tmp_path / "m.pt")
    network, card = load_ensemble([model])
    numbers = {"scales": [1.0, 1.0, 1.0], "confidences": [0.1, 0.2], "images": 1, "landmarks": 3, "members": 1}
    card.calibration = {"knee": {**numbers, "quantiles": {"0.9": 2.0}, "views": 3}}
    save_model(model, network, card)  # type: ignore[arg-type]
    assert list(load(model, tta=3).calibrations) == ["knee"]
    assert load(model).calibrations == {}
    assert load(model).with_options(tta=3).calibrations["knee"].radius([1.0, 2.0, 3.0]).tolist() == [2.0, 4.0, 6.0]


def test_what_is_no_image_or_no_domain_is_an_error_in_plain_words(models: list[Path], tmp_path: Path) -> None:
    predictor = Predictor(models[0])
    (tmp_path / "x.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"^x.png must be a whole picture"):
        predictor.predict(tmp_path / "x.png", domain="knee")
    with pytest.raises(FileNotFoundError, match=r"must be a file; got 'none\.png'"):
        predictor.predict(tmp_path / "none.png", domain="knee")
    with pytest.raises(ValueError, match=r"must be one of the model's \['knee', 'hand'\]; got 'foot'"):
        predictor.predict(tmp_path / "x.png", domain="foot")
    with pytest.raises(ValueError, match=r"got None\. Name it"):
        predictor.predict(tmp_path / "x.png")
    for nothing in ("", ".", tmp_path):
        with pytest.raises(ValueError, match=r"^\w+: a series must hold DICOM images; got none"):
            predictor.predict(nothing, domain="knee")


@pytest.mark.parametrize(
    ("option", "wrong", "said"),
    [
        ("spacing", 0.5, "spacing must be positive numbers, mm per pixel along each axis; got 0.5"),
        ("spacing", (0.1, 0.0), "spacing must be positive numbers"),
        ("spacing", (float("nan"), 0.1), "spacing must be positive numbers"),
        ("spacing", (float("inf"), 0.1), "spacing must be positive numbers"),
        ("spacing", ("wide", 0.1), "spacing must be positive numbers"),
        ("spacing", "11", "spacing must be positive numbers"),
        ("spacing", (), "spacing must be positive numbers"),
        ("min_confidence", 1.5, "min_confidence must be from 0 to 1; got 1.5"),
        ("min_confidence", "high", "min_confidence must be from 0 to 1; got 'high'"),
        ("min_confidence", float("nan"), "min_confidence must be from 0 to 1; got nan"),
        ("tta", 0, "tta must be a positive whole number; got 0"),
        ("tta", 2.5, "tta must be a positive whole number; got 2.5"),
        ("backend", "fastest", "backend must be one of .*; got 'fastest'"),
        ("precision", "half", "precision must be one of .*; got 'half'"),
        ("accept_spacing_source", ["detecter"], "accept_spacing_source must be among"),
        ("device", "nowhere", r"The device must be one of this machine; got 'nowhere' \(Expected one of"),
        ("device", "cuda:99", r"The device must be one of this machine; got 'cuda:99'"),
    ],
)
def test_an_impossible_option_is_refused_before_an_image_is_read(
    models: list[Path], option: str, wrong: object, said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        load(models[0], **{option: wrong})  # type: ignore[arg-type]


def test_what_was_found_and_the_predictor_say_themselves_in_a_line(models: list[Path], picture: Path) -> None:
    predictor = load(models[0])
    assert repr(predictor.predict(picture, domain="knee")) == (
        "Found('x', 3 of 3 landmarks of 'knee', unit='px', spacing_source='none')"
    )
    none = predictor.with_options(min_confidence=1.0, spacing=np.array([0.5, 0.25]))
    assert repr(none.predict(picture, domain="knee")) == (
        "Found('x', 0 of 3 landmarks of 'knee', unit='mm', spacing_source='given')"
    )
    assert repr(predictor) == f"Predictor([{str(models[0])!r}], {predictor.options!r}, domains=['knee', 'hand'])"
