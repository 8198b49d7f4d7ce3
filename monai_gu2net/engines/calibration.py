# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrating a trained model on annotated cases."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ignite import distributed

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.doubtful import without_doubtful
from monai_gu2net.data.outside import ALLOWED_OUTSIDE
from monai_gu2net.engines.left_out_cases import warn_of_left_out
from monai_gu2net.engines.shared_run import run_shared
from monai_gu2net.files import writable_folder
from monai_gu2net.networks.checkpoint import save_calibration
from monai_gu2net.prediction.fitting_cases import fitting_cases
from monai_gu2net.prediction.prediction_options import PredictionOptions
from monai_gu2net.prediction.predictor import Checkpoints, Predictor
from monai_gu2net.uncertainty import LEVELS, calibrate

__all__ = ["calibrate_model"]

_log = logging.getLogger(__name__)


def calibrate_model(
    checkpoint: Checkpoints,
    data: Datalist,
    *,
    split: str = "validation",
    output: str | os.PathLike[str] | None = None,
    tta: int = 1,
    backend: str = "auto",
    precision: str = "auto",
    required: bool = True,
    device: str | torch.device = "cpu",
    allow_outside: float = ALLOWED_OUTSIDE,
    on_case: Callable[[int], None] = lambda count: None,
) -> tuple[Path, list[dict[str, str]]]:
    """Measure a model's errors against the spread of its heatmaps, and write what follows into its card.

    The processes of a distributed run share the cases; every one must call it, and the first writes.

    A level for which a domain has too few landmarks, or too many not found, is left out with a warning.

    Args:
        checkpoint: a trained model, or several to be averaged; the first one's card gets the calibration.
        data: its cases of one split, which must not have been trained on. Domains without cases keep the calibration
            that the card has of them.
        split: "training", "validation" or "test".
        output: the checkpoint to write; by default the model's own file.
        tta: test-time augmentation, see :class:`~monai_gu2net.prediction.PredictionOptions`. A calibration holds for
            predictions with the same augmentation and number of models only.
        backend: the engine that runs the networks, see :class:`~monai_gu2net.export.Backend`, as for the next.
        precision: that it computes in.
        required: whether a split without an annotated case that can be read is an error; else there is a warning, and
            the checkpoint stays as it is.
        device: where the network runs.
        allow_outside: share of a domain's landmarks that may lie outside of their images, see
            :func:`~monai_gu2net.data.cases_in_frame`.
        on_case: called with the number of this process's cases done, after each.

    Returns:
        The checkpoint written, whole or not at all (the first model's where nothing was), and the cases that could not
        be read, as :meth:`~monai_gu2net.prediction.Predictor.run` gives them.

    Raises:
        ValueError: the split is not known or empty, or has no annotated case that can be read though one is required;
            the data's domains are not the model's; or several models are given without output.
        OSError: the folder of the output does not take files.
    """
    predictor = Predictor(checkpoint, PredictionOptions(tta=tta, backend=backend, precision=precision), device=device)
    paths = predictor.paths
    if len(paths) > 1 and output is None:
        raise ValueError(
            f"output must be given for several models, {len(paths)} here; got None. "
            "Name a file, for their calibration does not hold for the first alone."
        )
    domains, cases = fitting_cases(predictor.card, data, split=split, allow_outside=allow_outside)
    cases = without_doubtful(cases, domains)
    written = Path(paths[0] if output is None else output)
    writable_folder(written.parent)
    warn_of_left_out(data, cases)
    rows, failures = run_shared(predictor, cases, domains=domains, on_case=on_case)
    calibration = {}
    for name, domain in domains.items():
        shape = (-1, len(domain.landmarks))  # rows come case by case, with all of a domain's landmarks in order
        own = [row for row in rows if row["domain"] == name]
        errors, spreads, confidences = (
            np.array([row[column] for row in own], dtype=np.float64).reshape(shape)
            for column in ("error", "spread", "confidence")
        )
        if np.isnan(errors).all():
            continue
        made = calibrate(errors, spreads, confidences, tta=tta, members=len(paths))
        missing = [level for level in LEVELS if level not in made.quantiles]
        if missing:
            _log.warning(
                "Domain %s: no radius at the levels %s, for which %d landmarks are too few or too often not found",
                name,
                missing,
                made.landmarks,
            )
        calibration[name] = made.to_dict()
    if not calibration:
        missing_cases = f"Split {split!r} of {data.name!r} must have annotated cases that can be read; got none."
        if required:
            raise ValueError(f"{missing_cases} Choose another split.")
        _log.warning("%s The model is not calibrated.", missing_cases)
        return paths[0], failures
    if distributed.get_rank() == 0:
        save_calibration(paths[0], calibration, output=output)
    return written, failures
