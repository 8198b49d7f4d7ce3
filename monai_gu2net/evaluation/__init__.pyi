# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .annotators import annotator_rows as annotator_rows
from .case_measurements import MeasuredCase as MeasuredCase
from .case_measurements import measure_rows as measure_rows
from .case_measurements import write_measurements as write_measurements
from .comparison import Comparison as Comparison
from .comparison import compare_rows as compare_rows
from .comparison import compare_with_first as compare_with_first
from .coverage import radii_px as radii_px
from .coverage import summarize_coverage as summarize_coverage
from .paired_bootstrap import paired_bootstrap as paired_bootstrap
from .protocol import ORIGINAL as ORIGINAL
from .protocol import PROTOCOLS as PROTOCOLS
from .protocol import Grid as Grid
from .protocol import Protocol as Protocol
from .protocol import named_protocol as named_protocol
from .rescoring import rescore as rescore
from .result_table import checked_rows as checked_rows
from .result_table import read_rows as read_rows
from .result_table import write_rows as write_rows
from .summary import DEFAULT_THRESHOLDS as DEFAULT_THRESHOLDS
from .summary import bootstrap_mean_interval as bootstrap_mean_interval
from .summary import summarize_rows as summarize_rows
