# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the package and its command line import before there is something to do."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "monai", "itk", "matplotlib", "pandas", "skimage", "pydicom"}
COMMANDS = ("prepare", "evaluate", "predict", "dicomweb", "listen", "calibrate", "add-domain", "label", "info")


def imported(script: str, *arguments: str) -> set[str]:
    """The top packages that a new process has imported at its end, and what it printed before."""
    program = f"import atexit, sys; atexit.register(lambda: sys.stderr.write(chr(10).join(sys.modules)));{script}"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stderr.splitlines()}


def test_what_counts_as_heavy_is_what_a_run_imports() -> None:
    assert imported("from monai_gu2net.engines import evaluate_model") >= {"torch", "monai"}


def test_the_package_imports_nothing_heavy() -> None:
    assert not imported("import monai_gu2net; dir(monai_gu2net)") & (HEAVY | {"numpy"})


@pytest.mark.parametrize("arguments", [(), *((command,) for command in COMMANDS), ("report", "rescore")], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    script = "from monai_gu2net.__main__ import main; sys.exit(main())"
    assert not imported(script, *arguments, "--help") & HEAVY
