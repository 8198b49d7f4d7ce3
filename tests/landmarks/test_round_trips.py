# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is written is read again, in every format and for any landmarks."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from monai_gu2net.landmarks import LandmarkSet, read_landmarks, write_landmarks

NAMES = st.lists(
    st.text(st.characters(blacklist_categories=["C", "Z"]), min_size=1, max_size=12),
    unique=True,
    min_size=1,
    max_size=6,
)
COORDINATE = st.floats(-1e5, 1e5, allow_nan=False)


@st.composite
def landmark_sets(draw, *, frame: str) -> LandmarkSet:
    names, dims = draw(NAMES), 3 if frame in ("LPS", "RAS") else 2 if frame == "mm" else draw(st.sampled_from([2, 3]))
    points = draw(
        st.lists(st.lists(COORDINATE, min_size=dims, max_size=dims), min_size=len(names), max_size=len(names))
    )
    absent = draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)))
    array = np.array(points)
    array[np.array(absent)] = np.nan
    return LandmarkSet(tuple(names), array, frame)  # type: ignore[arg-type]


def assert_read_again(landmarks: LandmarkSet, extension: str, **options) -> None:
    with TemporaryDirectory() as folder:
        path = write_landmarks(Path(folder) / f"case{extension}", landmarks, confidence=np.ones(len(landmarks.names)))
        again = read_landmarks(path, **options)
    assert again.names == landmarks.names
    assert again.frame == landmarks.frame
    np.testing.assert_allclose(again.points, landmarks.points, rtol=0, atol=1e-6)


@pytest.mark.parametrize("extension", [".json", ".csv"])
@given(landmarks=st.sampled_from(["index", "mm", "LPS", "RAS"]).flatmap(lambda frame: landmark_sets(frame=frame)))
def test_json_and_csv_return_what_was_written(extension, landmarks):
    assert_read_again(landmarks, extension)


@given(landmarks=landmark_sets(frame="mm") | landmark_sets(frame="LPS"))
def test_markups_return_what_was_written(landmarks):
    assert_read_again(landmarks, ".mrk.json", dims=landmarks.dims)


@pytest.fixture
def landmarks() -> LandmarkSet:
    return LandmarkSet(("a",), np.array([[1.0, 2.0]]), "mm")


@pytest.mark.parametrize("extension", [".json", ".csv", ".mrk.json"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(extension, landmarks, tmp_path, monkeypatch):
    path = tmp_path / f"case{extension}"
    write_landmarks(path, landmarks)
    before = path.read_bytes()

    def fail(source, target):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_landmarks(path, LandmarkSet(("a",), np.array([[9.0, 9.0]]), "mm"))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_writing_makes_the_folder(landmarks, tmp_path):
    assert write_landmarks(tmp_path / "new" / "case.json", landmarks) == tmp_path / "new" / "case.json"
    assert (tmp_path / "new" / "case.json").is_file()


def test_another_extension_is_refused(landmarks, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.json, \.csv or \.mrk\.json; got .*case\.txt"):
        write_landmarks(tmp_path / "case.txt", landmarks)


def test_mm_are_refused_for_pixel_indices(tmp_path):
    with pytest.raises(ValueError, match="unit must be 'px' for pixel indices"):
        write_landmarks(tmp_path / "a.json", LandmarkSet(("a",), np.zeros((1, 2)), "index"), unit="mm")


def test_a_confidence_per_landmark_is_asked_for(landmarks, tmp_path):
    with pytest.raises(ValueError, match=r"confidence must have shape \(1,\)"):
        write_landmarks(tmp_path / "a.json", landmarks, confidence=[0.5, 0.5])
