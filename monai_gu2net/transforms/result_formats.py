# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the landmarks that are found in an image can be written as."""

from __future__ import annotations

__all__ = ["ALL_FORMATS", "ANSWER_FORMATS", "DICOM_FORMATS", "FORMATS", "OBJECTS", "PREDICTION_FORMATS"]

FORMATS = ("json", "csv", "mrk.json")
"""Those written by default."""
OBJECTS = {"sr": ("sr", "text"), "gsps": ("gsps",)}
"""The objects that a DICOM format consists of: a report of points is accompanied by one to be read."""
DICOM_FORMATS = tuple(OBJECTS)
ALL_FORMATS = (*FORMATS, *DICOM_FORMATS)
PREDICTION_FORMATS = (*ALL_FORMATS, "sc", "coco")
"""Of a prediction, with the picture that every viewer shows and the one table of all images."""
ANSWER_FORMATS = (*DICOM_FORMATS, "sc")
"""Of an answer to another system."""
