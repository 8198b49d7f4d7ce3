# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the package says of itself: names of modules, docstrings, and references to what is there."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import monai_gu2net

ROOT = Path(__file__).parent.parent
MODULES = [name for _, name, package in pkgutil.walk_packages(monai_gu2net.__path__, "monai_gu2net.") if not package]
HERE = importlib.util.find_spec("monailabel") is not None  # label_app's modules can be imported only then
ROOMS = [name for _, name, package in pkgutil.walk_packages(monai_gu2net.__path__, "monai_gu2net.") if package]
TEXTS = (".md", ".py", ".pyi", ".json", ".jinja", ".cfg")
REFERENCE = re.compile(r"(?<![\w./-])monai_gu2net(?:\.[A-Za-z_]\w*)+")
ROLE = re.compile(r":(?:func|class|meth|mod|attr|data):`~?\.?([^`]+)`")


def importable(name: str) -> bool:
    return HERE or not name.startswith("monai_gu2net.label_app.")


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        return all((found := getattr(found, part, None)) is not None for part in parts[length:])
    return False


def stale(text: str) -> Iterator[str]:
    """References to what is not there."""
    return (name for name in sorted(set(REFERENCE.findall(text))) if importable(name) and not resolves(name))


def test_no_two_modules_have_one_name() -> None:
    names = Counter(name.rpartition(".")[2] for name in MODULES)
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_a_name_that_is_not_there_is_seen() -> None:
    package = "monai_gu2net"
    text = f":func:`~{package}.data.no_such_name`, {package}.no_room.Found and {package}.transforms.Found."
    assert list(stale(text)) == [f"{package}.data.no_such_name", f"{package}.no_room.Found"]


@pytest.mark.parametrize("folder", ["", "monai_gu2net", "bundles", "benchmarks", "docs", "tests"])
def test_what_is_named_of_the_package_is_there(folder: str) -> None:
    paths = (ROOT / folder).rglob("*") if folder else ROOT.glob("*")
    texts = [path for path in paths if path.suffix in TEXTS and not {"_build", "output"} & set(path.parts)]
    assert texts
    named = {str(path.relative_to(ROOT)): list(stale(path.read_text(encoding="utf-8"))) for path in texts}
    assert {path: names for path, names in named.items() if names} == {}


@pytest.mark.parametrize("name", [name for name in MODULES if importable(name)])
def test_what_docstrings_refer_to_by_a_short_name_is_in_the_module(name: str) -> None:
    module = importlib.import_module(name)
    classes = [found for _, found in inspect.getmembers(module, inspect.isclass) if found.__module__ == name]
    roles = {role for role in ROLE.findall(inspect.getsource(module)) if not role.startswith("monai_gu2net")}
    assert [role for role in roles if not any(_has(place, role) for place in [module, *classes])] == []


@pytest.mark.parametrize("room", [name for name in ROOMS if importable(f"{name}.") and name != "monai_gu2net.commands"])
def test_every_public_name_says_what_it_is(room: str) -> None:
    module = importlib.import_module(room)
    named = {name: getattr(module, name) for name in module.__all__}
    says = {
        name: value.__doc__ or ""
        for name, value in named.items()
        if inspect.isroutine(value) or isinstance(value, type)
    }
    # a dataclass without words of its own is given its signature for them
    assert [name for name, words in says.items() if not words.strip() or words.startswith(f"{name}(")] == []


def _has(place: Any, name: str) -> bool:
    for part in name.split("."):
        if not hasattr(place, part) and part not in getattr(place, "__annotations__", {}):
            return False
        place = getattr(place, part, None)
    return True
