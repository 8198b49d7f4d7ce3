# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from pydicom import uid
from series_files import make_enhanced, make_series

from monai_gu2net.data import Datalist, Domain, case_names
from monai_gu2net.files import left_out_lines
from monai_gu2net.landmarks.anatomical_names import HAND_LANDMARKS
from monai_gu2net.phantom import make_phantom
from monai_gu2net.sources import cases_to_predict, images_in, open_data
from monai_gu2net.sources import opening as source

HEAD = Domain("head", ("a", "b"), (8, 8))
KNEE = Domain("knee", ("c",), (8, 8))


def blank(path: Path, size: tuple[int, int] = (20, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)
    return path


def make_datalist(folder: Path, name: str = "own") -> Path:
    cases = [
        {"image": str(blank(folder / f"{domain}.png")), "domain": domain, "case": domain} for domain in ("head", "knee")
    ]
    return Datalist(name, {"head": HEAD, "knee": KNEE}, cases[:1], test=cases[1:]).save(folder / "datalist.json")


def make_chest(folder: Path, count: int = 5) -> None:
    (folder / "labels").mkdir(parents=True)
    for n in range(count):
        blank(folder / "pngs" / f"{n}.png")
        (folder / "labels" / f"{n}.txt").write_text("6\n" + "0.25 0.5\n" * 6)


def make_hand(folder: Path, count: int = 4) -> None:
    points = ",".join(f"{n},{n}" for n in range(1, 38))
    for n in range(3100, 3100 + count):
        blank(folder / "jpg" / f"{n}.jpg", (40, 40))
    (folder / "all.csv").write_text("".join(f"{n},{points}\n" for n in range(3100, 3100 + count)))


@pytest.fixture(autouse=True)
def phantom_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The phantom with one case a split, and for which domains it was drawn."""
    calls: list[tuple[str, ...]] = []

    @functools.wraps(make_phantom)
    def small(folder: Path, *, domains: tuple[str, ...]) -> Path:
        calls.append(domains)
        cases = {"training": 1, "validation": 0, "test": 1}
        return make_phantom(folder, domains=domains, cases=cases, progress=False)

    monkeypatch.setattr(source, "make_phantom", small)
    return calls


def test_a_datalist_goes_before_a_folder(tmp_path: Path) -> None:
    path = make_datalist(tmp_path / "one", name="first")
    make_chest(tmp_path / "two")
    assert open_data(path, tmp_path / "two", phantom_dir=tmp_path / "phantom").name == "first"
    assert not (tmp_path / "phantom").exists()


def test_a_folder_with_a_datalist_is_that_datalist(tmp_path: Path) -> None:
    make_datalist(tmp_path / "one")
    make_chest(tmp_path / "one")
    data = open_data(dataset_dir=tmp_path / "one", phantom_dir=tmp_path / "phantom")
    assert list(data.domains) == ["head", "knee"]


def test_some_domains_are_kept_in_the_order_asked_for(tmp_path: Path) -> None:
    path = make_datalist(tmp_path)
    assert list(open_data(path, domains=["knee", "head"], phantom_dir=tmp_path).domains) == ["knee", "head"]
    one = open_data(path, domains=["knee"], phantom_dir=tmp_path)
    assert one.training == []
    assert len(one.test) == 1
    with pytest.raises(ValueError, match=r"Domains must be among \['head', 'knee'\]; got \['hand'\]"):
        open_data(path, domains=["hand"], phantom_dir=tmp_path)


def test_a_folder_may_be_a_layout(tmp_path: Path) -> None:
    make_chest(tmp_path / "lungs")
    data = open_data(dataset_dir=tmp_path / "lungs", phantom_dir=tmp_path / "phantom")
    assert data.name == "lungs"
    assert data.landmark_counts == {"chest": 6}
    assert len(data.training) + len(data.validation) + len(data.test) == 5


def make_table(folder: Path, count: int = 5) -> None:
    lines = ["image,a_x,a_y"]
    for n in range(count):
        blank(folder / f"{n}.png")
        lines.append(f"{n}.png,{n},2")
    (folder / "landmarks.csv").write_text("\n".join(lines) + "\n")


def test_the_domain_of_a_folder_can_be_named(tmp_path: Path) -> None:
    make_table(tmp_path / "all" / "images_and_points")
    for folder in (tmp_path / "all", tmp_path / "all" / "images_and_points"):
        data = open_data(dataset_dir=folder, domain="knee", phantom_dir=tmp_path / "phantom")
        assert data.landmark_counts == {"knee": 1}
        assert {case["domain"] for case in data.cases("all")} == {"knee"}
        assert len(data.cases("all")) == 5
    assert list(open_data(dataset_dir=folder, phantom_dir=tmp_path).domains) == ["images_and_points"]


def test_a_name_for_the_domain_of_other_data_is_refused(tmp_path: Path) -> None:
    make_table(tmp_path / "all" / "one")
    make_table(tmp_path / "all" / "two")
    path = make_datalist(tmp_path / "own")
    data = open_data(path, phantom_dir=tmp_path)
    for options, given in (
        ({"datalist": path}, "a datalist"),
        ({"opened": data}, "a datalist"),
        ({"dataset_dir": path.parent}, r"a datalist\.json, which names its own"),
        ({"dataset_dir": tmp_path / "all"}, r"the datasets \['one', 'two'\]"),
        ({}, "no folder"),
    ):
        with pytest.raises(ValueError, match=rf"domain must name that of a dataset_dir .*; got 'knee' and {given}\."):
            open_data(**options, domain="knee", phantom_dir=tmp_path / "phantom")


def test_folders_within_a_folder_are_a_domain_each(tmp_path: Path) -> None:
    make_chest(tmp_path / "all" / "lungs", count=5)
    make_hand(tmp_path / "all" / "hands", count=4)
    blank(tmp_path / "all" / "notes" / "x.png")
    data = open_data(dataset_dir=tmp_path / "all", phantom_dir=tmp_path / "phantom")
    assert data.name == "all"
    assert data.landmark_counts == {"hand": 37, "chest": 6}
    counts = [case["domain"] for case in data.training + data.validation + data.test]
    assert (counts.count("hand"), counts.count("chest")) == (4, 5)


def test_a_broken_layout_is_not_passed_over(tmp_path: Path) -> None:
    make_chest(tmp_path / "all" / "lungs")
    make_hand(tmp_path / "all" / "hands")
    for label in (tmp_path / "all" / "lungs" / "labels").iterdir():
        label.write_text("6\nwords\n")
    with pytest.raises(ValueError, match=r"lungs: its images and annotations must be readable; got none .*0\.txt"):
        open_data(dataset_dir=tmp_path / "all", phantom_dir=tmp_path / "phantom")


def test_a_folder_of_no_known_layout_is_refused(tmp_path: Path) -> None:
    blank(tmp_path / "images" / "x.png")
    with pytest.raises(ValueError, match=r"a dataset must have one of the layouts .*; got none of them"):
        open_data(dataset_dir=tmp_path, phantom_dir=tmp_path / "phantom")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"dataset_dir must be a folder; got '.*nowhere', which is not"):
        open_data(dataset_dir=tmp_path / "nowhere", phantom_dir=tmp_path / "phantom")


def test_a_missing_image_is_for_the_run_to_say(tmp_path: Path) -> None:
    path = make_datalist(tmp_path)
    (tmp_path / "head.png").unlink()
    assert len(open_data(path, phantom_dir=tmp_path).cases("all")) == 2


def test_folders_of_no_known_layout_and_what_the_others_left_out_are_kept(tmp_path: Path) -> None:
    make_chest(tmp_path / "all" / "lungs")
    make_hand(tmp_path / "all" / "hands")
    (tmp_path / "all" / "lungs" / "labels" / "0.txt").unlink()
    blank(tmp_path / "all" / "notes" / "x.png")
    data = open_data(dataset_dir=tmp_path / "all", phantom_dir=tmp_path / "phantom")
    assert left_out_lines(data.left_out) == [
        "1 folder(s) left out, it has no known layout: notes",
        "1 image(s) left out, it has no label: lungs/pngs/0.png",
    ]
    assert Datalist.load(data.save(tmp_path / "datalist.json")).left_out == tuple(data.left_out)


def test_without_data_the_phantom_is_drawn_once_its_cases_are_asked_for(
    tmp_path: Path, phantom_calls: list[tuple[str, ...]]
) -> None:
    data = open_data(domains=["hand"], phantom_dir=tmp_path / "phantom")
    assert (data.name, list(data.domains), phantom_calls) == ("phantom", ["hand"], [])
    assert data.domains["hand"].landmarks == HAND_LANDMARKS
    assert len(data.cases("all")) == 2
    assert phantom_calls == [("hand",)]
    assert data.origin is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        data.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert [len(data.training), len(data.validation), len(data.test)] == [1, 0, 1]
    assert Path(data.test[0]["image"]).parent.parent == tmp_path / "phantom"


def test_the_phantom_has_the_papers_domains_if_no_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_datalist(tmp_path)
    asked: list[tuple[str, ...]] = []

    def fake(folder: Path, *, domains: tuple[str, ...]) -> Path:
        asked.append(domains)
        return path

    monkeypatch.setattr(source, "make_phantom", fake)
    for options in ({}, {"phantom_domains": ["head", "spine"]}, {"domains": ["head"], "phantom_domains": ["spine"]}):
        data = open_data(phantom_dir=tmp_path, **options)  # type: ignore[arg-type]
        assert data.cases("test")
        assert data.name == "own"
    assert asked == [("head", "hand", "chest"), ("head", "spine"), ("head",)]


def test_the_images_of_a_folder_are_cases_without_landmarks(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG"):
        blank(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    cases = cases_to_predict(tmp_path, KNEE, phantom_dir=tmp_path / "phantom")
    assert cases == [
        {"image": str(tmp_path / "a.JPG"), "domain": "knee", "case": "a.JPG"},
        {"image": str(tmp_path / "b.png"), "domain": "knee", "case": "b.png"},
    ]


def test_dicom_is_found_without_endings_and_in_folders_within(tmp_path: Path, make_dicom: Callable[..., Path]) -> None:
    """As on a medium: DICOMDIR beside a folder of images; pictures of the folders within are somebody else's."""
    pixels = np.zeros((6, 8), np.uint16)
    deep = make_dicom(tmp_path / "PAT0" / "ST0" / "IM1", pixels)
    top = make_dicom(tmp_path / "1.2.840.5", pixels)
    report = make_dicom(tmp_path / "PAT0" / "report", pixels, Rows=None, SOPClassUID=uid.ComprehensiveSRStorage)
    state = make_dicom(
        tmp_path / "state.dcm", pixels, Rows=None, SOPClassUID=uid.GrayscaleSoftcopyPresentationStateStorage
    )
    make_dicom(tmp_path / "DICOMDIR", pixels)
    make_dicom(tmp_path / ".hidden", pixels)
    (tmp_path / "torn.dcm").write_text("words")
    (tmp_path / "README").write_text("no image")
    blank(tmp_path / "a.png")
    blank(tmp_path / "out" / "overlay.png")
    images, left_out = images_in(tmp_path)
    assert images == [top, deep, tmp_path / "a.png", tmp_path / "torn.dcm"]
    assert {(item.what, item.name, item.reason) for item in left_out} == {
        ("file", report.relative_to(tmp_path).as_posix(), "a structured report"),
        ("file", state.name, "no image (Grayscale Softcopy Presentation State Storage)"),
        ("file", "README", "no image of a known kind"),
        ("picture", "out/overlay.png", "it lies in a folder within"),
    }
    cases = cases_to_predict(tmp_path, KNEE, phantom_dir=tmp_path / "phantom")
    assert [case["case"] for case in cases] == ["1.2.840.5", "PAT0/ST0/IM1", "a.png", "torn.dcm"]


def test_a_domain_of_volumes_takes_each_folder_of_slices_as_one_image_and_leaves_pictures_out(
    tmp_path: Path, make_dicom: Callable[..., Path]
) -> None:
    """As in an archive of a patient: two series, an enhanced object beside a report, and a folder of a torn file."""
    values = np.zeros((4, 3, 2), np.uint16)
    ct = make_series(tmp_path / "PAT0" / "ct", values, np.eye(4))
    mr = make_series(tmp_path / "PAT0" / "mr", values, np.eye(4), series="mr")
    enhanced = [
        make_enhanced(tmp_path / "enhanced" / name, values, np.eye(4), slope=lambda frame: 1.0) for name in ("1", "2")
    ]
    report = make_dicom(tmp_path / "enhanced" / "3", values[..., 0], Rows=None, SOPClassUID=uid.ComprehensiveSRStorage)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "1.dcm").write_text("words")
    nib.Nifti1Image(values, np.eye(4)).to_filename(tmp_path / "a.nii.gz")
    (tmp_path / "within").mkdir()
    (tmp_path / "within" / "b.mha").write_bytes(b"")
    blank(tmp_path / "a.png")
    images, left_out = images_in(tmp_path, dims=3)
    assert images == [ct, mr, tmp_path / "a.nii.gz", *enhanced, tmp_path / "torn"]
    assert {(item.what, item.name, item.reason) for item in left_out} == {
        ("file", report.relative_to(tmp_path).as_posix(), "a structured report"),
        ("picture", "a.png", "the domain is of volumes"),
        ("volume", "within/b.mha", "it lies in a folder within"),
    }
    skull = Domain("skull", ("a",), (8, 8, 8))
    cases = cases_to_predict(tmp_path, skull, phantom_dir=tmp_path / "phantom")
    assert [case["case"] for case in cases][:3] == ["PAT0/ct", "PAT0/mr", "a.nii.gz"]
    assert [case["case"] for case in cases_to_predict(ct, skull, phantom_dir=tmp_path / "phantom")] == ["ct"]


