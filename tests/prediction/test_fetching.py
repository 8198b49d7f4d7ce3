# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import fsspec
import pytest

from monai_gu2net.prediction.fetching import fetch, scratch_folder


def test_a_copy_has_the_objects_bytes_and_its_name(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/fetched/a b.png", b"0123456789")
    copy = fetch("memory://fetched/a b.png", tmp_path / "1")
    assert (copy.name, copy.read_bytes()) == ("a b.png", b"0123456789")


def test_an_object_in_an_archive_is_fetched(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/x.dcm", b"content")
    copy = fetch(f"zip://folder/x.dcm::file://{tmp_path}/a.zip", tmp_path / "1")
    assert (copy.name, copy.read_bytes()) == ("x.dcm", b"content")


def test_an_object_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/fetched/large.png", bytes(11))
    with pytest.raises(ValueError, match=r"large\.png must have at most 10 bytes; got more"):
        fetch("memory://fetched/large.png", tmp_path / "1", limit=10)


def test_copies_of_a_killed_run_of_the_same_results_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, other = scratch_folder("out", "1"), scratch_folder("elsewhere", "1")
    for folder in (killed, other):
        (folder / "image.png").write_bytes(b"of a patient")
    now = scratch_folder("out", "2")
    assert now.is_dir()
    assert now.stat().st_mode & 0o077 == 0
    assert not killed.exists()
    assert (other / "image.png").exists()
