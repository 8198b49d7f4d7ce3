# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""From DICOM to millimetres and back, as the commands do it."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monai.bundle
import numpy as np
import pytest
import torch
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist, Domain, ReferenceLength
from monai_gu2net.landmarks import read_landmarks
from monai_gu2net.networks import GU2Net, ModelCard, save_model

Make = Callable[..., Path]
NAMES = ("a", "b")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network, whose training images had 0.1 mm per pixel."""
    torch.manual_seed(0)
    domains = {
        "knee": Domain("knee", NAMES, (32, 32), spacing=(0.1, 0.1)),
        "hand": Domain("hand", NAMES, (32, 32), reference=ReferenceLength("a", "b", 50.0)),
    }
    network = GU2Net(2, 1, dict.fromkeys(domains, 2), features=(4, 8), global_features=4, dilations=(1, 2))
    return save_model(tmp_path_factory.mktemp("m") / "m.pt", network, ModelCard(domains, network.description))


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 4096, (40, 40)).astype(np.uint16)


def predict(model: Path, out: Path, *images: Path, domain: str = "knee", options: tuple[str, ...] = ()) -> int:
    return main(["predict", *map(str, images), "-m", str(model), "-o", str(out), "--domain", domain, *options])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def evaluated(model: Path, image: Path, out: Path, *, shift: tuple[float, float], options: tuple[str, ...] = ()) -> Any:
    """Rows of an evaluation whose reference lies so many pixels from what the model finds, towards the middle."""
    assert predict(model, out / "found", image, options=("--formats", "csv")) == 0
    found = read_landmarks(out / "found" / f"{image.stem}.csv").points
    middle = np.array([20, 20])
    reference = found + np.array(shift) * np.where(found > middle, -1, 1)
    case = {"image": str(image), "landmarks": reference.tolist()}
    path = Datalist("d", {"knee": Domain("knee", NAMES, (32, 32))}, test=[case]).save(out / "datalist.json")
    arguments = ["evaluate", "-m", str(model), "--datalist", str(path), "-o", str(out / "report")]
    assert main([*arguments, "--worst", "0", *options]) == 0
    return table(out / "report" / "landmarks.csv")


def contents(*folders: Path) -> str:
    """All that the files say in words; pictures inside of pages are left out."""
    texts = [
        p.read_text(encoding="utf-8") for f in folders for p in f.rglob("*") if p.suffix in (".csv", ".json", ".md")
    ]
    pages = [p.read_text(encoding="utf-8") for f in folders for p in f.rglob("*.html")]
    return "\n".join([*texts, *(re.sub(r"data:image/png;base64,[^\"']*", "", page) for page in pages)])


def test_ten_pixels_of_a_calibrated_image_are_one_millimetre(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make
) -> None:
    image = make_dicom(
        tmp_path / "x.dcm",
        pixels,
        PixelSpacing=[0.1, 0.1],
        PixelSpacingCalibrationType="FIDUCIAL",
        ImagerPixelSpacing=[0.143, 0.143],
    )
    for row in evaluated(model, image, tmp_path, shift=(10, 0)):
        assert float(row["error"]) == pytest.approx(1.0, abs=1e-4)
        assert (row["unit"], row["spacing_source"]) == ("mm", "calibrated:FIDUCIAL")


def test_rows_are_further_apart_than_columns(model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make) -> None:
    image = make_dicom(tmp_path / "x.dcm", pixels, PixelSpacing=[0.1, 0.2])
    for row in evaluated(model, image, tmp_path, shift=(3, 4)):
        assert float(row["error"]) == pytest.approx(math.hypot(3 * 0.2, 4 * 0.1), abs=1e-4)
        assert (row["unit"], row["spacing_source"]) == ("mm", "unknown")
        assert (float(row["spacing_x"]), float(row["spacing_y"])) == (0.2, 0.1)


def test_a_spacing_that_is_none_gives_pixels_everywhere_and_one_warning(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"zero": [0, 0], "nan": b"nan\\nan", "text": b"abc", "one": [0.1], "negative": [-1, 1]}
    images = [make_dicom(tmp_path / f"{name}.dcm", pixels, PixelSpacing=value) for name, value in values.items()]
    assert predict(model, tmp_path / "found", *images) == 0
    cases = [{"image": str(image), "landmarks": [[9, 9], [20, 20]]} for image in images]
    data = Datalist("d", {"knee": Domain("knee", NAMES, (32, 32))}, test=cases).save(tmp_path / "datalist.json")
    out = tmp_path / "report"
    assert main(["evaluate", "-m", str(model), "--datalist", str(data), "-o", str(out), "--worst", "1"]) == 0
    rows = table(out / "landmarks.csv")
    assert {(row["unit"], row["spacing_source"], row["spacing_x"]) for row in rows} == {("px", "none", "")}
    for row in rows:
        apart = [float(row[f"predicted_{axis}"]) - float(row[f"reference_{axis}"]) for axis in "xy"]
        assert float(row["error"]) == pytest.approx(math.hypot(*apart), abs=1e-3)
    warned = [record.message for record in caplog.records if "spacing" in record.message]
    assert warned == ["The spacing of 5 image(s) is not known; their results are in pixels of the file"] * 2  # runs
    said = contents(tmp_path / "found", out) + caplog.text
    assert not re.search(r"\bmm\b|_mm\b|millimet", said)


def test_what_is_given_goes_before_the_file_and_sources_can_be_refused(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make
) -> None:
    image = make_dicom(tmp_path / "x.dcm", pixels, PixelSpacing=[0.1, 0.2])
    given = evaluated(model, image, tmp_path / "1", shift=(3, 4), options=("--spacing", "0.5,0.25"))
    assert {(row["unit"], row["spacing_source"]) for row in given} == {("mm", "given")}
    assert float(given[0]["error"]) == pytest.approx(math.hypot(1.5, 1.0), abs=1e-4)
    accept = ("--accept-spacing-source", "detector", "calibrated")
    refused = evaluated(model, image, tmp_path / "2", shift=(3, 4), options=accept)
    assert {(row["unit"], row["spacing_source"]) for row in refused} == {("px", "refused: unknown")}
    assert "accepted sources alone: detector, calibrated" in (tmp_path / "2" / "report" / "report.md").read_text()
    assert predict(model, tmp_path / "p", image, options=accept) == 0
    content = json.loads((tmp_path / "p" / "x.json").read_text())
    assert content["spacing_source"] == "refused: unknown"
    assert "x_mm" not in content["landmarks"][0]


def test_a_source_that_is_misspelt_is_an_error(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    image = make_dicom(tmp_path / "x.dcm", pixels)
    assert predict(model, tmp_path / "p", image, options=("--accept-spacing-source", "detctor")) == 2
    assert "error: accept_spacing_source must be among" in capsys.readouterr().err


def test_the_spacing_of_the_training_images_says_nothing_of_others(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make
) -> None:
    Image.fromarray((pixels // 16).astype(np.uint8)).save(tmp_path / "x.png")
    images = (tmp_path / "x.png", make_dicom(tmp_path / "y.dcm", pixels))
    assert predict(model, tmp_path / "p", *images) == 0
    assert {(row["unit"], row["spacing_source"]) for row in table(tmp_path / "p" / "landmarks.csv")} == {("px", "none")}


def test_a_reference_length_of_the_prediction_may_be_refused(model: Path, tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray((pixels // 16).astype(np.uint8)).save(tmp_path / "x.png")
    for options, source in (
        ((), "reference-length of the prediction"),
        (("--accept-spacing-source", "reference-length"), "reference-length of the prediction"),
        (("--accept-spacing-source", "detector"), "none"),
    ):
        assert predict(model, tmp_path / "p", tmp_path / "x.png", domain="hand", options=options) == 0
        assert {row["spacing_source"] for row in table(tmp_path / "p" / "landmarks.csv")} == {source}


def test_pixels_and_millimetres_of_one_domain_are_summarised_apart(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make
) -> None:
    scaled = make_dicom(tmp_path / "x.dcm", pixels, ImagerPixelSpacing=[0.1, 0.1])
    bare = make_dicom(tmp_path / "y.dcm", pixels)
    cases = [{"image": str(image), "landmarks": [[9, 9], [20, 20]]} for image in (scaled, bare)]
    data = Datalist("d", {"knee": Domain("knee", NAMES, (32, 32))}, test=cases).save(tmp_path / "datalist.json")
    assert main(["evaluate", "-m", str(model), "--datalist", str(data), "-o", str(tmp_path / "r"), "--worst", "0"]) == 0
    summaries = json.loads((tmp_path / "r" / "summary.json").read_text())["summaries"]
    totals = {s["unit"]: (s["images"], s["spacing_source"]) for s in summaries if s["landmark"] is None}
    assert totals == {"mm": (1, ["detector"]), "px": (1, ["none"])}


def test_bad_files_fail_one_by_one_and_good_ones_are_as_in_a_clean_batch(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [make_dicom(tmp_path / "good" / f"{n}.dcm", np.roll(pixels, 9 * n, axis=1)) for n in range(3)]
    mixed = [make_dicom(tmp_path / "mixed" / path.name, np.roll(pixels, 9 * n, axis=1)) for n, path in enumerate(good)]
    torn = tmp_path / "mixed" / "torn.dcm"
    torn.write_bytes(mixed[0].read_bytes()[:1500])
    (tmp_path / "mixed" / "words.dcm").write_text("words")
    make_dicom(tmp_path / "mixed" / "frames.dcm", np.stack([pixels] * 3))
    make_dicom(tmp_path / "mixed" / "colour.dcm", np.zeros((40, 40, 3), np.uint8), photometric="RGB", bits_stored=8)
    assert predict(model, tmp_path / "a", tmp_path / "good") == 0
    capsys.readouterr()
    assert predict(model, tmp_path / "b", tmp_path / "mixed") == 1
    failed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed:")]
    assert sorted(line.split()[2] for line in failed) == ["colour:", "frames:", "torn:", "words:"]
    assert table(tmp_path / "a" / "landmarks.csv") == table(tmp_path / "b" / "landmarks.csv")
    assert str(tmp_path) not in "".join(failed)


SECRETS = {
    "PatientName": "Zzyzx^Secret",
    "PatientID": "../../Zzyzx-ID",
    "PatientBirthDate": "19010203",
    "StudyDate": "19640506",
    "InstitutionName": "Zzyzx Hospital",
    "ReferringPhysicianName": "Zzyzx^Doctor",
    "StudyDescription": "Zzyzx knee",
    "AccessionNumber": "Zzyzx77",
}


def test_nobodys_name_is_found_in_anything_that_is_written(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    """The patient's number would lead out of the folder, if it were part of a file's name."""
    data, out = tmp_path / "data", tmp_path / "deep" / "out"
    before = set(tmp_path.rglob("*"))
    lines = ["image,a_x,a_y,b_x,b_y"]
    for n in range(4):
        tags = SECRETS | {"PatientID": f"../../Zzyzx-ID{n}"}
        make_dicom(data / f"{n}.dcm", np.roll(pixels, n, axis=0), PixelSpacing=[0.1, 0.1], **tags)
        lines.append(f"{n}.dcm,9,9,20,20")
    make_dicom(data / "3.dcm", pixels, bits_stored=12, Rows=41, PixelSpacing=b"Zzyzx", **SECRETS)  # fails
    (data / "landmarks.csv").write_text("\n".join(lines) + "\n")
    assert main(["prepare", str(data), "--domain", "knee", "-o", str(out / "list" / "d.json")]) == 0
    split = ["--split", "all", "--worst", "4"]
    assert (
        main(["evaluate", "-m", str(model), "--datalist", str(out / "list" / "d.json"), "-o", str(out / "r"), *split])
        == 1
    )
    assert predict(model, out / "p", data) == 1
    said = capfd.readouterr()
    written = [
        path for path in tmp_path.rglob("*") if path.is_file() and path not in before and data not in path.parents
    ]
    assert all(out in path.parents for path in written)
    assert len(written) > 20
    needles = [b"zzyzx", b"19010203", b"19640506"]
    for content in [said.out.encode(), said.err.encode(), *(path.read_bytes() for path in written)]:
        assert not [needle for needle in needles if needle in content.lower()]
    assert not any(re.search("zzyzx", str(path.relative_to(tmp_path)), re.IGNORECASE) for path in written)


def test_a_folder_of_dicom_and_markups_is_evaluated_as_it_is(
    model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make
) -> None:
    """What predict wrote beside the images is taken for the truth: every error is zero."""
    for n in range(2):
        make_dicom(tmp_path / "knee" / f"{n}.dcm", np.roll(pixels, n, axis=0), PixelSpacing=[0.1, 0.2])
    assert predict(model, tmp_path / "knee", tmp_path / "knee", options=("--formats", "mrk.json")) == 0
    for overlay in (tmp_path / "knee").glob("*.png"):
        overlay.unlink()
    (tmp_path / "knee" / "landmarks.csv").unlink()
    out = tmp_path / "r"
    arguments = [
        "evaluate",
        "-m",
        str(model),
        "--dataset-dir",
        str(tmp_path / "knee"),
        "-o",
        str(out),
        "--split",
        "all",
    ]
    assert main([*arguments, "--worst", "0"]) == 0
    rows = table(out / "landmarks.csv")
    assert len(rows) == 4
    assert {(row["unit"], row["spacing_source"]) for row in rows} == {("mm", "unknown")}
    assert max(float(row["error"]) for row in rows) < 1e-3


BUNDLE = Path(__file__).parents[2] / "bundles" / "gu2net" / "configs"


@pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")  # MONAI warns of every config that it runs
def test_the_bundle_takes_the_same_options(model: Path, tmp_path: Path, pixels: np.ndarray, make_dicom: Make) -> None:
    make_dicom(tmp_path / "data" / "x.dcm", pixels, PixelSpacing=[0.1, 0.2])
    make_dicom(tmp_path / "data" / "within" / "y", pixels)
    common = {"checkpoint": str(model), "device": "$torch.device('cpu')", "dataset_dir": str(tmp_path / "data")}
    for accept, sources in ((None, ["unknown", "none"]), (["detector"], ["refused: unknown", "none"])):
        options = {"domain": "knee", "accept_spacing_source": accept, "output_dir": str(tmp_path / "out")}
        monai.bundle.run("predicting", config_file=str(BUNDLE / "inference.json"), **common, **options)
        found = [
            json.loads((tmp_path / "out" / "prediction" / f"{name}.json").read_text()) for name in ("x.dcm", "within_y")
        ]
        assert [content["spacing_source"] for content in found] == sources
    (tmp_path / "data" / "landmarks.csv").write_text("image,a_x,a_y,b_x,b_y\nx.dcm,9,9,20,20\n")
    (tmp_path / "data").rename(tmp_path / "knee")
    common |= {"dataset_dir": str(tmp_path / "knee"), "output_dir": str(tmp_path / "out"), "split": "all"}
    monai.bundle.run("evaluating", config_file=str(BUNDLE / "evaluate.json"), **common, spacing=[0.5, 0.25])
    rows = table(tmp_path / "out" / "report" / "landmarks.csv")
    assert {(row["unit"], row["spacing_source"], row["spacing_y"]) for row in rows} == {("mm", "given", "0.25")}
