# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What the folders of each kind of dataset look like, in words: for help and error messages."""

from __future__ import annotations

__all__ = ["LAYOUTS"]

LAYOUTS = {
    "head": "raw/NNN.bmp (or png, jpg) with 400_senior/NNN.txt and 400_junior/NNN.txt",
    "hand": "jpg/ID.jpg with all.csv",
    "chest": "pngs/NAME.png with labels/NAME.txt",
    "table": "images, in the folder or its images/, with landmarks.csv (of volumes NAME_i, NAME_j, NAME_k in "
    "voxels, or NAME_Lmm, NAME_Pmm, NAME_Smm)",
    "markups": "images, in the folder or its images/, each with a .mrk.json or .fcsv file of its name",
    "sr": "DICOM images, or series in a folder each, with DICOM structured reports about them, in the folder or its "
    "images/ and sr/",
}
