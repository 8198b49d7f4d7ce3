# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Radius and presence of landmarks found by a calibrated model."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from monai_gu2net.networks.model_card import ModelCard
from monai_gu2net.uncertainty import RADIUS_LEVEL, Calibration

__all__ = ["CalibratedRadiusd", "calibrations_of"]

_log = logging.getLogger(__name__)


def calibrations_of(card: ModelCard, *, tta: int = 1, members: int = 1) -> dict[str, Calibration]:
    """The calibrations of a card that hold for predictions made in one way; of the others a warning is logged.

    Args:
        card: of a model, calibrated or not.
        tta: test-time augmentation of each prediction.
        members: models that each prediction is averaged over.

    Returns:
        By domain.
    """
    calibrations = {name: Calibration.from_dict(fields) for name, fields in card.calibration.items()}
    for name, calibration in calibrations.items():
        if (calibration.tta, calibration.members) != (tta, members):
            _log.warning(
                "Domain %s: no radius, for the model is calibrated with test-time augmentation %d by %d model(s), and "
                "these are predictions with %d by %d. Calibrate it for them",
                name,
                calibration.tta,
                calibration.members,
                tta,
                members,
            )
    return {name: c for name, c in calibrations.items() if (c.tta, c.members) == (tta, members)}


class CalibratedRadiusd(MapTransform):
    """Adds the radius and the presence of landmarks found, where the sample's domain is calibrated.

    For a key "pred" it reads ``pred_spread`` and ``pred_confidence`` (N,), and writes ``pred_radius`` (N,), in the unit
    of the spread, and ``pred_presence`` (N,), see :class:`~monai_gu2net.uncertainty.Calibration`. 90 percent of the
    landmarks lie within their radius. It belongs after
    ``HeatmapsToLandmarksd`` and before ``ScaleByPredictiond``, which scales the radius as well.

    Args:
        keys: prefix of what ``HeatmapsToLandmarksd`` wrote.
        calibrations: by domain; a domain that is not there, or lacks that level, gets no radius.
    """

    def __init__(self, keys: KeysCollection = "pred", *, calibrations: Mapping[str, Calibration]) -> None:
        super().__init__(keys)
        self.calibrations = calibrations

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        calibration = self.calibrations.get(sample["domain"])
        if calibration is None:
            return sample
        for key in self.keys:
            spread, confidence = (
                torch.as_tensor(sample[f"{key}_{what}"]).double().cpu().numpy() for what in ("spread", "confidence")
            )
            if RADIUS_LEVEL in calibration.quantiles:
                sample[f"{key}_radius"] = torch.from_numpy(calibration.radius(spread))
            sample[f"{key}_presence"] = torch.from_numpy(calibration.presence(confidence))
        return sample
