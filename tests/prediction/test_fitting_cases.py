# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Data whose landmarks are some of the model's, or in another order."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist, Domain, ReferenceLength
from monai_gu2net.dicom import Derivation, read_header
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.engines import evaluate_model
from monai_gu2net.evaluation import named_protocol
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS
from monai_gu2net.measurements import Measurement
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.prediction import calibrations_of, fitting_cases, load

Make = Callable[..., Path]
NAMES = ("c", "a", "d", "b")
POINTS = np.array([[5.0, 6.0], [30.0, 8.0], [9.0, 33.0], [28.0, 31.0]])
WIDTH = Measurement("width", "distance", ("a", "b"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network, of landmarks in no alphabetical order."""
    torch.manual_seed(0)
    domains = {"knee": Domain("knee", NAMES, (32, 32))}
    network = GU2Net(2, 1, {"knee": 4}, features=(4, 8), global_features=4, dilations=(1, 2))
    return save_model(tmp_path_factory.mktemp("m") / "m.pt", network, ModelCard(domains, network.description))


@pytest.fixture
def images(tmp_path: Path, rng: np.random.Generator, make_dicom: Make) -> list[Path]:
    """Two images in a folder whose name is no domain of the model."""
    folder = tmp_path / "images_and_points"
    pixels = [rng.integers(0, 4096, (40, 40)).astype(np.uint16) for _ in range(2)]
    return [make_dicom(folder / f"{n}.dcm", each, PixelSpacing=[0.1, 0.2]) for n, each in enumerate(pixels)]


def datalist(images: Sequence[Path], names: Sequence[str], points: Sequence[list[float] | None]) -> Datalist:
    cases = [{"image": str(image), "domain": "knee", "landmarks": list(points)} for image in images]
    return Datalist("d", {"knee": Domain("knee", tuple(names), (64, 64))}, test=cases)


def write_table(folder: Path, images: Sequence[Path], names: Sequence[str]) -> None:
    header = ["image", *(f"{name}_{axis}" for name in names for axis in "xy")]
    values = [str(value) for name in names for value in POINTS[NAMES.index(name)]]
    lines = [",".join(header), *(",".join([image.name, *values]) for image in images)]
    (folder / "landmarks.csv").write_text("\n".join(lines) + "\n")


def rows_of(report: Path) -> list[dict[str, str]]:
    with (report / "landmarks.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def evaluated(model: Path, out: Path, *data: str, options: Sequence[str] = ()) -> list[dict[str, str]]:
    assert main(["evaluate", "-m", str(model), *data, "-o", str(out), "--split", "all", "--worst", "1", *options]) == 0
    return rows_of(out)


def test_a_table_in_alphabetical_order_gives_the_rows_of_the_models_order(
    model: Path, images: list[Path], tmp_path: Path
) -> None:
    path = datalist(images, NAMES, POINTS.tolist()).save(tmp_path / "datalist.json")
    ordered = evaluated(model, tmp_path / "ordered", "--datalist", str(path))
    write_table(images[0].parent, images, sorted(NAMES))
    folder = ["--dataset-dir", str(images[0].parent), "--domain", "knee"]
    found = evaluated(model, tmp_path / "table", *folder, options=["--leave-out", "knee:d"])
    assert [row["landmark"] for row in found] == list(NAMES) * 2
    assert found == ordered
    assert all(float(row["error"]) > 0 for row in found)


def test_a_landmark_that_the_reports_lack_is_absent_and_the_others_are_the_same(
    model: Path, images: list[Path], tmp_path: Path
) -> None:
    """The reports bring up their names in another order, and none has the third of the model."""
    path = datalist(images, NAMES, POINTS.tolist()).save(tmp_path / "datalist.json")
    ordered = evaluated(model, tmp_path / "ordered", "--datalist", str(path))
    for image in images:
        landmarks = LandmarkSet(NAMES, POINTS, "index").select(("b", "c", "a"))
        written = image.with_suffix(".sr.dcm")
        write_structured_report(written, landmarks, derivation=Derivation(read_header(image), "m", "1"))
    folder = ["--dataset-dir", str(images[0].parent), "--domain", "knee"]
    found = evaluated(model, tmp_path / "sr", *folder, options=["--leave-out", "knee:d"])
    assert [row["landmark"] for row in found] == list(NAMES) * 2
    for row, whole in zip(found, ordered, strict=True):
        if row["landmark"] == "d":
            assert row["error"] in ("", "nan")
        else:
            assert float(row["error"]) == pytest.approx(float(whole["error"]), abs=1e-4)
        assert (row["predicted_x"], row["predicted_y"]) == (whole["predicted_x"], whole["predicted_y"])


def test_measurements_annotators_and_the_scale_of_the_data_stay(
    model: Path, images: list[Path], tmp_path: Path
) -> None:
    """The wrist of 50 mm, the declared width and the other annotator are those of the same landmarks."""
    names, reports = ("b", "a"), []
    for order in (names, NAMES):
        points = [POINTS[NAMES.index(name)].tolist() for name in order]
        moved = [[x + 3, y - 4] for x, y in points]
        data = datalist(images, order, points)
        case = data.test[0] | {"annotators": {"one": points, "two": moved}}
        domain = replace(
            data.domains["knee"],
            reference=ReferenceLength("a", "b", 50.0),
            measurements=(WIDTH,),
            mirror=(("a", "b"),),
        )
        data = Datalist("d", {"knee": domain}, test=[case])
        reports.append(tmp_path / str(len(order)))
        evaluate_model(model, data, output_dir=reports[-1], accept_spacing_source=["reference-length"], worst=0)
    some, whole = ([row for row in rows_of(report) if row["landmark"] in names] for report in reports)
    assert some == whole
    assert {row["spacing_source"] for row in some} == {"reference-length"}
    measured = [(report / "measurements.csv").read_text() for report in reports]
    assert measured[0] == measured[1]
    assert "width" in measured[0]
    scale = 50 / np.linalg.norm(POINTS[1] - POINTS[3])
    for report in reports:
        apart = json.loads((report / "summary.json").read_text())["annotators"]
        found = {one["comparison"]: one["mre"] for one in apart}
        assert found["one against two"] == pytest.approx(5 * scale)
        assert found["two against the ground truth"] == pytest.approx(5 * scale)


def test_the_card_has_the_models_landmarks_and_size(model: Path, images: list[Path]) -> None:
    data = datalist(images, ["b", "c"], [[1, 2], None])
    del data.test[1]["landmarks"]
    domains, cases = fitting_cases(ModelCard.load(model), data, split="test")
    assert (domains["knee"].landmarks, domains["knee"].size) == (NAMES, (32, 32))
    assert cases[0]["landmarks"] == [None, None, None, [1, 2]]
    assert "landmarks" not in cases[1]
    assert data.test[0]["landmarks"] == [[1, 2], None]


def test_calibrating_takes_such_data_as_well(model: Path, images: list[Path], tmp_path: Path) -> None:
    write_table(images[0].parent, images, ["a", "b"])
    new = tmp_path / "new.pt"
    folder = ["--dataset-dir", str(images[0].parent), "--domain", "knee"]
    assert main(["calibrate", "-m", str(model), *folder, "--split", "all", "-o", str(new)]) == 0
    card = ModelCard.load(new)
    assert card.domains["knee"].landmarks == NAMES
    calibration = calibrations_of(card)["knee"]
    assert (len(calibration.scales), calibration.landmarks) == (4, 4)


def test_a_domain_of_another_name_is_an_error_that_says_how_to_name_it(
    model: Path, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(images[0].parent, images, NAMES)
    arguments = ["evaluate", "-m", str(model), "--dataset-dir", str(images[0].parent), "-o", str(tmp_path / "r")]
    assert main([*arguments, "--split", "all"]) == 2
    message = (
        "The data's domain must be one of the model's ['knee']; got 'images_and_points'. Name that of a folder with"
    )
    assert f"error: {message} --domain" in capsys.readouterr().err


def test_a_landmark_that_the_model_does_not_know_is_an_error(model: Path, images: list[Path], tmp_path: Path) -> None:
    data = datalist(images, ["a", "x"], [[1, 2], [3, 4]])
    message = r"Landmarks of domain 'knee' must be among the model's \['c', 'a', 'd', 'b'\]; got \['x'\]\. Rename"
    with pytest.raises(ValueError, match=message):
        evaluate_model(model, data, output_dir=tmp_path)


def test_a_domain_that_does_not_fit_is_a_failure_and_the_others_are_scored(
    model: Path, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = datalist(images, NAMES, POINTS.tolist())
    others = {"hip": Domain("hip", ("a", "b"), (32, 32)), "knee": alone.domains["knee"]}
    hips = [{"image": str(image), "domain": "hip", "landmarks": [[1, 2], [3, 4]]} for image in images]
    both = Datalist("both", others, test=[*hips, *alone.test]).save(tmp_path / "both.json")
    arguments = ["evaluate", "-m", str(model), "--worst", "0"]
    assert main([*arguments, "--datalist", str(both), "-o", str(tmp_path / "both")]) == 1
    assert "hip" in capsys.readouterr().err
    assert main([*arguments, "--datalist", str(alone.save(tmp_path / "d.json")), "-o", str(tmp_path / "alone")]) == 0
    assert rows_of(tmp_path / "both") == rows_of(tmp_path / "alone")
    (failure,) = json.loads((tmp_path / "both" / "summary.json").read_text())["failures"]
    assert (failure["domain"], failure["case"]) == ("hip", "all 2 cases")
    assert "must be one of the model's ['knee']; got 'hip'" in failure["reason"]
    strange = replace(others["knee"], name="hip"), replace(others["knee"], landmarks=("x", "a", "d", "b"))
    data = Datalist("none", {each.name: each for each in strange}, test=alone.test)
    with pytest.raises(ValueError, match="The data's domain must be one of the model's"):
        evaluate_model(model, data, output_dir=tmp_path / "none")


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """The hand's names in version 0.1.0, in which places 2 to 4 and 6 to 18 had none."""
    places = {*range(2, 5), *range(6, 19)}
    return tuple(f"landmark_{at:02d}" if at in places else name for at, name in enumerate(names, start=1))


@pytest.mark.parametrize("old_side", ["data", "model"])
def test_the_hands_earlier_names_are_the_same_landmarks(images: list[Path], tmp_path: Path, old_side: str) -> None:
    lists = {"data": HAND_LANDMARKS, "model": HAND_LANDMARKS} | {old_side: numbered(HAND_LANDMARKS)}
    assert sum(name.startswith("landmark_") for name in lists[old_side]) == 16
    network = GU2Net(2, 1, {"hand": 37}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"hand": Domain("hand", lists["model"], (32, 32))}, network.description)
    saved = save_model(tmp_path / "hand.pt", network, card)
    points = [[float(at), 2.0 * at % 40] for at in range(37)]
    cases = [{"image": str(image), "domain": "hand", "landmarks": points} for image in images]
    data = Datalist("d", {"hand": Domain("hand", lists["data"], (64, 64))}, test=cases)
    domains, found = fitting_cases(ModelCard.load(saved), data, split="test")
    assert domains["hand"].landmarks == lists["model"]
    assert [case["landmarks"] for case in found] == [points, points]


def test_some_of_the_hands_earlier_names_alone_are_an_error(images: list[Path], tmp_path: Path) -> None:
    network = GU2Net(2, 1, {"hand": 37}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"hand": Domain("hand", HAND_LANDMARKS, (32, 32))}, network.description)
    saved = save_model(tmp_path / "hand.pt", network, card)
    cases = [{"image": str(images[0]), "domain": "hand", "landmarks": [[1, 2], [3, 4]]}]
    data = Datalist("d", {"hand": Domain("hand", ("wrist_ulnar", "landmark_02"), (64, 64))}, test=cases)
    with pytest.raises(ValueError, match=r"must be among the model's .*; got \['landmark_02'\]\. Rename"):
        fitting_cases(ModelCard.load(saved), data, split="test")


