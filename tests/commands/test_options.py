# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse

import pytest
import torch

from monai_gu2net.__main__ import main
from monai_gu2net.commands.command import add_command
from monai_gu2net.commands.options import MODELS, add_options, device_of, pair, spacing_or_unknown


@pytest.fixture
def commands() -> argparse._SubParsersAction:
    """The commands of an otherwise empty program."""
    return argparse.ArgumentParser("program").add_subparsers()


@pytest.mark.parametrize(("there", "expected"), [(True, "cuda"), (False, "cpu")])
def test_the_device_is_the_best_that_is_there_when_the_command_runs(
    commands: argparse._SubParsersAction, monkeypatch: pytest.MonkeyPatch, there: bool, expected: str
) -> None:
    command = add_command(commands, "find", "find something", run=lambda options: 0)
    add_options(command, *MODELS)
    options = command.parse_args(["-m", "model.pt"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of(options) == expected


def test_a_device_that_is_not_there_is_an_error_in_plain_words(commands: argparse._SubParsersAction) -> None:
    command = add_command(commands, "find", "find something", run=lambda options: 0)
    add_options(command, *MODELS)
    options = command.parse_args(["-m", "model.pt", "--device", "nowhere"])
    with pytest.raises(ValueError, match=r"The device must be one of this machine; got 'nowhere' \(.*Name another"):
        device_of(options)


@pytest.mark.parametrize("text", ["65536", "-1", "http", ""])
def test_a_port_is_from_0_to_65535(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, "--port", default=8000)
    assert parser.parse_args([]).port == 8000
    assert parser.parse_args(["--port", "65535"]).port == 65535
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args([f"--port={text}"])
    assert f"argument --port: must be a port, 0 to 65535; got {text!r}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["SKULL", "=head", "SKULL=", ""])
def test_a_pair_has_two_sides(text: str) -> None:
    assert pair("PART=DOMAIN")("SKULL=head=neck") == ("SKULL", "head=neck")
    with pytest.raises(argparse.ArgumentTypeError, match=f"must be PART=DOMAIN; got '{text}'"):
        pair("PART=DOMAIN")(text)


def test_the_spacing_of_all_images_is_not_unknown_and_that_of_a_dataset_may_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of_images, of_dataset = argparse.ArgumentParser(), argparse.ArgumentParser()
    add_options(of_images, "--spacing")
    add_options(of_dataset, "--spacing", type=spacing_or_unknown)
    for parser in (of_images, of_dataset):
        assert parser.parse_args(["--spacing", "0.1"]).spacing == (0.1, 0.1)
        assert parser.parse_args(["--spacing", "0.1,0.2"]).spacing == (0.1, 0.2)
    assert of_dataset.parse_args(["--spacing", "unknown"]).spacing == "unknown"
    with pytest.raises(SystemExit, match="2"):
        of_images.parse_args(["--spacing", "unknown"])
    assert "must be mm per pixel; got 'unknown'. Leave it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "rule"),
    [("--size", "must be WxH, such as 416x512"), ("--test", "must be a count, or a fraction such as 0.1")],
)
def test_a_size_or_an_amount_that_is_none_says_what_it_must_be(
    option: str, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["prepare", "folder", "-o", "x.json", option, "many"])
    assert f"argument {option}: {rule}; got 'many'" in capsys.readouterr().err
