# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Result tables, curves and pictures of what a model found."""

from __future__ import annotations

from monai_gu2net.visualize.annotators import annotator_rows
from monai_gu2net.visualize.compare import Comparison, compare_rows, compare_with_first
from monai_gu2net.visualize.compare_plots import draw_compared_curves, draw_differences
from monai_gu2net.visualize.compare_report import comparison_notes, difference_table, rate_table, write_comparison
from monai_gu2net.visualize.coverage import draw_reliability, radii_px, summarize_coverage
from monai_gu2net.visualize.curves import draw_cumulative_errors, draw_landmark_errors, draw_learning_curve
from monai_gu2net.visualize.document import Document, Section, Table, render_markdown, table_markdown
from monai_gu2net.visualize.measured import MeasuredCase, measure_rows, write_measurements
from monai_gu2net.visualize.measured_report import compare_measurements
from monai_gu2net.visualize.overlay import draw_landmarks
from monai_gu2net.visualize.page import write_page
from monai_gu2net.visualize.paired_bootstrap import paired_bootstrap
from monai_gu2net.visualize.pictures import contact_sheet, figure_pixels, save_figure, save_picture
from monai_gu2net.visualize.protocol import ORIGINAL, PROTOCOLS, Grid, Protocol, named_protocol
from monai_gu2net.visualize.report import write_report
from monai_gu2net.visualize.rescore import rescore
from monai_gu2net.visualize.rows import checked_rows, read_rows, write_rows
from monai_gu2net.visualize.summary import DEFAULT_THRESHOLDS, bootstrap_mean_interval, summarize_rows
from monai_gu2net.visualize.tables import summary_table, write_summary_csv, write_summary_json

__all__ = [
    "DEFAULT_THRESHOLDS",
    "ORIGINAL",
    "PROTOCOLS",
    "Comparison",
    "Document",
    "Grid",
    "MeasuredCase",
    "Protocol",
    "Section",
    "Table",
    "annotator_rows",
    "bootstrap_mean_interval",
    "checked_rows",
    "compare_measurements",
    "compare_rows",
    "compare_with_first",
    "comparison_notes",
    "contact_sheet",
    "difference_table",
    "draw_compared_curves",
    "draw_cumulative_errors",
    "draw_differences",
    "draw_landmark_errors",
    "draw_landmarks",
    "draw_learning_curve",
    "draw_reliability",
    "figure_pixels",
    "measure_rows",
    "named_protocol",
    "paired_bootstrap",
    "radii_px",
    "rate_table",
    "read_rows",
    "render_markdown",
    "rescore",
    "save_figure",
    "save_picture",
    "summarize_coverage",
    "summarize_rows",
    "summary_table",
    "table_markdown",
    "write_comparison",
    "write_measurements",
    "write_page",
    "write_report",
    "write_rows",
    "write_summary_csv",
    "write_summary_json",
]
