# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The fixed steps after a network: the same in evaluation, prediction and the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from monai.transforms import Compose

from monai_gu2net.data.domain import Domain
from monai_gu2net.prediction.calibrated_radius import CalibratedRadiusd
from monai_gu2net.transforms.heatmaps_dict import HeatmapsToLandmarksd
from monai_gu2net.transforms.resolve_spacing import ScaleByPredictiond
from monai_gu2net.uncertainty import Calibration

__all__ = ["PredictionPostprocessing"]


class PredictionPostprocessing(Compose):
    """Decode the heatmaps of the key "pred", add radius and presence, and scale by a reference length among the found.

    :class:`~monai_gu2net.transforms.Found` is what the sample says then.

    Args:
        domains: by name; the sample's ``domain`` picks one.
        calibrations: by domain, see :func:`~monai_gu2net.prediction.calibrations_of`.
        min_confidence: landmarks below it are called absent.
        accept_spacing_source: see :class:`~monai_gu2net.transforms.PhysicalSpaced`.
        scale: whether what was found may give the scale, see :class:`~monai_gu2net.transforms.ScaleByPredictiond`;
            not where reference landmarks decide.
    """

    def __init__(
        self,
        domains: Mapping[str, Domain],
        *,
        calibrations: Mapping[str, Calibration],
        min_confidence: float = 0.0,
        accept_spacing_source: Sequence[str] | None = None,
        scale: bool = True,
    ) -> None:
        steps = [
            HeatmapsToLandmarksd("pred", min_confidence=min_confidence),
            CalibratedRadiusd("pred", calibrations=calibrations),
            ScaleByPredictiond("pred", domains=domains, accept_spacing_source=accept_spacing_source),
        ]
        super().__init__(steps if scale else steps[:-1])
