# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .annotators import annotator_rows as annotator_rows
from .case_measurements import compare_measurements as compare_measurements
from .case_measurements import measure_rows as measure_rows
from .case_measurements import measured_table as measured_table
from .case_measurements import write_measurements as write_measurements
from .comparison import Comparison as Comparison
from .comparison import compare_rows as compare_rows
from .coverage import radii_px as radii_px
from .coverage import summarize_coverage as summarize_coverage
from .paired_bootstrap import paired_bootstrap as paired_bootstrap
from .protocol import DEFAULT_THRESHOLDS as DEFAULT_THRESHOLDS
from .protocol import ORIGINAL as ORIGINAL
from .protocol import PROTOCOLS as PROTOCOLS
from .protocol import Grid as Grid
from .protocol import Protocol as Protocol
from .protocol import named_protocol as named_protocol
from .rescoring import rescore as rescore
from .result_table import read_rows as read_rows
from .result_table import result_columns as result_columns
from .result_table import result_table as result_table
from .result_table import write_csv as write_csv
from .result_table import write_rows as write_rows
from .result_table import write_tables as write_tables
from .summary import bootstrap_mean_interval as bootstrap_mean_interval
from .summary import summarize_rows as summarize_rows
