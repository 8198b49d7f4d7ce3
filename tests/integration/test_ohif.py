# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""OHIF, the viewer, opens every kind of report that is written, draws it, and takes its points over.

Needs OHIF's built files (npm's @ohif/app 3.13.2), Chromium, Orthanc with its DICOMweb plugin and the right to make a
network.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from archive import missing_without, require_archive, run_beside_archive
from filelock import FileLock
from PIL import Image
from series_files import make_series, oblique_affine

from monai_gu2net.__main__ import main
from monai_gu2net.data import Datalist
from monai_gu2net.dicom import Derivation, read_header, series_headers, write_structured_report
from monai_gu2net.dicom.readable_report import write_readable_report
from monai_gu2net.landmarks import LandmarkSet, read_landmarks
from monai_gu2net.measurements import Measured
from monai_gu2net.phantom import make_phantom
from monai_gu2net.prediction import load

pytestmark = pytest.mark.integration

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_DIST = Path(os.environ.get("OHIF_DIST") or _ROOT / ".ci" / "cache" / "ohif" / "package" / "dist")
_MODEL = _ROOT / "bundles" / "gu2net" / "models" / "model.pt"

DOMAINS = ("head", "hand", "chest", "spine")
SPECIAL = {
    "names": LandmarkSet(
        ("Übergang é \\ ^ =", "x" * 200, "山田", "a:b", "none"),
        [[10.0, 20.0], [100.5, 200.25], [30.0, 7.0], [50.25, 60.75], [np.nan] * 2],
        "index",
    ),
    "many": LandmarkSet(
        tuple(f"point {number}" for number in range(300)),
        np.random.default_rng(7).uniform(0, 199, (300, 2)),
        "index",
    ),
    "nothing": LandmarkSet(("a", "b"), [[np.nan, np.nan]] * 2, "index"),
}


