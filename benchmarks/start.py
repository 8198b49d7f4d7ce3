# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Processor time until the package is imported, and until the command line answers.

    python benchmarks/start.py [--repeats 5]

Each row is the median user and system time of whole processes, Python's own start (the first row) included.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

MODULE = ("-m", "monai_gu2net")
COMMANDS = ["prepare", "evaluate", "predict", "dicomweb", "listen", "calibrate", "add-domain", "label", "info"]
ROWS = {
    "python": ("-c", "pass"),
    "import monai_gu2net": ("-c", "import monai_gu2net"),
    "--version": (*MODULE, "--version"),
    "--help": (*MODULE, "--help"),
    **{f"{command} --help": (*MODULE, command, "--help") for command in (*COMMANDS, "report")},
    "import what evaluate runs": ("-c", "import monai_gu2net.engines.evaluation"),
}


def cpu_seconds(arguments: tuple[str, ...]) -> float:
    """Of one process of this Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="processes per row (default %(default)s)")
    repeats = parser.parse_args().repeats
    print("| what | CPU seconds |\n|---|---|")
    for name, arguments in ROWS.items():
        print(f"| {name} | {statistics.median(cpu_seconds(arguments) for _ in range(repeats)):.2f} |", flush=True)


if __name__ == "__main__":
    main()
