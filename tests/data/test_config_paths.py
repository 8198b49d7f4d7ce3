# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from monai.bundle import ConfigParser
from PIL import Image

from monai_gu2net.data import Datalist, Domain
from monai_gu2net.data.config_paths import check_not_rewritten, config_value
from monai_gu2net.engines.add_domain import add_domain
from monai_gu2net.networks import GU2Net, ModelCard, save_model
from monai_gu2net.sources import open_data


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


def test_add_domain_hands_on_its_paths_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a#1 @b%c$d"
    folder.mkdir()
    network = GU2Net(2, 1, {"old": 1}, features=(4, 8), global_features=4, dilations=(1, 2))
    card = ModelCard({"old": Domain("old", ("a",), (16, 16))}, network.description)
    model = save_model(folder / "model#.pt", network, card)
    (folder / "train#.json").write_text("{}")
    cases = [{"image": str(folder / f"{n}.png"), "landmarks": [[1.0, 2.0]]} for n in range(2)]
    for case in cases:
        Image.new("L", (8, 8)).save(case["image"])
    new = Datalist("new", {"new": Domain("new", ("b",), (16, 16))}, training=cases[:1], validation=cases[1:])
    new.save(folder / "data#.json")
    given: dict[str, object] = {}

    def run(**overrides: object) -> None:
        parser = ConfigParser({})
        parser.update({name: overrides[name] for name in ("datalist", "output_dir", "start_from")})
        given.update({name: parser.get_parsed_content(name) for name in ("datalist", "output_dir", "start_from")})

    monkeypatch.setattr("monai.bundle.run", run)
    add_domain(model, folder / "data#.json", output_dir=folder / "out#", config_file=folder / "train#.json")
    named = {"datalist": "data#.json", "output_dir": "out#", "start_from": "model#.pt"}
    assert given == {option: str(folder / name) for option, name in named.items()}