@pytest.fixture(scope="module")
def shown(make_dicom: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What OHIF showed of each report; ``folder`` holds the files by study."""
    if not (_DIST / "index.html").is_file():
        missing_without("OHIF's built files, named in OHIF_DIST; .ci/run fetches them")
    require_archive("chromium|chromium-browser|google-chrome")
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = Path(os.environ.get("OHIF_KEEP") or shared / "ohif")
    with FileLock(shared / "ohif.lock"):  # one browser and one archive for all test processes
        if not (folder / "happened.json").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            _write_studies(folder, make_dicom)
            run_beside_archive(_HERE / "ohif_round.py", _DIST, folder)
    return {"folder": folder, **json.loads((folder / "happened.json").read_text())}


def _write_studies(folder: Path, make_dicom: Callable[..., Path]) -> None:
    """A study for each domain, with what is found in it, and one for each special set of landmarks."""
    datalist = make_phantom(folder / "phantom", cases={"test": 1}, domains=DOMAINS, progress=False)
    for case in Datalist.load(datalist).test:
        study = folder / "studies" / case["domain"]
        pixels = np.asarray(Image.open(case["image"]).convert("L"), dtype=np.uint16)
        image = make_dicom(study / "image.dcm", pixels, bits_stored=8, ImagerPixelSpacing=[0.5, 0.5])
        out = folder / "found" / case["domain"]
        load(_MODEL).predict_files([image], output_dir=out, domain=case["domain"], formats=["json", "sr", "gsps", "sc"])
        for path in out.glob("*.dcm"):
            shutil.copy(path, study)
    _write_volume(folder / "studies" / "volume")
    for name, landmarks in SPECIAL.items():
        study = folder / "studies" / name
        pixels = np.add.outer(np.arange(220), np.arange(200)).astype(np.uint16)
        image = make_dicom(study / "image.dcm", pixels, PixelSpacing=[0.3, 0.3])
        derivation = Derivation(read_header(image), "GU2Net", "1.2 (abc)")
        confidence = np.linspace(0, 1, len(landmarks.names))
        write_structured_report(study / "image.sr.dcm", landmarks, derivation=derivation, confidence=confidence)
        write_readable_report(study / "image.text.dcm", landmarks, derivation=derivation)


IN_SPACE = LandmarkSet(("nasion", "bregma", "basion"), [[20.25, 18.3, 10.0], [44.0, 30.2, 20.1], [30, 40, 33]], "index")


def _write_volume(study: Path) -> None:
    """An oblique series with a bright spot at each point, and its reports."""
    grid = np.moveaxis(np.mgrid[:64, :56, :40], 0, -1)
    spots = [np.exp(-((grid - point) ** 2).sum(axis=-1) / 8) for point in IN_SPACE.points]
    voxels = (600 + 2500 * np.sum(spots, axis=0)).clip(0, 4095).astype(np.uint16)
    slices = tuple(series_headers(make_series(study / "slices", voxels, oblique_affine(), series="ohif")))
    derivation = Derivation(slices[0], "GU2Net", "1.2 (abc)", slices=slices)
    numbers = {"confidence": [0.5, 0.75, 1.0], "radius_mm": [1.0, 2.0, 3.0]}
    measured = [Measured("base", 61.5, "mm", 1.25, "distance", None, "")]
    write_structured_report(study / "image.sr.dcm", IN_SPACE, derivation=derivation, **numbers, measurements=measured)
    write_readable_report(study / "image.text.dcm", IN_SPACE, derivation=derivation, measurements=measured)
    for path in (study / "slices").iterdir():
        path.rename(study / f"{path.name}.dcm")
    (study / "slices").rmdir()


def test_every_point_of_a_volume_is_taken_over_and_lies_in_its_voxel(shown: dict[str, Any]) -> None:
    """What OHIF writes at a probe is the voxel that it lies in, by OHIF's own geometry of the series."""
    told = shown["volume/image.sr"]
    assert told["failures"] == []
    lps = dict(zip(IN_SPACE.names, IN_SPACE.to_lps(oblique_affine()).points, strict=True))
    voxels = dict(zip(IN_SPACE.names, np.rint(IN_SPACE.points).astype(int).tolist(), strict=True))
    assert sorted(each["label"] for each in told["taken over"]) == sorted(IN_SPACE.names)
    for each in told["taken over"]:
        np.testing.assert_allclose(each["point"], lps[each["label"]], rtol=0, atol=1e-3)
        assert [text.partition(")")[0] for text in each["written"]] == ["({}, {}, {}".format(*voxels[each["label"]])]


def test_the_readable_report_of_a_volume_has_its_measurements(shown: dict[str, Any]) -> None:
    told = shown["volume/image.text"]
    assert told["failures"] == []
    assert {"base: 61.5 mm", "Landmarks found: 3 {landmarks}"} <= set(told["text"].splitlines())


def points_of(shown: dict[str, Any], study: str) -> dict[str, list[float]]:
    """Where the landmarks are, by name, in pixel indices."""
    landmarks = SPECIAL[study] if study in SPECIAL else read_landmarks(shown["folder"] / "found" / study / "image.json")
    rows = zip(landmarks.names, landmarks.points.tolist(), landmarks.present.tolist(), strict=True)
    return {name: point for name, point, present in rows if present}


def tracking(shown: dict[str, Any], study: str) -> dict[str, str]:
    """Tracking UID by name in a report, from its comments."""
    report = pydicom.dcmread(shown["folder"] / "studies" / study / "image.sr.dcm")
    [container] = [each for each in report.ContentSequence if each.ConceptNameCodeSequence[0].CodeValue == "126010"]
    found = {}
    for group in container.ContentSequence:
        values = {item.ConceptNameCodeSequence[0].CodeValue: item for item in group.ContentSequence}
        found[values["121106"].TextValue] = values["112040"].UID
    return found


OPENED = [study for study in (*DOMAINS, *SPECIAL) if study != "nothing"]


@pytest.mark.parametrize("study", OPENED)
def test_every_point_is_drawn_within_a_twentieth_of_a_pixel(shown: dict[str, Any], study: str) -> None:
    expected, uids = points_of(shown, study), tracking(shown, study)
    assert len(expected) > 3
    drawn = {uid: point for _, uid, point in shown[f"{study}/image.sr"]["drawn"]}
    assert set(drawn) == set(uids.values())
    for name, point in expected.items():
        np.testing.assert_allclose(drawn[uids[name]], point, rtol=0, atol=0.05, err_msg=name)


@pytest.mark.parametrize("study", OPENED)
def test_every_name_is_written_over_the_image(shown: dict[str, Any], study: str) -> None:
    written = "\n".join(shown[f"{study}/image.sr"]["written"])
    for name in points_of(shown, study):
        assert name.replace("\\", ",") in written or len(name) > 100, name  # Orthanc's JSON parts at a backslash


@pytest.mark.parametrize("study", OPENED)
def test_every_point_is_taken_over_with_its_name_and_place(shown: dict[str, Any], study: str) -> None:
    told, expected = shown[f"{study}/image.sr"], points_of(shown, study)
    assert sorted(map(as_name, told["listed"])) == sorted(expected)
    taken = {as_name(label): point for label, _, point in told["taken over"]}
    assert len(taken) == len(told["taken over"]) == len(expected)
    for name, point in expected.items():
        np.testing.assert_allclose(taken[name], point, rtol=0, atol=0.05, err_msg=name)


def as_name(label: str | list[str]) -> str:
    """Orthanc's JSON makes two values of a text with a backslash."""
    return label if isinstance(label, str) else "\\".join(label)


@pytest.mark.parametrize("study", [*DOMAINS, *SPECIAL])
@pytest.mark.parametrize("report", ["image.sr", "image.text"])
def test_no_report_ends_the_page_in_an_error(shown: dict[str, Any], study: str, report: str) -> None:
    assert shown[f"{study}/{report}"]["failures"] == []


@pytest.mark.parametrize("study", DOMAINS)
def test_the_readable_report_has_a_line_for_each_measurement(shown: dict[str, Any], study: str) -> None:
    text = shown[f"{study}/image.text"]["text"].splitlines()
    assert f"Landmarks found: {len(points_of(shown, study))} {{landmarks}}" in text
    table = shown["folder"] / "found" / study / "measurements.csv"
    if study == "hand":
        assert not table.exists()
        return
    with table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["value"]]
    assert rows
    for row in rows:
        decimals = 3 if row["unit"] == "1" else 1
        value, unit = round(float(row["value"]), decimals), {"px": "{pixels}"}.get(row["unit"], row["unit"])
        assert f"{row['name']}: {value:g} {unit}" in text


