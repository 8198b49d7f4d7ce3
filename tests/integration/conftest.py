# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Other programs that the integration tests run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(__file__).with_name("slicer_scene.py")
_PLACE = Path(__file__).parents[2] / ".ci" / "cache" / "slicer" / "bin" / "python"


@pytest.fixture(scope="session")
def look_in_slicer() -> Callable[[Iterable[object]], list[dict[str, Any]]]:
    """What 3D Slicer's libraries see of the files that ``slicer_scene.py`` is given, one answer for each case.

    They run in a Python with slicer-core, which ``.ci/run`` makes; it is another one than that of the tests.
    """
    python = Path(os.environ.get("SLICER_PYTHON") or _PLACE)
    if not python.is_file():
        missing = "needs a Python with slicer-core, named in SLICER_PYTHON; .ci/run makes one"
        if os.environ.get("CI"):
            pytest.fail(f"This {missing}.")
        pytest.skip(missing)

    def look(arguments: Iterable[object]) -> list[dict[str, Any]]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [str(python), str(_SCRIPT), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stderr
        seen: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return seen

    return look
