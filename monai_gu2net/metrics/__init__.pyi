# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .radial_error import radial_error as radial_error
from .radial_error import successful_detection_rate as successful_detection_rate
from .radial_error import summarize_errors as summarize_errors
from .radial_error_metric import RadialErrorMetric as RadialErrorMetric
from .radial_error_metric import evaluated_samples as evaluated_samples
