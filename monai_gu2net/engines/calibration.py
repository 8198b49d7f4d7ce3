# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrating a trained model on annotated cases."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite import distributed

from monai_gu2net.data.datalist import Datalist
from monai_gu2net.data.domain import Domain
from monai_gu2net.data.doubtful import without_doubtful
from monai_gu2net.data.outside import ALLOWED_OUTSIDE
from monai_gu2net.engines.left_out_cases import warn_of_left_out
from monai_gu2net.engines.shared_run import run_shared
from monai_gu2net.files import writable_folder
from monai_gu2net.networks.checkpoint import save_calibration
from monai_gu2net.networks.model_card import ModelCard
from monai_gu2net.prediction.fitting_cases import fitting_cases
from monai_gu2net.prediction.prediction_options import PredictionOptions
from monai_gu2net.prediction.predictor import Checkpoints, Predictor
from monai_gu2net.uncertainty import LEVELS, calibrate

__all__ = ["calibrate_by_folds", "calibrate_model"]

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
    calibration = _calibrations(rows, domains, tta=tta, members=len(paths))
    if not calibration:
        missing_cases = f"Split {split!r} of {data.name!r} must have annotated cases that can be read; got none."
        if required:
            raise ValueError(f"{missing_cases} Choose another split.")
        _log.warning("%s The model is not calibrated.", missing_cases)
        return paths[0], failures
    if distributed.get_rank() == 0:
        save_calibration(paths[0], calibration, output=output)
    return written, failures


def calibrate_by_folds(
    checkpoint: str | os.PathLike[str],
    folds: Sequence[str | os.PathLike[str]],
    *,
    output: str | os.PathLike[str] | None = None,
    tta: int = 1,
    backend: str = "auto",
    precision: str = "auto",
    device: str | torch.device = "cpu",
    allow_outside: float = ALLOWED_OUTSIDE,
    on_case: Callable[[int], None] = lambda count: None,
) -> tuple[Path, list[dict[str, str]]]:
    """Calibrate a model by the errors of others that were trained like it, each on images that it was not trained on.

    So every image of a training part counts, and none of a validation part is needed (cross-conformal prediction, Vovk
    2015). The models of the folds had fewer images to learn from, so that the radii are rather too large than too
    small.

    Args:
        checkpoint: a trained model.
        folds: the folders of the other trainings: ``model.pt`` and ``datalist.json``, whose test part is measured.
        output: see :func:`calibrate_model`, as for the others.
        tta: as above.
        backend: as above.
        precision: as above.
        device: as above.
        allow_outside: as above.
        on_case: called with the number of cases done, after each.

    Returns:
        As :func:`calibrate_model`.

    Raises:
        FileNotFoundError: a folder lacks one of the files.
        ValueError: there is no folder, an image is in the test part of two, a domain of a fold has other landmarks than
            the model's, or no annotated case can be read.
        OSError: the folder of the output does not take files.
    """
    if not folds:
        raise ValueError("folds must be folders of trainings; got none. Name those of a cross-validation.")
    card = ModelCard.load(checkpoint)
    written = Path(checkpoint if output is None else output)
    writable_folder(written.parent)
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    seen: dict[tuple[str, str], Path] = {}
    for folder in map(Path, folds):
        data = Datalist.load(folder / "datalist.json")
        predictor = Predictor(
            folder / "model.pt", PredictionOptions(tta=tta, backend=backend, precision=precision), device=device
        )
        domains, cases = fitting_cases(predictor.card, data, split="test", allow_outside=allow_outside)
        for name, domain in domains.items():
            if name not in card.domains or card.domains[name].landmarks != domain.landmarks:
                raise ValueError(
                    f"Fold {str(folder)!r}: domain {name!r} must have the landmarks of that of {str(checkpoint)!r}; "
                    "got others. Name the folds of this model's training."
                )
        for case in cases:
            key = case["domain"], case["case"]
            if key in seen:
                raise ValueError(
                    f"A case must be measured in one fold; got {key[1]!r} of {key[0]} in {str(seen[key])!r} and in "
                    f"{str(folder)!r}. Name each fold once."
                )
            seen[key] = folder
        advance = partial(_advance, on_case, len(seen) - len(cases))
        found, failed = predictor.run(without_doubtful(cases, domains), domains=domains, on_case=advance)
        rows += found
        failures += failed
    calibration = _calibrations(rows, card.domains, tta=tta, members=1)
    if not calibration:
        raise ValueError(f"Folds must have annotated cases that can be read; got none in {list(map(str, folds))}.")
    save_calibration(checkpoint, calibration, output=output)
    return written, failures


def _advance(on_case: Callable[[int], None], before: int, count: int) -> None:
    on_case(before + count)


def _calibrations(
    rows: Sequence[Mapping[str, Any]], domains: Mapping[str, Domain], *, tta: int, members: int
) -> dict[str, Any]:
    """What the errors of each domain say, for the card."""
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
        made = calibrate(errors, spreads, confidences, tta=tta, members=members)
        missing = [level for level in LEVELS if level not in made.quantiles]
        if missing:
            _log.warning(
                "Domain %s: no radius at the levels %s, for which %d landmarks are too few or too often not found",
                name,
                missing,
                made.landmarks,
            )
        calibration[name] = made.to_dict()
    return calibration
