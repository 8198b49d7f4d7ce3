# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Result tables, curves and pictures of what a model found."""

from __future__ import annotations

from monai_gu2net.visualize.curves import draw_cumulative_errors, draw_landmark_errors, draw_learning_curve
from monai_gu2net.visualize.overlay import draw_landmarks
from monai_gu2net.visualize.pictures import contact_sheet, figure_pixels, save_figure, save_picture
from monai_gu2net.visualize.report import write_report
from monai_gu2net.visualize.rows import checked_rows, read_rows, write_rows
from monai_gu2net.visualize.summary import bootstrap_mean_interval, summarize_rows
from monai_gu2net.visualize.tables import summary_markdown, write_summary_csv, write_summary_json

__all__ = [
    "bootstrap_mean_interval",
    "checked_rows",
    "contact_sheet",
    "draw_cumulative_errors",
    "draw_landmark_errors",
    "draw_landmarks",
    "draw_learning_curve",
    "figure_pixels",
    "read_rows",
    "save_figure",
    "save_picture",
    "summarize_rows",
    "summary_markdown",
    "write_report",
    "write_rows",
    "write_summary_csv",
    "write_summary_json",
]
