# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A kind of dataset folder that somebody else adds, of volumes: see volume_source.py, which the documentation shows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import volume_source

from monai_gu2net.__main__ import main
from monai_gu2net.data import SPLITS
from monai_gu2net.files import LeftOut
from monai_gu2net.landmarks import LandmarkSet
from monai_gu2net.sources import SOURCES, Entry, Source, read_layout, recognize_layout


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    volume_source.register()
    yield
    del SOURCES["volumes"]


def volume(folder: Path, name: str, line: str | None = "a,10,20,30\nb,1,2,3\n") -> Path:
    """40 x 80 x 60 voxels, with the points a and b."""
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((40, 80, 60), np.uint8), np.diag([0.5, 0.5, 0.5, 1])), folder / f"{name}.nii.gz")
    if line is not None:
        (folder / f"{name}.csv").write_text(f"landmark,x,y,z\n{line}")
    return folder


def test_it_takes_twenty_lines() -> None:
    lines = inspect.getsource(volume_source.volume_entries) + inspect.getsource(volume_source.register)
    assert len([line for line in lines.splitlines() if line.strip()]) <= 20


def test_volumes_become_cases_of_three_axes(tmp_path: Path) -> None:
    folder = tmp_path / "skull"
    for n, patient in enumerate("ppqqrrsstt"):
        volume(folder, f"{n}_{patient}")
    volume(folder, "bare", line=None)
    assert recognize_layout(folder) == "volumes"
    data = read_layout(folder)
    [domain] = data.domains.values()
    assert (domain.name, domain.landmarks, domain.size, domain.unit) == ("skull", ("a", "b"), (48, 80, 64), "mm")
    assert (domain.orientation, domain.target_spacing) == ("RAS", (0.5, 0.5, 0.5))
    assert data.left_out == (LeftOut("image", "bare.nii.gz", "it has no points"),)
    patients = [{case["patient"] for case in data.cases(split)} for split in SPLITS]
    assert sorted(map(len, patients)) == [1, 1, 3]
    assert len(set.union(*patients)) == 5
    assert {str(case["landmarks"]) for case in data.cases("all")} == {"[[10.0, 20.0, 30.0], [1.0, 2.0, 3.0]]"}
    assert read_layout(folder, spacing=(0.5, 0.5, 0.5)).domains["skull"].spacing == (0.5, 0.5, 0.5)


def test_a_landmark_outside_of_a_volume_and_a_volume_that_is_broken_are_left_out(tmp_path: Path) -> None:
    volume(tmp_path, "in_p")
    volume(tmp_path, "out_q", line="a,10,20,60\nb,1,2,3\n")  # of planes 0 to 59
    (volume(tmp_path, "torn_r") / "torn_r.nii.gz").write_bytes(b"no volume")
    with pytest.raises(ValueError, match=r"got 1 of 4 outside \(.* out_q: a\)"):
        read_layout(tmp_path)
    data = read_layout(tmp_path, test=0, validation=0, allow_outside=1)
    assert [(item.what, item.name) for item in data.left_out] == [("image", "torn_r.nii.gz")]
    assert [case.get("outside") for case in data.training] == [None, ["a"]]
    assert data.training[1]["landmarks"] == [None, [1.0, 2.0, 3.0]]


def test_prepare_takes_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume(tmp_path / "skull", "1_p")
    assert main(["prepare", str(tmp_path / "skull"), "-o", str(tmp_path / "out.json")]) == 0
    assert "skull: 2 landmarks, 1 training, 0 validation, 0 test, unit mm" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (LandmarkSet(("a",), [[1.0, 2.0, 3.0]], "mm"), "landmarks must be 3-D pixel indices; got 3-D in 'mm'"),
        (LandmarkSet(("a", "c"), [[1.0] * 3] * 2, "index"), r"landmarks must be those of domain 'd'; got \['c'\]"),
    ],
)
def test_entries_that_break_a_rule_are_refused(landmarks: LandmarkSet, message: str, tmp_path: Path) -> None:
    image = volume(tmp_path, "x") / "x.nii.gz"
    domain = read_layout(tmp_path, domain="d", landmarks=None, test=0, validation=0).domains["d"]
    SOURCES["volumes"] = Source("", lambda _: True, lambda _: iter([Entry(image, landmarks)]), domain=domain)
    with pytest.raises(ValueError, match=message):
        read_layout(tmp_path, layout="volumes")


def test_what_cannot_be_used_and_who_annotated_can_be_said_of_an_entry(tmp_path: Path) -> None:
    images = [volume(tmp_path, name) / f"{name}.nii.gz" for name in ("x", "y")]
    sets = {who: LandmarkSet(("a",), [[x, 2.0, 3.0]], "index") for who, x in (("me", 1.0), ("you", 4.0))}
    entries = [Entry(images[0], sets, split="test"), Entry(images[1], sets, reason="it is blurred")]
    SOURCES["volumes"] = Source("", lambda _: True, lambda _: iter(entries))
    data = read_layout(tmp_path, layout="volumes")
    assert data.left_out == (LeftOut("image", "y", "it is blurred"),)
    assert data.test[0]["landmarks"] == [[2.5, 2.0, 3.0]]
    assert data.test[0]["annotators"] == {"me": [[1.0, 2.0, 3.0]], "you": [[4.0, 2.0, 3.0]]}
