# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What data must have to be learned from, and what is said of it before the training."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ignite import distributed

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.engines.left_out_cases import warn_of_left_out
from monai_gu2net.files import writable_folder
from monai_gu2net.networks.model_card import ModelCard

__all__ = ["begin_training", "check_training_data"]

_SHOWN = 5
_log = logging.getLogger(__name__)


def begin_training(
    data: Datalist,
    *,
    start_from: str | os.PathLike[str] | None = None,
    output_dir: str | os.PathLike[str] | None = None,
) -> None:
    """Check the data of a training, see :func:`check_training_data`, and log what cannot be learned from it.

    Warnings are logged, by the first process of a run, of what was left out of the data and of landmarks that no
    training case has.

    Args:
        data: as :func:`~monai_gu2net.sources.open_data` gives it.
        start_from: the checkpoint that the training goes on from.
        output_dir: where its results are to go; the folder is made. None: it is not looked at.

    Raises:
        OSError: the folder takes no files, or an image is not there.
        ValueError: the data cannot be learned from.
    """
    check_training_data(data, start_from=start_from)
    if output_dir is not None:
        writable_folder(output_dir)
    if distributed.get_rank() > 0:
        return
    warn_of_left_out(data, [*data.training, *data.validation])
    for name, domain in data.domains.items():
        own = [case["landmarks"] for case in data.training if case["domain"] == name]
        absent = [
            landmark for index, landmark in enumerate(domain.landmarks) if not any(points[index] for points in own)
        ]
        if own and absent:
            _log.warning(
                "Domain %s: no training case has %s, which cannot be learned; what the model says of it means nothing",
                name,
                ", ".join(absent),
            )


def check_training_data(data: Datalist, *, start_from: str | os.PathLike[str] | None = None) -> None:
    """Refuse data from which a model would learn nothing of a domain, or whose training would break off.

    Args:
        data: as :func:`~monai_gu2net.sources.open_data` gives it.
        start_from: the checkpoint that the training goes on from; its domains need no training cases.

    Raises:
        FileNotFoundError: an image of a training or validation case is not there.
        ValueError: such a case has no ``landmarks``; or a domain that the checkpoint does not know has no training
            cases, or a domain's training cases have no landmark between them.
    """
    cases = [*data.training, *data.validation]
    missing = [case["image"] for case in cases if not Path(case["image"]).exists()]
    if missing:
        raise FileNotFoundError(
            f"Images to train on must be files; {len(missing)} are not there: {_some(missing)}. Correct their paths, "
            "or take the cases out of the datalist."
        )
    bare = [f"{case['domain']} {case['case']}" for case in cases if case.get("landmarks") is None]
    if bare:
        raise ValueError(
            f"Cases to train on and to validate with must have landmarks; got none for {len(bare)}: {_some(bare)}. "
            "Annotate them, or take them out of 'training' and 'validation'."
        )
    trained = set() if start_from is None else set(ModelCard.load(start_from).domains)
    for name in data.domains:
        own = [case for case in data.training if case["domain"] == name]
        if not own and name not in trained:
            raise ValueError(
                f"Domain {name!r} must have training cases; got none, and the model would find nothing in it. Add "
                "cases, train without the domain (--domains), or go on from a model that knows it (--start_from)."
            )
        if own and not any(point for case in own for point in case["landmarks"]):
            raise ValueError(
                f"Domain {name!r} must have landmarks to train on; got none in its {len(own)} training case(s). "
                f"Check the annotation of {_some([case['case'] for case in own])}."
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
