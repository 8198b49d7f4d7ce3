# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0

from .compare_plots import draw_compared_curves as draw_compared_curves
from .compare_plots import draw_differences as draw_differences
from .curves import draw_cumulative_errors as draw_cumulative_errors
from .curves import draw_landmark_errors as draw_landmark_errors
from .curves import draw_learning_curve as draw_learning_curve
from .overlay import draw_landmarks as draw_landmarks
from .pictures import contact_sheet as contact_sheet
from .pictures import figure_pixels as figure_pixels
from .pictures import save_figure as save_figure
from .pictures import save_picture as save_picture
from .reliability import draw_reliability as draw_reliability
from .volume_overlay import draw_volume_landmarks as draw_volume_landmarks
