# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Finding landmarks with a trained model: image in, landmarks and their files out."""

from __future__ import annotations

from monai_gu2net.prediction.calibrated_radius import CalibratedRadiusd, calibrations_of
from monai_gu2net.prediction.fitting_cases import fitting_cases
from monai_gu2net.prediction.model_identity import model_identity
from monai_gu2net.prediction.postprocessing import PredictionPostprocessing
from monai_gu2net.prediction.predictor import PredictionOptions, Predictor, load
from monai_gu2net.prediction.result_files import PREDICTION_FORMATS
from monai_gu2net.prediction.result_rows import result_rows, warn_of_pixels
from monai_gu2net.transforms.found import Found

__all__ = [
    "PREDICTION_FORMATS",
    "CalibratedRadiusd",
    "Found",
    "PredictionOptions",
    "PredictionPostprocessing",
    "Predictor",
    "calibrations_of",
    "fitting_cases",
    "load",
    "model_identity",
    "result_rows",
    "warn_of_pixels",
]
