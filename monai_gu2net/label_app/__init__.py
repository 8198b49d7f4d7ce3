# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Annotating with MONAI Label: pre-label, correct, retrain.

Nothing here imports MONAI Label, an extra, before it is used: ``python -m monai_gu2net label`` names the extra where it
is absent. The app itself is :class:`monai_gu2net.label_app.app.LandmarkApp`.
"""

from __future__ import annotations

from monai_gu2net.label_app.labels import (
    LABEL_EXTENSION,
    LabelFrame,
    LabelRefusedError,
    check_label,
    label_frame,
    labelled_data,
    write_label,
)

__all__ = [
    "LABEL_EXTENSION",
    "LabelFrame",
    "LabelRefusedError",
    "check_label",
    "label_frame",
    "labelled_data",
    "write_label",
]
