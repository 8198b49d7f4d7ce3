# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What other people's tools say of the DICOM objects written: dicom3tools' dciodvfy and dcmtk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import make_dicom, picture
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from series_files import make_enhanced, make_series, oblique_affine

from monai_gu2net.dicom import Derivation, read_header, series_headers
from monai_gu2net.dicom.presentation_state import write_presentation_state
from monai_gu2net.dicom.readable_report import write_readable_report
from monai_gu2net.dicom.secondary_capture import write_secondary_capture
from monai_gu2net.dicom.structured_report import write_structured_report
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS, HEAD_LANDMARKS
from monai_gu2net.measurements import Measured

pytestmark = pytest.mark.integration

_CLASSES = (
    "ComprehensiveSR",
    "Comprehensive3DSR",
    "CTImage",
    "GrayscaleSoftcopyPresentationState",
    "MultiframeTrueColorSCImage",
)
MODEL = {"model": "GU2Net", "model_version": "1.2 (0123456789ab)"}
UNUSUAL = LandmarkSet(("Übergang é \\ ^ =", "x" * 200, "山田", "none"), [[1, 2], [3, 4], [5, 6], [np.nan] * 2], "index")
NOTHING = LandmarkSet(("a",), [[np.nan, np.nan]], "index")
REAL = ["CR1/6154", "CR2/6247", "CR3/6278"]


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run a tool; where it is not installed, skip, or fail where CI says that it must be."""
    name = str(command[0])
    if shutil.which(name) is None:
        reason = f"{name} is not installed; apt-get install dcmtk dicom3tools"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return subprocess.run([str(part) for part in command], capture_output=True, timeout=60, check=False)


def real(name: str) -> Path:
    return Path(get_testdata_file(f"dicomdirtests/77654033/{name}"))


def some(names: tuple[str, ...], rng: np.random.Generator) -> LandmarkSet:
    """Landmarks somewhere in the image, the second one absent."""
    points = rng.uniform(0, 30, (len(names), 2))
    points[1] = np.nan
    return LandmarkSet(names, points, "index")


def write_all(folder: Path, image: Path, landmarks: LandmarkSet) -> tuple[Path, Path, Path, Path]:
    derivation, count = Derivation(read_header(image), **MODEL), len(landmarks.names)
    measured = [Measured("SNA", 81.5, "deg", 1.25, "angle", None, ""), Measured("w", 3.0, "px", np.nan, "d", None, "")]
    report = write_structured_report(
        folder / "case.sr.dcm",
        landmarks,
        derivation=derivation,
        confidence=np.linspace(0, 1, count),
        radius_px=np.full(count, 2.0),
        radius_mm=np.full(count, 0.2),
        measurements=measured if landmarks is not NOTHING else [],
    )
    axes = np.column_stack([np.full(count, 2.0), np.linspace(1.5, 3, count)])
    state = write_presentation_state(folder / "case.pr.dcm", landmarks, derivation=derivation, radius_px=axes)
    measured = measured if landmarks is not NOTHING else []
    text = write_readable_report(folder / "case.text.dcm", landmarks, derivation=derivation, measurements=measured)
    drawn = np.full((41, 37, 3), 90, dtype=np.uint8)
    capture = write_secondary_capture(folder / "case.sc.dcm", drawn, derivation=derivation)
    return report, text, capture, state


def errors_of(path: Path) -> list[str]:
    done = run("dciodvfy", path)
    said = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    assert any(line.startswith(_CLASSES) for line in said), said
    return [line for line in said if line.startswith("Error")]


@pytest.mark.parametrize("case", ["head", "hand", "300 landmarks", "unusual names", "nothing found"])
def test_dciodvfy_finds_no_error(case: str, tmp_path: Path, rng: np.random.Generator) -> None:
    landmarks = {
        "head": some(HEAD_LANDMARKS, rng),
        "hand": some(HAND_LANDMARKS, rng),
        "300 landmarks": some(tuple(f"point {number}" for number in range(300)), rng),
        "unusual names": UNUSUAL,
        "nothing found": NOTHING,
    }[case]
    image = make_dicom(tmp_path / "image.dcm", picture(), photometric="MONOCHROME1", ImagerPixelSpacing=[0.1, 0.2])
    objects = write_all(tmp_path, image, landmarks)
    assert [errors_of(path) for path in objects] == [[]] * len(objects)


@pytest.mark.parametrize("name", REAL)
def test_dciodvfy_finds_no_error_where_the_image_is_a_scanners(
    name: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    objects = write_all(tmp_path, real(name), some(HEAD_LANDMARKS, rng))
    assert [errors_of(path) for path in objects] == [[]] * len(objects)


def write_of_volume(folder: Path, place: Path, landmarks: LandmarkSet) -> tuple[Path, Path]:
    """The report of a series and the one to be read, with numbers of each unit."""
    slices, count = series_headers(place), len(landmarks.names)
    derivation = Derivation(slices[0], **MODEL, slices=tuple(slices))
    measured = [
        Measured("base", 61.5, "mm", 1.25, "distance", None, ""),
        Measured("a", 3.0, "deg", np.nan, "", None, ""),
    ]
    measured = measured if landmarks.present.any() else []
    report = write_structured_report(
        folder / "case.sr.dcm",
        landmarks,
        derivation=derivation,
        confidence=np.linspace(0, 1, count),
        radius_mm=np.full(count, 0.2),
        parameters=["spacing source: file"],
        measurements=measured,
    )
    text = write_readable_report(folder / "case.text.dcm", landmarks, derivation=derivation, measurements=measured)
    return report, text


def in_space(landmarks: LandmarkSet) -> LandmarkSet:
    return LandmarkSet(landmarks.names, np.c_[landmarks.points, landmarks.points[:, :1]], "index")


@pytest.mark.parametrize("case", ["head", "300 landmarks", "unusual names", "nothing found", "enhanced object"])
def test_dciodvfy_finds_no_error_in_what_is_written_of_a_volume(
    case: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    landmarks = {
        "300 landmarks": some(tuple(f"point {number}" for number in range(300)), rng),
        "unusual names": UNUSUAL,
        "nothing found": NOTHING,
    }.get(case, some(HEAD_LANDMARKS, rng))
    voxels = rng.integers(0, 4000, (8, 7, 6)).astype(np.uint16)
    if case == "enhanced object":
        place = make_enhanced(tmp_path / "volume.dcm", voxels, oblique_affine(), slope=lambda level: 1.0)
    else:
        place = make_series(tmp_path / "series", voxels, oblique_affine())
        assert errors_of(next(place.iterdir())) == []  # that of which the report is
    assert [errors_of(path) for path in write_of_volume(tmp_path, place, in_space(landmarks))] == [[], []]


@pytest.mark.parametrize("case", ["head", "hand", "300 landmarks", "nothing found"])
def test_dcmpschk_passes_the_presentation_state(case: str, tmp_path: Path, rng: np.random.Generator) -> None:
    """With letters of ASCII: dcmtk 3.6.7 takes all others of UTF-8 for errors, as it says itself."""
    landmarks = {
        "head": some(HEAD_LANDMARKS, rng),
        "hand": some(HAND_LANDMARKS, rng),
        "300 landmarks": some(tuple(f"point {number}" for number in range(300)), rng),
        "nothing found": NOTHING,
    }[case]
    image = make_dicom(tmp_path / "image.dcm", picture(), ImagerPixelSpacing=[0.1, 0.2])
    *_, state = write_all(tmp_path, image, landmarks)
    said = run("dcmpschk", state).stderr.decode(errors="replace")
    assert "Test passed." in said, said


def test_dcmtk_reads_every_landmark(tmp_path: Path, rng: np.random.Generator) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture())
    report, *_ = write_all(tmp_path, image, some(HEAD_LANDMARKS, rng))
    done = run("dsrdump", report)
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    found = [name for name in HEAD_LANDMARKS if name != "nasion"]
    assert re.findall(r'"Comment"\)="(\w+)"', text) == found
    assert re.findall(r'"Tracking Identifier"\)="(\w+)"', text) == [*found, "measurements"]  # of what is derived
    assert text.count("(POINT,") == len(HEAD_LANDMARKS) - 1


def test_dcmtk_reads_every_landmark_of_a_volume(tmp_path: Path, rng: np.random.Generator) -> None:
    """Its number is followed by its point, in millimetres that follow from the series' own affine."""
    affine, landmarks = oblique_affine(), in_space(some(HEAD_LANDMARKS, rng))
    place = make_series(tmp_path / "series", rng.integers(0, 4000, (8, 7, 6)).astype(np.uint16), affine)
    report, text = write_of_volume(tmp_path, place, landmarks)
    done = run("dsrdump", report)
    assert done.returncode == 0, done.stderr
    shown = done.stdout.decode()
    assert re.findall(r'"Comment"\)="(\w+)"', shown) == [name for name in HEAD_LANDMARKS if name != "nasion"]
    found = [point.split("/") for point in re.findall(r"SCOORD3D:.*\(POINT,,([-\d./]+)\)", shown)]
    lps = (np.c_[landmarks.points, np.ones(len(landmarks.names))] @ affine.T)[:, :3] * [-1, -1, 1]
    np.testing.assert_allclose(np.array(found, dtype=float), lps[landmarks.present], rtol=0, atol=1e-3)
    assert '"base")="61.5" (mm,UCUM,"mm")' in run("dsrdump", text).stdout.decode()