def test_images_of_one_name_in_two_folders_are_two_cases() -> None:
    images = [Path("/x/a/IM1"), Path("/x/b/IM1"), Path("/x/c.nii.gz"), Path("/x/d/c.png")]
    assert case_names(images) == ["a/IM1", "b/IM1", "c.nii.gz", "c.png"]


def test_a_folder_without_images_has_nothing_to_predict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="dataset_dir must be a folder of images; got none in"):
        cases_to_predict(tmp_path, KNEE, phantom_dir=tmp_path / "phantom")


def test_without_a_folder_the_test_images_of_the_phantom_are_predicted(tmp_path: Path) -> None:
    hand = Domain("hand", ("a",), (8, 8))
    cases = cases_to_predict(None, hand, phantom_dir=tmp_path / "phantom")
    assert [sorted(case) for case in cases] == [["case", "domain", "image"]]
    assert cases[0]["domain"] == "hand"


def test_two_folders_of_one_domain_are_refused(tmp_path: Path) -> None:
    make_chest(tmp_path / "one")
    make_chest(tmp_path / "two")
    with pytest.raises(ValueError, match=r"must be of different domains; got \['chest'\] more than once"):
        open_data(dataset_dir=tmp_path, phantom_dir=tmp_path / "phantom")


@pytest.mark.parametrize("asked_before", [False, True])
def test_the_phantom_that_is_drawn_when_asked_for_is_a_datalist_like_any_other(
    tmp_path: Path, phantom_calls: list[tuple[str, ...]], asked_before: bool
) -> None:
    data = open_data(domains=["head", "hand"], phantom_dir=tmp_path / "phantom")
    if asked_before:
        assert data.training
    part = data.only(["hand"])
    assert {case["domain"] for case in part.cases("all")} == {"hand"} == set(part.domains)
    assert Datalist.load(data.save(tmp_path / "saved.json")).cases("all") == data.cases("all")
    assert replace(data, name="other").cases("all") == data.cases("all")
    assert len(phantom_calls) == 1
