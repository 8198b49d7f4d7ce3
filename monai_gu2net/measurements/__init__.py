# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Distances, angles and indices between landmarks, with their error."""

from __future__ import annotations

from monai_gu2net.measurements.cephalometry import CEPHALOMETRY
from monai_gu2net.measurements.chest import CHEST
from monai_gu2net.measurements.classes import (
    CHALLENGE_CLASSES,
    ChallengeClass,
    ClassAgreement,
    class_agreement,
    classify,
    success_classification_rate,
)
from monai_gu2net.measurements.declaration import default_measurements, measurement_to_dict, read_measurements
from monai_gu2net.measurements.measurement import Measured, Measurement, measure, standard_deviation
from monai_gu2net.measurements.spine import SPINE, CobbAngle

__all__ = [
    "CEPHALOMETRY",
    "CHALLENGE_CLASSES",
    "CHEST",
    "SPINE",
    "ChallengeClass",
    "ClassAgreement",
    "CobbAngle",
    "Measured",
    "Measurement",
    "class_agreement",
    "classify",
    "default_measurements",
    "measure",
    "measurement_to_dict",
    "read_measurements",
    "standard_deviation",
    "success_classification_rate",
]
