# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: prepare data, evaluate and calibrate a model, predict landmarks, look into a checkpoint."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False) and sys.path[0] in ("", os.getcwd()):
    # `python -m` looks for every module in the working directory first, where a folder of images called "dl" or "code"
    # hides what others import. This package is imported already, and finds its modules without it.
    _here = sys.path.pop(0)
    if (sys.platform != "linux" or sys.version_info >= (3, 14)) and os.path.isdir(os.path.join(_here, __package__)):
        sys.path.append(_here)  # processes that are spawned, not forked, get this list and import the package anew

import argparse
import logging
import traceback
from collections.abc import Sequence

from monai_gu2net import __version__
from monai_gu2net.commands import (
    add_domain_command,
    calibrate_command,
    dicomweb_command,
    evaluate_command,
    info_command,
    listen_command,
    predict_command,
    prepare_command,
    report_command,
)
from monai_gu2net.data.first_error import first_error, reason_of
from monai_gu2net.engines import keep_freed_memory, wait_passively
from monai_gu2net.label_app import label_command

_EPILOG = """\
Exit status: 0 all done; 1 some cases failed (they are listed); 2 nothing could be done.
Training is a MONAI bundle:
  python -m monai.bundle run training --config_file bundles/gu2net/configs/train.json [--datalist FILE]
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; see ``python -m monai_gu2net --help``.

    Args:
        arguments: by default those of the process.

    Returns:
        The exit status: 0 all done, 1 some cases failed, 2 nothing could be done.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    if options.keep_memory:
        keep_freed_memory()
    wait_passively()
    try:
        return int(options.run(options))
    except Exception as error:
        if options.traceback:
            traceback.print_exc()
        sys.stderr.write(f"error: {reason_of(error)}\n")
        first = first_error(error)
        foreseen = isinstance(first, (OSError, ValueError, ImportError)) or "Symlink loop" in str(first)  # pathlib's
        if not (options.traceback or foreseen):
            sys.stderr.write("This was not foreseen. Where it comes from: python -m monai_gu2net --traceback ...\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what was written before is whole\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "monai_gu2net",
        description="Anatomical landmarks with one universal model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--no-keep-memory",
        dest="keep_memory",
        action="store_false",
        help="give freed memory back to the system at once (slower on a processor)",
    )
    parser.add_argument("--traceback", action="store_true", help="show where in the program an error comes from")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (
        prepare_command,
        evaluate_command,
        predict_command,
        dicomweb_command,
        listen_command,
        calibrate_command,
        add_domain_command,
        label_command,
        info_command,
        report_command,
    ):
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
