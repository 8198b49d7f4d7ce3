# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import configparser
from pathlib import Path

import monai_gu2net

ROOT = Path(__file__).parents[1]


def test_what_is_installed_has_every_file_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    package = Path(monai_gu2net.__file__).parent
    rooms = [init.parent for init in package.rglob("__init__.py")]
    installed = {file for room in rooms for file in room.glob("*.py")}
    for name, patterns in setup["options.package_data"].items():
        for room in rooms if name == "*" else [package.parent / name.replace(".", "/")]:
            installed |= {file for pattern in patterns.split() for file in room.glob(pattern)}

    files = {file for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert files - installed == set()
    assert package / "report" / "templates" / "page.html.jinja" in files
