# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""The engines that run networks, and what they compute in, by name; nothing here imports one."""

from __future__ import annotations

__all__ = ["BACKENDS", "PRECISIONS"]

BACKENDS = ("auto", "torch", "openvino", "onnxruntime", "tensorrt")
"""Engines that may be asked for, see :class:`~monai_gu2net.export.Backend`."""
PRECISIONS = ("auto", "float32", "bfloat16")
"""What they may be asked to compute in."""
