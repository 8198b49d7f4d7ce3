# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .conformal import LEVELS as LEVELS
from .conformal import RADIUS_LEVEL as RADIUS_LEVEL
from .conformal import Calibration as Calibration
from .conformal import calibrate as calibrate
from .conformal import conformal_quantile as conformal_quantile
from .ignite import DomainRadialError as DomainRadialError
from .ignite import evaluated_samples as evaluated_samples
from .radial_error import RadialErrorMetric as RadialErrorMetric
from .radial_error import radial_error as radial_error
from .radial_error import successful_detection_rate as successful_detection_rate
from .radial_error import summarize_errors as summarize_errors
from .radial_error import summarize_landmarks as summarize_landmarks
