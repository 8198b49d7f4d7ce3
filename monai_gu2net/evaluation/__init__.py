# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What is reported of results: the table, the protocol, summaries, comparisons, coverage."""

from __future__ import annotations

from monai_gu2net.evaluation.annotators import annotator_rows
from monai_gu2net.evaluation.case_measurements import compare_measurements, measure_rows, write_measurements
from monai_gu2net.evaluation.comparison import Comparison, compare_rows
from monai_gu2net.evaluation.coverage import radii_px, summarize_coverage
from monai_gu2net.evaluation.paired_bootstrap import paired_bootstrap
from monai_gu2net.evaluation.protocol import ORIGINAL, PROTOCOLS, Grid, Protocol, named_protocol
from monai_gu2net.evaluation.rescoring import rescore
from monai_gu2net.evaluation.result_table import read_rows, result_columns, result_table, write_csv, write_rows
from monai_gu2net.evaluation.summary import DEFAULT_THRESHOLDS, bootstrap_mean_interval, summarize_rows

__all__ = [
    "DEFAULT_THRESHOLDS",
    "ORIGINAL",
    "PROTOCOLS",
    "Comparison",
    "Grid",
    "Protocol",
    "annotator_rows",
    "bootstrap_mean_interval",
    "compare_measurements",
    "compare_rows",
    "measure_rows",
    "named_protocol",
    "paired_bootstrap",
    "radii_px",
    "read_rows",
    "rescore",
    "result_columns",
    "result_table",
    "summarize_coverage",
    "summarize_rows",
    "write_csv",
    "write_measurements",
    "write_rows",
]
