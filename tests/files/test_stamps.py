# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

from monai_gu2net.files import stamps_of


def test_what_is_written_over_in_a_folder_changes_its_stamps_whatever_the_folders_own_time(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("1")
    before, time = stamps_of(tmp_path), tmp_path.stat().st_mtime_ns
    assert stamps_of(tmp_path) == before
    (tmp_path / "b").write_text("22")
    os.utime(tmp_path, ns=(time, time))
    after = stamps_of(tmp_path)
    assert [[name, size] for name, _, size in after] == [[str(tmp_path / "a"), 1], [str(tmp_path / "b"), 2]]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_file_has_its_own_stamp_and_what_is_not_there_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("123")
    os.utime(tmp_path / "a", ns=(5, 7))
    assert stamps_of(tmp_path / "a") == ((str(tmp_path / "a"), 7, 3),)
    assert stamps_of(tmp_path / "b") == ()
