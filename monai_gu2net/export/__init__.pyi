# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .conversion import exported_program as exported_program
from .detector import LandmarkDetector as LandmarkDetector
from .detector_formats import DETECTOR_FORMATS as DETECTOR_FORMATS
from .export_detectors import ExportedDetector as ExportedDetector
from .export_detectors import detector_description as detector_description
from .export_detectors import export_detectors as export_detectors
