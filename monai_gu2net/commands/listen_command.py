# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``listen``: answer each radiograph that is sent by C-STORE."""

from __future__ import annotations

import argparse
import logging
import math
import re
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, say
from monai_gu2net.commands.options import ANSWERS, add_options, answers_of
from monai_gu2net.connections import (
    OPTIONAL_CLASSES,
    ApplicationDestination,
    Destination,
    FolderDestination,
    Listener,
    Spool,
    Worker,
)
from monai_gu2net.connections.loopback import is_loopback

__all__ = ["add"]

_log = logging.getLogger(__name__)


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(
        commands,
        "listen",
        "answer each radiograph that is sent by C-STORE",
        run=_run,
        description="Answer each radiograph that is sent by C-STORE with DICOM SR and GSPS, until a signal ends it.\n"
        "An image that was accepted is in the spool until its answer is delivered. There is no TLS.",
    )
    command.add_argument("--allow", nargs="+", required=True, metavar="AE", help="AE titles of those who may send")
    command.add_argument("--spool", required=True, type=Path, metavar="DIR", help="holds what is not answered yet")
    target = command.add_mutually_exclusive_group(required=True)
    target.add_argument("--answer", type=_application, metavar="AE@HOST:PORT", help="where answers are sent by C-STORE")
    target.add_argument("--answer-dir", type=Path, metavar="DIR", help="or the folder that they are written to")
    add_options(command, *ANSWERS)
    command.add_argument("--ae-title", default="GU2NET", help="its own AE title (default %(default)s)")
    add_options(command, "--host")
    add_options(command, "--port", default=11112)
    command.add_argument(
        "--also", nargs="+", choices=list(OPTIONAL_CLASSES), default=[], help="accept these beside CR and DX"
    )
    command.add_argument(
        "--max-images", type=int, default=10_000, help="in the spool; more are refused (default %(default)s)"
    )
    command.add_argument(
        "--max-gigabytes", type=float, default=20.0, help="in the spool; more are refused (default %(default)g)"
    )


def _run(options: argparse.Namespace) -> int:
    logging.getLogger("monai_gu2net").setLevel(logging.INFO)
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if not 0 < options.max_gigabytes < math.inf:
            raise ValueError(f"--max-gigabytes must be positive; got {options.max_gigabytes}. Correct it.")
        answers = answers_of(options)
        _log.info("Running on %s", answers.predictor.backend)
        spool = Spool(options.spool, max_files=options.max_images, max_bytes=int(options.max_gigabytes * 1e9))
        with closing(spool):
            listener = Listener(
                spool,
                allowed=options.allow,
                ae_title=options.ae_title,
                host=options.host,
                port=options.port,
                also=options.also,
            )
            if not is_loopback(options.host):
                _log.warning("The listener has no TLS: others on the network of %s can read images", options.host)
            worker = Worker(spool, answers, _destination(options))
            listener.start()
            worker.start()
            ended.wait()
            listener.stop()
            worker.stop()
            say(f"Stopped; {len(spool)} wait in the spool")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _destination(options: argparse.Namespace) -> Destination:
    if options.answer_dir is not None:
        return FolderDestination(options.answer_dir)
    ae_title, host, port = options.answer
    return ApplicationDestination(ae_title, host, port, calling_ae_title=options.ae_title)


def _application(text: str) -> tuple[str, str, int]:
    found = re.fullmatch(r"([^@]{1,16})@(.+):(\d{1,5})", text)
    if not found or not 0 < int(found[3]) < 2**16:
        raise argparse.ArgumentTypeError(f"must be AE@HOST:PORT; got {text!r}")
    return found[1], found[2].strip("[]"), int(found[3])
