# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One pass over the radiographs of a DICOMweb server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monai_gu2net.connections.answers import RadiographAnswers
from monai_gu2net.connections.destination import FolderDestination, RefusedError, UnreachableError
from monai_gu2net.connections.dicomweb_client import DicomWebServer, RemoteInstance
from monai_gu2net.connections.worker import NoAnswerError
from monai_gu2net.data.case_names import spool_name
from monai_gu2net.evaluation import write_rows
from monai_gu2net.files import csv_text, full_disk, write_durably

__all__ = ["answer_instances"]

_COLUMNS = ("case", "sop_instance_uid", "domain", "outcome", "reason")


def answer_instances(
    server: DicomWebServer,
    answers: RadiographAnswers,
    instances: Sequence[RemoteInstance],
    *,
    store: bool = False,
    output_dir: str | os.PathLike[str] | None = None,
    on_case: Callable[[int], None] = lambda count: None,
) -> list[dict[str, str]]:
    """Answer instances of a server one by one; one that cannot be answered does not stop the others.

    An image is in a temporary folder while it is worked on, and at no other time. An instance whose answer the server
    has is passed over, without being retrieved where the server's search gave its body part or one domain serves all:
    a pass that was broken off is finished by doing it again.

    Args:
        server: where the images are.
        answers: what is asked for them.
        instances: as :meth:`~monai_gu2net.connections.DicomWebServer.find` gives them.
        store: the answers at the server.
        output_dir: where the answers (``CASE.sr.dcm`` and others), the table ``landmarks.csv`` of the landmarks and
            ``instances.csv`` of all instances go; a case is called by a hash of its UID.
        on_case: called with the number of instances done, after each.

    Returns:
        For each instance ``case``, ``sop_instance_uid``, ``domain``, ``outcome``, which is "answered", "there already"
        or "failed", and ``reason``.

    Raises:
        ValueError: the answers would go nowhere.
        UnreachableError: the server is away; what was done before is written.
    """
    if not store and output_dir is None:
        raise ValueError("The answers must go somewhere; neither store nor output_dir is given. Give one, or both.")
    folder = None if output_dir is None else FolderDestination(output_dir)
    outcomes: list[dict[str, str]] = []
    rows: list[dict[str, Any]] = []
    try:
        for instance in instances:
            outcome = {"case": spool_name(instance.sop_uid), "sop_instance_uid": instance.sop_uid, "domain": ""}
            try:
                found = _answer(server, answers, instance, outcome, store=store, folder=folder)
            except (NoAnswerError, RefusedError) as error:
                outcome |= {"outcome": "failed", "reason": str(error)}
            except Exception as error:  # its words may quote the image
                if isinstance(error, UnreachableError) or full_disk(error) is not None:
                    raise  # the next image would fare no better
                outcome |= {"outcome": "failed", "reason": f"it ended with {type(error).__name__}"}
            else:
                outcome |= {"outcome": "there already" if found is None else "answered", "reason": ""}
                rows += found or []
            outcomes.append(outcome)
            on_case(len(outcomes))
    finally:
        if folder is not None:
            write_rows(folder.folder / "landmarks.csv", rows)
            text = csv_text([_COLUMNS, *([outcome[column] for column in _COLUMNS] for outcome in outcomes)])
            write_durably(folder.folder / "instances.csv", text.encode(), mode=0o666)
    return outcomes


def _answer(
    server: DicomWebServer,
    answers: RadiographAnswers,
    instance: RemoteInstance,
    outcome: dict[str, str],
    *,
    store: bool,
    folder: FolderDestination | None,
) -> list[dict[str, Any]] | None:
    """Result rows; None: the answer is there already."""
    if instance.body_part or not answers.by_body_part:
        outcome["domain"] = answers.checked_domain(instance.body_part) or ""
        if store and outcome["domain"] and _is_answered(server, answers, instance, outcome["domain"]):
            return None
    with tempfile.TemporaryDirectory() as temporary:
        image, written = Path(temporary) / f"{outcome['case']}.dcm", Path(temporary) / "answers"
        written.mkdir()
        server.retrieve(instance, image, max_bytes=answers.limits.file_bytes)
        asked = bool(outcome["domain"])
        outcome["domain"] = answers.domain_in(image)
        if store and not asked and _is_answered(server, answers, instance, outcome["domain"]):
            return None
        rows = answers(image, written)
        files = sorted(written.iterdir())
        if folder is not None:
            folder.deliver(files)
        if store:
            server.store(files)
    return rows


def _is_answered(server: DicomWebServer, answers: RadiographAnswers, instance: RemoteInstance, domain: str) -> bool:
    return all(server.has(instance.study_uid, uid) for uid in answers.uids(instance.sop_uid, domain).values())
