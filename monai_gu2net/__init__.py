# Copyright (c) the monai_gu2net authors
# SPDX-License-Identifier: Apache-2.0
"""Universal anatomical landmark detection (GU2Net) as a MONAI plugin."""

__all__ = ["__version__"]

__version__ = "0.1.0"
