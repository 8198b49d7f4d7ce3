# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path

import pytest

from monai_gu2net.files import results_of_one_run, write_text_whole


def run(folder: Path, *names: str, kind: str = "report", fails: bool = False) -> None:
    with results_of_one_run(folder, kind=kind):
        for name in names:
            write_text_whole(folder / name, "ours")
        if fails:
            raise ValueError("the disk is full")


def there(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_later_run_leaves_nothing_of_an_earlier_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, "a.txt", "overlays/a.png", "overlays/b.png")
    run(tmp_path, "a.txt", "overlays/b.png")
    assert there(tmp_path) == {"a.txt", "overlays/b.png"}
    assert "1 file(s) of an earlier run" in caplog.text
    run(tmp_path, "a.txt")
    assert not (tmp_path / "overlays").exists()


def test_what_people_keep_there_and_what_they_changed_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, "a.txt", "b.txt", "overlays/a.png")
    (tmp_path / "b.txt").write_text("corrected by hand")
    (tmp_path / "notes.txt").write_text("theirs")
    (tmp_path / "overlays" / "photo.png").write_text("theirs")
    with caplog.at_level(logging.WARNING):
        run(tmp_path, "c.txt")
    assert there(tmp_path) == {"b.txt", "c.txt", "notes.txt", "overlays/photo.png"}
    assert "changed since, and kept: b.txt" in caplog.text


def test_a_run_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    run(tmp_path, "a.txt", kind="prediction")
    run(tmp_path, "b.txt", kind="report")
    run(tmp_path, "c.txt", kind="report")
    assert there(tmp_path) == {"a.txt", "c.txt"}


def test_a_run_that_fails_removes_nothing_and_the_next_one_removes_both(tmp_path: Path) -> None:
    run(tmp_path, "a.txt")
    with pytest.raises(ValueError, match="the disk is full"):
        run(tmp_path, "b.txt", fails=True)
    assert there(tmp_path) == {"a.txt", "b.txt"}
    run(tmp_path, "c.txt")
    assert there(tmp_path) == {"c.txt"}


@pytest.mark.parametrize("name", ["../kept.txt", "/kept.txt", "link.txt", "sub/../../kept.txt"])
def test_a_list_that_was_tampered_with_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("theirs")
    folder = tmp_path / "results"
    run(folder, "a.txt")
    (folder / "link.txt").symlink_to(kept)
    name = str(kept) if name.startswith("/") else name
    digest = hashlib.sha256(b"theirs").hexdigest()
    (folder / ".monai_gu2net.results").write_text(json.dumps({"report": {name: digest}}))
    run(folder, "b.txt")
    assert kept.read_text() == "theirs"
    assert (folder / "link.txt").is_symlink()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"report": 3}', "\0"])
def test_a_damaged_list_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / ".monai_gu2net.results").write_text(content)
    run(tmp_path, "a.txt")
    run(tmp_path, "b.txt")
    assert there(tmp_path) == {"b.txt"}
