# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every file: what is read is accounted for, and what is written is whole."""

from __future__ import annotations

from monai_gu2net.files.left_out import LeftOut, left_out_lines
from monai_gu2net.files.text import check_fields, read_json, read_text
from monai_gu2net.files.whole_file import whole_file, write_bytes_whole, write_text_whole

__all__ = [
    "LeftOut",
    "check_fields",
    "left_out_lines",
    "read_json",
    "read_text",
    "whole_file",
    "write_bytes_whole",
    "write_text_whole",
]