@pytest.mark.parametrize("report", ["image.sr", "image.text"])
def test_a_report_of_nothing_found_says_so(shown: dict[str, Any], report: str) -> None:
    text = shown[f"nothing/{report}"]["text"]
    assert "Landmarks found: 0 {landmarks}" in text
    assert "Comment: Not found: a, b" in text


@pytest.mark.parametrize("study", [*DOMAINS, "many"])
def test_a_report_saved_in_ohif_is_prepared_with_its_image(shown: dict[str, Any], study: str, tmp_path: Path) -> None:
    shutil.copy(shown["folder"] / "studies" / study / "image.dcm", tmp_path)
    shutil.copy(shown["folder"] / f"{study}-image.sr.saved.dcm", tmp_path / "saved.dcm")
    out = tmp_path / "prepared.json"
    options = ["--layout", "sr", "--domain", "d", "--test", "0", "--validation", "0"]
    assert main(["prepare", str(tmp_path), "-o", str(out), *options]) == 0
    data = Datalist.load(out)
    [case] = data.training
    expected = points_of(shown, study)
    assert set(data.domains["d"].landmarks) == set(expected)
    for name, point in zip(data.domains["d"].landmarks, case["landmarks"], strict=True):
        np.testing.assert_allclose(point, expected[name], rtol=0, atol=0.05, err_msg=name)
