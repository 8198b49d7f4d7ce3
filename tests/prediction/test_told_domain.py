# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What an image is of, told from the image, with models that know what the phantom's images look like."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist, Domain
from monai_gu2net.engines import evaluate_model, fit_appearances
from monai_gu2net.evaluation import read_rows
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.phantom import make_phantom
from monai_gu2net.prediction import Predictor, load

NAMES = ["head", "hand", "chest", "spine"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Datalist:
    folder = tmp_path_factory.mktemp("phantom")
    cases = {"training": 12, "validation": 1, "test": 4}
    data = Datalist.load(make_phantom(folder, domains=NAMES, cases=cases, progress=False))
    data.domains.update({name: domain.resized((32, 32)) for name, domain in data.domains.items()})
    return data


def untrained(path: Path, domains: dict[str, Domain], channels: int = 1) -> Path:
    counts = {name: len(domain.landmarks) for name, domain in domains.items()}
    dims = len(next(iter(domains.values())).size)
    network = GU2Net(dims, channels, counts, features=(4, 8), global_features=4, dilations=(1, 2))
    return save_model(path, network, ModelCard(domains, network.description))


@pytest.fixture(scope="module")
def model(data: Datalist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = untrained(tmp_path_factory.mktemp("model") / "model.pt", dict(data.domains))
    written, failures = fit_appearances(path, data)
    assert (written, failures) == (path, [])
    return path


@pytest.fixture
def images(data: Datalist) -> dict[str, Path]:
    """A test image of each domain."""
    return {case["domain"]: Path(case["image"]) for case in reversed(data.test)}


@pytest.fixture
def noise(tmp_path: Path, rng: np.random.Generator) -> Path:
    Image.fromarray(rng.integers(0, 256, (90, 80), dtype=np.uint8)).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_the_domain_of_every_new_image_is_told(model: Path, data: Datalist) -> None:
    predictor = load(model)
    told = [(case["domain"], predictor.tell_domain(case["image"])) for case in data.test]
    assert len(told) == 16
    assert all(real == found for real, found in told)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda pixels: 255 - pixels, id="negative"),
        pytest.param(lambda pixels: pixels // 2, id="dark"),
        pytest.param(lambda pixels: np.pad(pixels, 20), id="border"),
        pytest.param(lambda pixels: pixels.repeat(2, 0).repeat(2, 1), id="larger"),
    ],
)
def test_it_is_told_of_a_changed_image_too(
    model: Path, images: dict[str, Path], tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    for name, path in images.items():
        pixels = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(change(pixels).astype(np.uint8)).save(tmp_path / f"{name}.png")
        assert load(model).tell_domain(tmp_path / f"{name}.png") == name


def test_without_a_domain_the_one_told_is_searched(model: Path, images: dict[str, Path]) -> None:
    predictor = load(model)
    for name, path in images.items():
        told, named = predictor.predict(path), predictor.predict(path, name)
        assert told.domain.name == name
        np.testing.assert_array_equal(told.points, named.points)
        assert told.domain_doubt == named.domain_doubt == ""


def test_an_image_of_none_is_left_out_with_its_scores_and_the_others_go_on(
    model: Path, images: dict[str, Path], noise: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    given = [str(images["hand"]), str(noise), str(images["chest"])]
    assert main(["predict", *given, "-m", str(model), "-o", str(out)]) == 1
    assert set(read_rows(out / "landmarks.csv")["domain"]) == {"hand", "chest"}
    said = capsys.readouterr().err
    assert "failed: noise: The image must be of a domain of the model, with a score of at most 1; got " in said
    assert all(f"({name})" in said for name in NAMES)
    assert not list(out.glob("noise*"))
    with pytest.raises(ValueError, match=r"noise\.png\. Name the domain \(--domain\) if it is of one all the same"):
        load(model).predict(noise)


def test_a_domain_that_the_image_contradicts_is_doubted_in_every_result(
    model: Path, images: dict[str, Path], tmp_path: Path, make_dicom: Callable[..., Path]
) -> None:
    pixels = np.asarray(Image.open(images["hand"]).convert("L")).astype(np.uint16)
    image, out = make_dicom(tmp_path / "x.dcm", pixels, ImagerPixelSpacing=[0.2, 0.2]), tmp_path / "out"
    formats = ["json", "csv", "mrk.json", "sr"]
    rows, failures = load(model).predict_files([image], output_dir=out, domain="head", formats=formats)
    assert failures == []
    doubt = rows[0]["domain_doubt"]
    assert doubt.startswith("by its looks the image is not of this domain: score ")
    assert "(head), at most 1; it looks like " in doubt
    assert "(hand)" in doubt.partition("looks like")[2]
    assert json.loads((out / "x.json").read_text())["domain_doubt"] == doubt
    with (out / "x.csv").open(newline="") as file:
        assert {row["domain_doubt"] for row in csv.DictReader(file)} == {doubt}
    assert set(read_rows(out / "landmarks.csv")["domain_doubt"]) == {doubt}
    assert set(read_rows(out / "landmarks.parquet")["domain_doubt"]) == {doubt}
    assert load(model).predict(image, "head").to_dict(model="m")["domain_doubt"] == doubt
    for name in ("x.sr.dcm", "x.text.dcm"):
        texts = {str(element.value) for element in pydicom.dcmread(out / name).iterall() if element.VR in ("UT", "LO")}
        assert doubt in texts


def test_of_the_right_domain_nothing_is_said(model: Path, images: dict[str, Path], tmp_path: Path) -> None:
    load(model).predict_files([images["head"]], output_dir=tmp_path, domain="head")
    assert "domain_doubt" not in (tmp_path / "landmarks.csv").read_text()
    stem = images["head"].stem
    assert "domain_doubt" not in (tmp_path / f"{stem}.json").read_text()
    assert "domain_doubt" not in (tmp_path / f"{stem}.csv").read_text()


def test_evaluation_doubts_cases_too(model: Path, data: Datalist, tmp_path: Path) -> None:
    heads = [case for case in data.test if case["domain"] == "head"]
    hand = next(case for case in data.test if case["domain"] == "hand")
    mixed_up = [{**heads[0], "image": hand["image"]}, *heads[1:]]
    result = evaluate_model(model, replace(data.only(["head"]), test=mixed_up), output_dir=tmp_path, worst=0)
    doubted = result.table[result.table["domain_doubt"] != ""]
    assert set(doubted["case"]) == {heads[0]["case"]}
    assert heads[0]["case"] in (tmp_path / "report.md").read_text().partition("## Doubtful domains")[2]


def test_a_model_that_does_not_know_its_domains_looks_asks_for_the_domain_as_ever(
    data: Datalist, images: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    predictor = load(untrained(tmp_path / "m.pt", dict(data.domains)))
    with pytest.raises(ValueError, match=r"The domain must be one of the model's .*; got None\. Name it \(--domain\)"):
        predictor.predict(images["head"])
    assert predictor.predict(images["head"], "hand").domain_doubt == ""
    one = load(untrained(tmp_path / "one.pt", {"head": data.domains["head"]}))
    assert one.predict(images["hand"]).domain.name == "head"


def test_a_model_of_one_domain_refuses_what_is_not_of_it_unless_it_is_named(
    data: Datalist, images: dict[str, Path], tmp_path: Path
) -> None:
    path = untrained(tmp_path / "m.pt", {"head": data.domains["head"]})
    fit_appearances(path, data)
    assert load(path).predict(images["head"]).domain.name == "head"
    with pytest.raises(ValueError, match=r"with a score of at most 1; got .* of "):
        load(path).predict(images["hand"])
    assert load(path).predict(images["hand"], "head").domain_doubt


def test_volumes_are_taken_at_their_word(tmp_path: Path, data: Datalist) -> None:
    domains = {name: Domain(name, ("a", "b"), (16, 16, 16)) for name in ("one", "two")}
    path = untrained(tmp_path / "m.pt", domains)
    volumes = Datalist("volumes", domains, training=[{"image": "v.nii", "domain": "one", "case": "v"}])
    assert fit_appearances(path, volumes) == (path, [])
    assert ModelCard.load(path).appearance == {}
    with pytest.raises(ValueError, match=r"The domain must be one of the model's \['one', 'two'\]; got None"):
        load(path).predict(tmp_path / "v.nii")


def test_an_image_of_a_domain_in_colour_is_read_in_colour_once_it_is_told(
    data: Datalist, tmp_path: Path, rng: np.random.Generator
) -> None:
    domains = {name: replace(data.domains[name], in_channels=3) for name in ("head", "hand")}
    path = untrained(tmp_path / "m.pt", domains, channels=3)
    fit_appearances(path, data)
    image = next(case["image"] for case in data.test if case["domain"] == "hand")
    grey = Image.open(image).convert("L")
    Image.merge("RGB", [grey, grey.point(lambda value: value // 2), grey]).save(tmp_path / "colour.png")
    told, named = (load(path).predict(tmp_path / "colour.png", domain) for domain in (None, "hand"))
    assert told.domain.name == "hand"
    np.testing.assert_array_equal(told.points, named.points)


def test_an_ensemble_tells_as_its_first_model_does(model: Path, data: Datalist, images: dict[str, Path]) -> None:
    second = untrained(model.with_name("second.pt"), dict(data.domains))
    assert Predictor([model, second]).predict(images["chest"]).domain.name == "chest"


def test_two_domains_that_look_alike_are_both_named(
    data: Datalist, images: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same images under two names: either will do, and the result says so."""
    again = replace(data.domains["head"], name="skull")
    heads = [case for case in data.training if case["domain"] == "head"]
    doubled = [{**case, "domain": name} for name in ("head", "skull") for case in heads]
    domains = {"head": data.domains["head"], "skull": again}
    path = untrained(tmp_path / "m.pt", domains)
    fit_appearances(path, Datalist("two", domains, training=doubled))
    with caplog.at_level(logging.WARNING):
        found = load(path).predict(images["head"])
    assert found.domain_doubt.startswith("told from the image with score ")
    assert {"head", "skull"} == {name for name in ("head", "skull") if f"({name})" in found.domain_doubt}
    assert found.domain_doubt in caplog.text
