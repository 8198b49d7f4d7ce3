# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The command ``dicomweb``: find landmarks in the radiographs of a DICOMweb server."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from monai_gu2net.commands.command import add_command, list_failures, say
from monai_gu2net.commands.options import ANSWERS, add_options, answers_of, pair, progress

__all__ = ["add"]


def add(commands: Any) -> None:
    """Add the command to those of the program."""
    command = add_command(
        commands,
        "dicomweb",
        "find the landmarks in radiographs of a DICOMweb server",
        run=_run,
        description="Find the landmarks in radiographs of a DICOMweb server, as DICOM SR and GSPS.\n"
        "An image whose answer the server has is passed over, so that the command can be repeated.",
    )
    command.add_argument("url", metavar="URL", help="of the DICOMweb root, such as https://pacs.example.org/dicom-web")
    command.add_argument("--store", action="store_true", help="store SR and GSPS at the server")
    add_options(command, "--output-dir", required=False, help="a folder for SR, GSPS and tables, beside or instead")
    command.add_argument("--study", metavar="UID", help="the images of this study only")
    command.add_argument(
        "--filter",
        dest="filters",
        nargs="+",
        action="extend",
        default=[],
        type=pair("KEYWORD=VALUE"),
        metavar="KEYWORD=VALUE",
        help="only what matches, by keywords of DICOM; Modality is CR or DX unless it is given",
    )
    add_options(command, *ANSWERS)
    secret = command.add_mutually_exclusive_group()
    secret.add_argument("--token-file", type=Path, help="a file with a bearer token; it is read for each request")
    secret.add_argument("--token-variable", metavar="NAME", help="an environment variable with a bearer token")
    add_options(secret, "--password-file")
    command.add_argument("--allow-http", action="store_true", help="send credentials over plain http, too")
    command.add_argument(
        "--ca-bundle", type=Path, help="certificates to verify the server's with (default: the public)"
    )
    command.add_argument("--timeout", type=float, default=60.0, metavar="S", help="seconds (default %(default)g)")
    command.add_argument("--attempts", type=int, default=4, help="of each request (default %(default)s)")


def _run(options: argparse.Namespace) -> int:
    from monai_gu2net.connections import DicomWebServer, answer_instances, read_secret

    if not options.store and options.output_dir is None:
        raise ValueError("--store or --output-dir must be given; got neither. Say where the answers go.")
    server = DicomWebServer(
        options.url,
        token=_token(options),
        password=None if options.password_file is None else read_secret(options.password_file),
        ca_bundle=options.ca_bundle,
        allow_http=options.allow_http,
        timeout_s=options.timeout,
        attempts=options.attempts,
    )
    answers = answers_of(options)
    instances = server.find(study_uid=options.study, filters=dict(options.filters))
    with progress("answering", len(instances), unit="image") as on_case:
        outcomes = answer_instances(
            server,
            answers,
            instances,
            store=options.store,
            output_dir=options.output_dir,
            on_case=on_case,
        )
    counts = {kind: sum(each["outcome"] == kind for each in outcomes) for kind in ("answered", "there already")}
    say(f"{len(outcomes)} images: {', '.join(f'{count} {kind}' for kind, count in counts.items())}")
    say(f"Ran on {answers.predictor.backend}")
    return list_failures([each for each in outcomes if each["outcome"] == "failed"], any_done=any(counts.values()))


def _token(options: argparse.Namespace) -> Any:
    """Gives the token, or None."""
    from monai_gu2net.connections import read_secret

    if options.token_file is not None:
        read_secret(options.token_file)  # complain at the start
        return lambda: read_secret(options.token_file)
    if options.token_variable is not None:
        token = os.environ.get(options.token_variable, "").strip()
        if not token:
            raise ValueError(f"Environment variable {options.token_variable!r} must hold a token; it does not. Set it.")
        return lambda: token
    return None
