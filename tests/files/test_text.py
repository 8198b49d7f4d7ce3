# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from monai_gu2net.files import check_fields, read_json, read_text

TEXT = "größe\nzwei\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])  # the last three write a mark
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_text_reads_alike_whatever_program_saved_it(tmp_path: Path, encoding: str, newline: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(TEXT.replace("\n", newline).encode(encoding))
    assert read_text(path) == TEXT


@pytest.mark.parametrize("content", [TEXT.encode("latin-1"), TEXT.encode("utf-16-le"), b"\xff\xfea"])
def test_what_is_no_such_text_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    """Latin-1, UTF-16 without a mark, and half a character of UTF-16."""
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.txt: the file must be UTF-8 text; got .*\. Save it as UTF-8\."):
        read_text(path)


def test_a_repeated_name_of_a_json_object_is_refused_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"a": {"b": 1, "c": 2, "b": 3}}]')
    with pytest.raises(ValueError, match="got 'b' twice"):
        read_json(path)


def test_known_fields_pass_and_several_unknown_ones_are_named() -> None:
    check_fields({"a": 1}, ["a", "b"], where="It")
    with pytest.raises(ValueError, match=r"It must have fields among .*; got \['lengt', 'witdh'\]\. Did you mean"):
        check_fields(["witdh", "lengt"], ["width", "length"], where="It")