def gray(path: Path) -> np.ndarray:
    """The values of a binary PGM file, whose fields either tool separates in its own way."""
    data = path.read_bytes()
    head = re.match(rb"P5\s+(?:#.*\n)?(\d+)\s+(\d+)\s+(\d+)\s", data)
    assert head is not None
    width, height, _ = map(int, head.groups())
    return np.frombuffer(data, np.uint8, offset=head.end()).reshape(height, width)


LUT = Dataset()
LUT.LUTDescriptor = [4096, 0, 16]
LUT["LUTDescriptor"].VR = "US"
LUT.LUTData = (65535 * np.linspace(0, 1, 4096) ** 2).astype("<u2").tobytes()
LUT["LUTData"].VR = "OW"
WINDOW = {"WindowCenter": "2000", "WindowWidth": "3000"}


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("tags", "options"),
    [
        ({}, []),
        (WINDOW, ["+Wi", "1"]),
        (WINDOW | {"RescaleSlope": "0.5", "RescaleIntercept": "300", "RescaleType": "US"}, ["+Wi", "1"]),
        ({"VOILUTSequence": [LUT]}, ["+Wl", "1"]),
    ],
    ids=["plain", "window", "rescaled", "VOI LUT"],
)
def test_dcmtk_shows_an_image_with_the_state_as_without(
    photometric: str, tags: dict[str, Any], options: list[str], tmp_path: Path
) -> None:
    image = make_dicom(tmp_path / "image.dcm", picture(), photometric=photometric, **tags)
    assert_shown_as_without(image, options, tmp_path)


@pytest.mark.parametrize("name", REAL)
def test_dcmtk_shows_a_scanners_image_with_the_state_as_without(name: str, tmp_path: Path) -> None:
    assert pydicom.dcmread(real(name)).PhotometricInterpretation == "MONOCHROME1"
    assert_shown_as_without(real(name), ["+Wi", "1"], tmp_path)


def assert_shown_as_without(image: Path, options: list[str], folder: Path) -> None:
    *_, state = write_all(folder, image, LandmarkSet(("a",), [[3.0, 4.0]], "index"))
    shown = run("dcmp2pgm", "--pstate", state, image, folder / "with.pgm")
    assert shown.returncode == 0, shown.stderr
    alone = run("dcm2pnm", *options, image, folder / "without.pgm")
    assert alone.returncode == 0, alone.stderr
    assert np.ptp(gray(folder / "without.pgm")) > 20
    np.testing.assert_array_equal(gray(folder / "with.pgm"), gray(folder / "without.pgm"))
