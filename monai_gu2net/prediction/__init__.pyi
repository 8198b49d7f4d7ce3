# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .calibrated_radius import CalibratedRadiusd as CalibratedRadiusd
from .calibrated_radius import calibrations_of as calibrations_of
from .fitting_cases import fitting_cases as fitting_cases
from .many_images import ManyImages as ManyImages
from .many_images import predict_many as predict_many
from .model_identity import model_identity as model_identity
from .postprocessing import PredictionPostprocessing as PredictionPostprocessing
from .prediction_options import PredictionOptions as PredictionOptions
from .predictor import Predictor as Predictor
from .predictor import load as load
from .result_rows import result_rows as result_rows
from .result_rows import warn_of_pixels as warn_of_pixels
