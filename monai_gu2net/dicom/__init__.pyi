# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .header import dicom_files as dicom_files
from .header import is_dicom as is_dicom
from .header import read_header as read_header
from .limits import DicomError as DicomError
from .limits import Limits as Limits
from .presentation_state import write_presentation_state as write_presentation_state
from .radiograph import Radiograph as Radiograph
from .radiograph import read_radiograph as read_radiograph
from .readable_report import write_readable_report as write_readable_report
from .secondary_capture import write_secondary_capture as write_secondary_capture
from .series import Series as Series
from .series import read_series as read_series
from .series import series_headers as series_headers
from .structured_report import StructuredReport as StructuredReport
from .structured_report import read_structured_report as read_structured_report
from .structured_report import read_structured_reports as read_structured_reports
from .structured_report import write_structured_report as write_structured_report
from .study_object import Derivation as Derivation
