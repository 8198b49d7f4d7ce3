# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the package offers by name, and what it and its command line import before there is something to do."""

from __future__ import annotations

import ast
import importlib
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

import monai_gu2net

HEAVY = {"torch", "monai", "itk", "matplotlib", "pandas", "skimage", "pydicom"}
COMMANDS = (
    "prepare",
    "evaluate",
    "predict",
    "dicomweb",
    "listen",
    "calibrate",
    "add-domain",
    "export",
    "label",
    "info",
)
ROOMS = [
    monai_gu2net.__name__,
    *(name for _, name, package in pkgutil.walk_packages(monai_gu2net.__path__, "monai_gu2net.") if package),
]
LAZY = [name for name in ROOMS if Path(importlib.import_module(name).__file__ or "").with_suffix(".pyi").is_file()]


def run(script: str, *arguments: str) -> str:
    """What a new Python process writes to its standard error."""
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return done.stderr


def imported(script: str, *arguments: str) -> set[str]:
    """The top packages that a new process has imported at its end."""
    at_end = "import atexit, sys; atexit.register(lambda: sys.stderr.write(chr(10).join(sys.modules)));"
    return {name.partition(".")[0] for name in run(at_end + script, *arguments).splitlines()}


def test_what_evaluates_a_model_is_heavy() -> None:
    assert imported("from monai_gu2net import evaluate_model") >= {"torch", "monai", "itk", "pydicom"}


def test_the_package_imports_nothing_heavy() -> None:
    assert not imported("import monai_gu2net; dir(monai_gu2net)") & (HEAVY | {"numpy"})


@pytest.mark.parametrize(
    "arguments", [("--version",), *((*command.split(), "--help") for command in ("", *COMMANDS, "report rescore"))]
)
def test_help_and_version_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not imported("from monai_gu2net.__main__ import main; sys.exit(main())", *arguments) & HEAVY


def test_every_room_but_the_commands_loads_its_names_when_they_are_used() -> None:
    assert set(ROOMS) - set(LAZY) == {"monai_gu2net.commands"}


@pytest.mark.parametrize("name", LAZY)
def test_a_room_offers_what_its_stub_declares(name: str) -> None:
    room = importlib.import_module(name)
    assert room.__file__ is not None
    stub = ast.parse(Path(room.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    declared = [alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(room.__all__) == sorted(declared)
    assert set(declared) <= set(dir(room))
    assert all(hasattr(room, each) for each in declared)
    assert not hasattr(room, "no_such_name")


def test_a_name_is_no_module_even_where_a_module_of_its_name_was_imported_before() -> None:
    script = """
import importlib, inspect, pkgutil, sys
import monai_gu2net
for room in sys.argv[1:]:
    for module in pkgutil.iter_modules(importlib.import_module(room).__path__, f"{room}."):
        if not module.name.startswith("monai_gu2net.label_app."):
            importlib.import_module(module.name)
for room in map(importlib.import_module, sys.argv[1:]):
    for name in room.__all__:
        if inspect.ismodule(getattr(room, name)) and room is not monai_gu2net:
            sys.stderr.write(f"{room.__name__}.{name} ")
"""
    assert run(script, *LAZY) == ""


def test_the_front_door_has_what_the_rooms_have() -> None:
    assert monai_gu2net.GU2Net is monai_gu2net.networks.GU2Net
    assert monai_gu2net.load is importlib.import_module("monai_gu2net.prediction.predictor").load
    assert {"Predictor", "Found", "Datalist", "LandmarkSet", "RadialErrorMetric", "HeatmapLoss"} <= set(
        dir(monai_gu2net)
    )


@pytest.mark.parametrize("place", ["monai_gu2net", "monai_gu2net.transforms"])
def test_a_configuration_finds_a_name_at_the_front_door_and_in_its_room(place: str) -> None:
    config = ConfigParser({"it": {"_target_": f"{place}.LandmarksToPointsd", "keys": "landmarks"}})
    assert type(config.get_parsed_content("it")) is monai_gu2net.LandmarksToPointsd


def test_what_was_taken_at_the_front_door_can_be_pickled() -> None:
    points = monai_gu2net.LandmarkSet(("a", "b"), [[1.0, 2.0], [3.0, 4.0]], "mm")
    again = pickle.loads(pickle.dumps(points))
    assert type(again) is monai_gu2net.LandmarkSet
    assert again.names == ("a", "b")
