# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""One pass of a trained network over cases, for evaluation and for prediction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose

from monai_gu2net.data.tolerant import TolerantDataset
from monai_gu2net.engines.calibrated_radius import CalibratedRadiusd
from monai_gu2net.engines.prepare_batch import PrepareDomainBatch
from monai_gu2net.engines.tolerant_evaluator import TolerantEvaluator
from monai_gu2net.handlers.result_rows import ResultRows
from monai_gu2net.inferers.tta import AveragingInferer
from monai_gu2net.networks.model_card import ModelCard
from monai_gu2net.transforms.heatmaps_dict import HeatmapsToLandmarksd
from monai_gu2net.transforms.points import LandmarksToPointsd
from monai_gu2net.transforms.preprocessing import RadiographPreprocessing
from monai_gu2net.uncertainty import Calibration

__all__ = ["run_cases", "warn_of_pixels"]

_log = logging.getLogger(__name__)


def run_cases(
    network: torch.nn.Module,
    card: ModelCard,
    cases: Sequence[Mapping[str, Any]],
    *,
    device: str | torch.device = "cpu",
    min_confidence: float = 0.0,
    views: int = 1,
    calibrations: Mapping[str, Calibration] | None = None,
    spacing: Sequence[float] | None = None,
    accept_spacing_source: Sequence[str] | None = None,
    then: Sequence[Callable[[Any], Any]] = (),
    tolerant: bool = True,
    on_case: Callable[[int], None] = lambda count: None,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Predict the landmarks of each case; a case that fails does not stop the others.

    Args:
        network: called as ``network(image, domain)``, in evaluation mode.
        card: its description; the cases' domains are looked up in it.
        cases: datalist cases, with or without landmarks.
        device: where the network is.
        min_confidence: landmarks below it are called absent.
        views: of each image that the heatmaps are averaged over, see :class:`~monai_gu2net.inferers.AveragingInferer`.
        calibrations: by domain, of such predictions, see :func:`~monai_gu2net.engines.calibrations_of`.
        spacing: mm per pixel of every image, whatever else says so.
        accept_spacing_source: what the source of a spacing must begin with, see
            :func:`~monai_gu2net.data.case_spacing`; None: any will do.
        then: transforms of each sample once its landmarks are found, such as one that saves them.
        tolerant: whether a case that can be read and fails then, such as one that is too large for the device's memory,
            is a failure as one that cannot be read; else its error is raised. A disk that is full is an error always.
        on_case: called with the number of cases done, after each.

    Returns:
        Result rows, one per case and landmark (see :class:`~monai_gu2net.handlers.ResultRows`), with radius and
        presence in calibrated domains, and failures, one per case that has no result, with ``case``, ``domain`` and
        ``reason``.
    """
    preparation = Compose(
        [
            RadiographPreprocessing(card.domains, spacing=spacing, accept_spacing_source=accept_spacing_source),
            LandmarksToPointsd("landmarks", allow_missing_keys=True),
        ]
    )
    dataset = TolerantDataset(cases, preparation, on_case=on_case)
    results = ResultRows(domains=card.domains)
    evaluator = (TolerantEvaluator if tolerant else SupervisedEvaluator)(
        device=torch.device(device),
        val_data_loader=DataLoader(dataset, batch_size=1),
        network=network,
        prepare_batch=PrepareDomainBatch(),
        inferer=AveragingInferer(views=views),
        postprocessing=Compose(
            [
                HeatmapsToLandmarksd("pred", min_confidence=min_confidence),
                CalibratedRadiusd("pred", calibrations=calibrations or {}),
                *then,
            ]
        ),
        val_handlers=[results],
        amp=torch.device(device).type == "cuda",
    )
    if cases:
        evaluator.run()
    later = evaluator.failures if isinstance(evaluator, TolerantEvaluator) else []
    return results.rows, [*dataset.failures, *later]


def warn_of_pixels(rows: Sequence[Mapping[str, Any]]) -> None:
    """One warning for a run, where the results of some of its images are in pixels."""
    sources = {(row["domain"], row["case"]): row["spacing_source"] for row in rows if row["unit"] == "px"}
    if sources:
        known = ", ".join(sorted(set(sources.values()) - {"none"}))
        _log.warning(
            "The spacing of %d image(s) is not known%s; their results are in pixels of the file",
            len(sources),
            f" or not accepted ({known})" if known else "",
        )