def test_a_landmark_to_leave_out_may_be_one_that_the_data_lacks(
    model: Path, images: list[Path], tmp_path: Path
) -> None:
    data = datalist(images, ["a", "b"], [[1, 2], [3, 4]])
    evaluate_model(model, data, output_dir=tmp_path, protocol=named_protocol(left_out={"knee": ["d"]}), worst=0)
    with pytest.raises(ValueError, match=r"left_out must name landmarks .*; got \['x'\]"):
        evaluate_model(model, data, output_dir=tmp_path, protocol=named_protocol(left_out={"knee": ["x"]}))


@pytest.mark.parametrize(
    ("options", "unit"),
    [([], "by each file's tags"), (["--spacing", "unknown"], "by each file's tags"), (["--spacing", "0.2"], "mm")],
)
def test_preparing_dicom_says_that_each_file_tells_the_unit(
    images: list[Path], tmp_path: Path, options: list[str], unit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(images[0].parent, images, NAMES)
    parts = ["--validation", "0", "--test", "0", "--domain", "knee"]
    assert main(["prepare", str(images[0].parent), "-o", str(tmp_path / "d.json"), *parts, *options]) == 0
    assert f"knee: 4 landmarks, 2 training, 0 validation, 0 test, unit {unit}\n" in capsys.readouterr().out


def test_a_network_whose_numbers_are_too_large_is_a_failed_case_and_not_an_image_without_landmarks(
    tmp_path: Path,
) -> None:
    domain = Domain("knee", ("a", "b"), (64, 64))
    network = GU2Net(2, 1, {"knee": 2}, features=(4, 8), global_features=4)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1e30)
    model = save_model(tmp_path / "model.pt", network, ModelCard({"knee": domain}, network.description))
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(tmp_path / "1.png")
    case = {"image": str(tmp_path / "1.png"), "domain": "knee", "case": "1"}
    rows, failures = load(model).run([case])
    assert rows == []
    assert "Heatmaps must be numbers; got NaN in 2 of 2" in failures[0]["reason"]
