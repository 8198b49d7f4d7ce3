# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from monai_gu2net.data import open_data
from monai_gu2net.data.config_paths import check_not_rewritten, config_value


@pytest.mark.parametrize(
    "path",
    [
        "/a/b.json",
        "/a#1/b.json",
        "/@a/b@#c",
        "@a",
        "%a",
        "$a",
        "/%a/%#b",
        "/a/$b",
        "C:\\data\\#1",
        "/a'b\"#/é",
        "/a::b",
    ],
)
def test_a_path_passes_monais_configuration_as_it_is(path: str) -> None:
    parser = ConfigParser(
        {"a": 1, "b": 2, "inner": {"path": None, "used": "@inner::path", "more": "$@inner::path + '/m'"}}
    )
    parser.update({"inner#path": config_value(path)})
    assert parser.get_parsed_content("inner::path") == path
    assert parser.get_parsed_content("inner::used") == path
    assert parser.get_parsed_content("inner::more") == f"{path}/m"


@pytest.mark.parametrize("option", ["datalist", "dataset_dir"])
def test_a_path_that_was_rewritten_is_refused_with_what_to_write(tmp_path: Path, option: str) -> None:
    with pytest.raises(ValueError, match=rf"^{option} must be a path without '#'.*--{option} \"\$'.*\\x231'\""):
        open_data(**{option: f"{tmp_path}/a::1"}, phantom_dir=tmp_path / "phantom")


def test_an_output_folder_that_was_rewritten_is_refused_before_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^output_dir must be a path without '#'"):
        open_data(phantom_dir=tmp_path / "out::1" / "phantom")
    assert not list(tmp_path.iterdir())


def test_two_colons_that_are_meant_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a::1").mkdir()
    check_not_rewritten(dataset_dir=tmp_path / "a::1", datalist=None)
