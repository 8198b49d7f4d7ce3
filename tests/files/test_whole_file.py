# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import monai_gu2net
from monai_gu2net.files import whole_file, write_durably, write_text_whole


def test_an_error_while_writing_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_text_whole(tmp_path / "new" / "a.txt", "earlier")

    def write_and_fail() -> None:
        with whole_file(path) as part:
            part.write_text("hal")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_and_fail()
    assert path.read_text() == "earlier"
    assert list(path.parent.iterdir()) == [path]


def test_of_writers_at_the_same_time_one_wins_whole(tmp_path: Path) -> None:
    texts = [str(digit) * 300_000 for digit in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda text: write_text_whole(tmp_path / "a.txt", text), texts))
    assert (tmp_path / "a.txt").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_neither_a_folder_nor_a_device_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OSError, match="a folder or a device"):
            write_text_whole(tmp_path / name, "text")
    assert (tmp_path / "folder").is_dir()
    assert (tmp_path / "pipe").is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}


def test_no_other_room_writes_files_in_a_way_of_its_own() -> None:
    package = Path(monai_gu2net.__file__).parent
    of_its_own = re.compile(
        r"os\.replace\(|mkstemp\(|\.part\"|\.write_text\(|\.write_bytes\(|open\([^)\n]*[\"'][wx][bt]?[\"']"
    )
    elsewhere = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if path.parent.name != "files" and of_its_own.search(path.read_text(encoding="utf-8"))
    }
    # it runs inside 3D Slicer, without this package, and writes into a temporary folder
    assert elsewhere == {"label_app/slicer/GU2NetLandmarks.py"}


def test_what_is_written_durably_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    path = write_durably(tmp_path / "a.bin", b"earlier")
    assert write_durably(path, b"whole").read_bytes() == b"whole"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["a.bin"]
    with pytest.raises(FileNotFoundError, match="away"):  # such as a disk that is not mounted
        write_durably(tmp_path / "away" / "a.bin", b"whole")
