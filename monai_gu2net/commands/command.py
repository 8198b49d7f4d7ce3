# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""A command of the command line: its parser, what it prints, and its exit status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["add_command", "list_failures", "say"]


def add_command(
    commands: Any,
    name: str,
    what: str,
    *,
    run: Callable[[argparse.Namespace], int] | None = None,
    description: str | None = None,
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    """Add a command to a parser's commands.

    Args:
        commands: what ``add_subparsers`` gave.
        name: of the command.
        what: it does, for the list of commands.
        run: does it and returns the exit status; None for a command that has commands of its own.
        description: for its own help; by default ``what`` as a sentence.
        epilog: for its own help.

    Returns:
        The command's parser. What it parses has ``run``.
    """
    command: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=description or f"{what[0].upper()}{what[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if run is not None:
        command.set_defaults(run=run)
    return command


def say(text: str) -> None:
    """Print a result."""
    sys.stdout.write(text.rstrip() + "\n")


def list_failures(failures: Sequence[Mapping[str, str]], *, any_done: bool) -> int:
    """List the cases that failed, and give the exit status: 0 none, 1 some, 2 all."""
    for failure in failures:
        of = " ".join(filter(None, (failure["domain"], failure["case"])))
        sys.stderr.write(f"failed: {of}: {failure['reason']}\n")
    return 0 if not failures else 1 if any_done else 2
