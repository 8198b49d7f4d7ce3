# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of what a model found, and plots of results."""

from __future__ import annotations

from monai_gu2net.visualize.compare_plots import draw_compared_curves, draw_differences
from monai_gu2net.visualize.curves import draw_cumulative_errors, draw_landmark_errors, draw_learning_curve
from monai_gu2net.visualize.overlay import draw_landmarks
from monai_gu2net.visualize.pictures import contact_sheet, figure_pixels, save_figure, save_picture
from monai_gu2net.visualize.reliability import draw_reliability

__all__ = [
    "contact_sheet",
    "draw_compared_curves",
    "draw_cumulative_errors",
    "draw_differences",
    "draw_landmark_errors",
    "draw_landmarks",
    "draw_learning_curve",
    "draw_reliability",
    "figure_pixels",
    "save_figure",
    "save_picture",
]
